"""Take a request back: while it waits it is closed at once; when it is being given already, it ends with a proof."""

from access.change import Change, move
from access.events import Event, Happened
from access.lifecycle import Work, asks_for
from access.model import Activation, Cause, Unmet
from access.ports import Ports
from access.wire import Envelope, RequestCommand, nudge, tell
from activation_handler.carry_out import Order, carry_out


async def cancel(said: RequestCommand, envelope: Envelope, *, ports: Ports) -> None:
    """Close a request that waits for a decision or its start, or end it while it is being given.

    Raises:
        Unusable: it can never succeed, and nobody can be told.
        TryAgain: something can't be looked up yet; nothing was recorded.
    """
    await carry_out(said, envelope, _decide, ports=ports)


async def _decide(activation: Activation, order: Order, _: Ports) -> Change | tuple[Unmet, ...]:
    unmet = order.against_ending(activation)
    if unmet:
        return unmet
    work, told = asks_for(activation.state), tell(activation.id, "canceled", to=activation.requester)
    sends = {
        Work.DECISION: (told, nudge("approvals", activation.id)),
        Work.START: (told,),
    }.get(work, (nudge("expirations", activation.id),))
    happened = Happened(event=Event.CANCELED, at=order.now, by=order.by, details=order.details)
    return move(
        activation,
        happened,
        sends=sends,
        command=order.id,
        content=order.said.content,
        cause=Cause.CANCELED,
        ended_by=order.by,
        end_reason=order.reason,
        ending_since=order.now if work is Work.GIVING else None,
    )
