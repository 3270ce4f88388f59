"""What was given on top of an activation by approval ends with it, where somebody ends it before its time."""

from collections.abc import Iterable

from access.change import move
from access.events import SYSTEM, Event, Happened
from access.lifecycle import may
from access.model import Activation, Cause
from access.ports import Ports
from access.wire import nudge

EVENT_OF = {Cause.DEACTIVATED: Event.DEACTIVATED, Cause.REVOKED: Event.REVOKED}
"""An end that comes by itself leaves the extension, which is there for that."""


async def end_extensions(activation: Activation, others: Iterable[Activation], ports: Ports) -> None:
    """End those of ``others`` that extend this activation: by whom, and why, as it was itself.

    Raises:
        Conflict: one of them changed meanwhile; the next delivery sees it.
    """
    event = EVENT_OF.get(activation.cause) if activation.cause else None
    if event is None:
        return
    for extension in others:
        if extension.extends != activation.id or not may(extension.state, event):
            continue
        now = ports.clock.now()
        happened = Happened(event=event, at=now, by=activation.ended_by or SYSTEM, details={"with": activation.id})
        change = move(
            extension,
            happened,
            sends=(nudge("expirations", extension.id),),
            cause=activation.cause,
            ended_by=activation.ended_by,
            end_reason=activation.end_reason,
            ending_since=now,
        )
        await ports.store.commit(change, now=now)
