"""The first two steps of giving: claim the hold before anything is asked, then settle what was held before (protocol 5)."""

from datetime import datetime

from access import hold as holding
from access.errors import Conflict, Refused, TryAgain
from access.expiry import due_event
from access.hold import Hold, Ready, TurnedAway, Wait, Write
from access.lifecycle import Work, asks_for
from access.model import Activation, Cause
from access.policy import already_active, nothing_left
from access.ports import Ports

ROUNDS = 6
"""How often a row is read again when others write it; then the message is put off."""


async def claim(activation: Activation, ports: Ports) -> Hold | None:
    """Put the activation among the live ones of its hold. None: it was released already; there is nothing to give.

    One role is active once for an account: two requests can be accepted in one instant, but only one write of the row
    comes first.

    Raises:
        Refused: another activation of the same role is live, or what this one extends was ended before its time.
        TryAgain: a removal is under way or may still land, or the row is busy.
    """
    hold = await _join(activation, ports)
    if hold is not None and activation.extends:
        await _refuse_on_top_of_nothing(activation.extends, activation, ports)
    return hold


async def _join(activation: Activation, ports: Ports) -> Hold | None:
    assert activation.ends_at is not None  # noqa: S101 - the state asks for giving, so the end is set
    for _ in range(ROUNDS):
        hold = await ports.store.hold(activation.principal, activation.target)
        now = ports.clock.now()
        if await _is_taken(hold, activation, now, ports):
            raise Refused(already_active(activation.role_name))
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


async def _refuse_on_top_of_nothing(first: str, activation: Activation, ports: Ports) -> None:
    """Give no more time to what was given back or revoked meanwhile. Read after the claim: a later end finds this one there."""
    ended = await ports.store.activation(first)
    if ended is not None and ended.cause in {Cause.DEACTIVATED, Cause.REVOKED}:
        raise Refused(nothing_left(activation.role_name))


async def _is_taken(hold: Hold, activation: Activation, now: datetime, ports: Ports) -> bool:
    """Whether another activation of the same role is being given or held; one that is ending, or left over, is in no way."""
    if activation.id in hold.live or activation.id in hold.released:
        return False
    for other in holding.rivals(hold, activation.id, role=activation.role, extends=activation.extends):
        rival = await ports.store.activation(other)
        if rival is not None and asks_for(rival.state) in {Work.GIVING, Work.END} and due_event(rival, now=now) is None:
            return True
    return False


async def settle(hold: Hold, activation: Activation, ports: Ports) -> Hold:
    """Settle by a read whether the principal held the target before us; only the assignment itself counts.

    That it did not is yet to be written, with the ask: no call is made before that, and who dies here asks anew.

    Raises:
        TryAgain: reads may still show what we removed last.
        Conflict: somebody else wrote the row meanwhile.
    """
    if hold.before is not holding.Before.UNKNOWN:
        return hold
    began = ports.clock.now()
    presence = await ports.directory.presence(activation.principal, activation.target)
    match holding.settle_before(hold, presence, read_began=began, timing=ports.timing):
        case Write(wanted) if wanted.before is holding.Before.NO:
            return wanted  # written with the ask, in one
        case Write(wanted):
            return await ports.store.write_hold(wanted)
        case Wait(until, why):
            noted = holding.missing(hold, presence, read_began=began)
            if noted != hold:
                await ports.store.write_hold(noted)
            raise TryAgain(why, after=until - began)
        case Ready(ready):
            return ready
