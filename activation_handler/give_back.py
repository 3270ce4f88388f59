"""Give an activation back before its end: it is ending from now on, and ends when a read has proven it."""

from access.change import Change, move
from access.events import Event, Happened
from access.model import Activation, Cause, Unmet
from access.ports import Ports
from access.wire import Envelope, RequestCommand, nudge
from activation_handler.carry_out import Order, carry_out


async def give_back(said: RequestCommand, envelope: Envelope, *, ports: Ports) -> None:
    """End what is being given, or is held, for whoever it belongs to.

    Raises:
        Unusable: it can never succeed, and nobody can be told.
        TryAgain: something can't be looked up yet; nothing was recorded.
    """
    await carry_out(said, envelope, _decide, ports=ports)


async def _decide(activation: Activation, order: Order, _: Ports) -> Change | tuple[Unmet, ...]:
    unmet = order.against_ending(activation)
    if unmet:
        return unmet
    happened = Happened(event=Event.DEACTIVATED, at=order.now, by=order.by, details=order.details)
    return move(
        activation,
        happened,
        sends=(nudge("expirations", activation.id),),
        command=order.id,
        content=order.said.content,
        cause=Cause.DEACTIVATED,
        ended_by=order.by,
        end_reason=order.reason,
        ending_since=order.now,
    )
