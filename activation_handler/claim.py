"""The first two steps of giving: claim the hold before anything is asked, then settle what was held before (protocol 5)."""

from access import hold as holding
from access.errors import Conflict, TryAgain
from access.hold import Hold, Ready, TurnedAway, Wait, Write
from access.model import Activation
from access.ports import Ports

ROUNDS = 6
"""How often a row is read again when others write it; then the message is put off."""


async def claim(activation: Activation, ports: Ports) -> Hold | None:
    """Put the activation among the live ones of its hold. None: it was released already; there is nothing to give.

    Raises:
        TryAgain: a removal is under way or may still land, or the row is busy.
    """
    assert activation.ends_at is not None  # noqa: S101 - the state asks for giving, so the end is set
    for _ in range(ROUNDS):
        hold = await ports.store.hold(activation.principal, activation.target)
        now = ports.clock.now()
        match holding.claim(hold, activation.id, role=activation.role, ends_at=activation.ends_at, now=now):
            case Ready(ready):
                return ready
            case TurnedAway():
                return None
            case Wait(until, why):
                raise TryAgain(why, after=until - now)
            case Write(wanted):
                try:
                    return await ports.store.write_hold(wanted)
                except Conflict:
                    continue
    raise TryAgain("a hold that many write", after=holding.POLL)


async def settle(hold: Hold, activation: Activation, ports: Ports) -> Hold:
    """Settle by a read whether the principal held the target before us; only the assignment itself counts.

    Raises:
        TryAgain: reads may still show what we removed last, or the row changed.
    """
    if hold.before is not holding.Before.UNKNOWN:
        return hold
    began = ports.clock.now()
    presence = await ports.directory.presence(activation.principal, activation.target)
    match holding.settle_before(hold, presence, read_began=began, timing=ports.timing):
        case Write(wanted):
            return await _write(wanted, ports)
        case Wait(until, why):
            noted = holding.missing(hold, presence, read_began=began)
            if noted != hold:
                await _write(noted, ports)
            raise TryAgain(why, after=until - began)
        case Ready(ready):
            return ready


async def _write(hold: Hold, ports: Ports) -> Hold:
    try:
        return await ports.store.write_hold(hold)
    except Conflict as conflict:
        raise TryAgain("a hold that another worker wrote", after=holding.POLL) from conflict
