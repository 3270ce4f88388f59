"""A look some time after the proof: an assignment that has come back is reported, and never removed (protocol 5)."""

from datetime import datetime

from access import hold as holding
from access.change import move
from access.events import Event, Happened
from access.expiry import LOOK_AGAIN_AFTER
from access.hold import Presence
from access.model import Activation
from access.ports import Ports


async def look_again(activation: Activation, now: datetime, ports: Ports) -> None:
    """Read whether what was proven gone is held again, where nobody of ours has had to do with it since.

    Raises:
        TryAgain: it can't be read now.
        Conflict: another worker has reported it.
    """
    assert activation.look_at is not None  # noqa: S101 - the look is due
    hold = await ports.store.hold(activation.principal, activation.target)
    if not holding.is_untouched_since(hold, activation.look_at - LOOK_AGAIN_AFTER):
        return
    presence = await ports.directory.presence(activation.principal, activation.target)
    if presence is not Presence.HELD:
        return
    # Whoever gives it anew claims the hold first: an unchanged row says that it was none of us.
    if await ports.store.hold(activation.principal, activation.target) != hold:
        return
    ended_at = activation.look_at - LOOK_AGAIN_AFTER
    happened = Happened(event=Event.ASSIGNMENT_RETURNED, at=now, details={"seconds": (now - ended_at).total_seconds()})
    await ports.store.commit(move(activation, happened, look_at=None), now=now)
