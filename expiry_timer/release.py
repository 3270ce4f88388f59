"""Release a hold; where we gave the assignment and nobody else needs it, remove it and prove it gone (protocol 5).

Each step is one conditional write, so that a crash between any two leaves a row that the next delivery goes on from.
"""

from dataclasses import replace

from access import hold as holding
from access.errors import Conflict, NotAssigned, Restoring, TryAgain
from access.expiry import retry_after
from access.hold import Hold, Outcome, Presence, Ready, Wait, Write
from access.lifecycle import is_final
from access.model import Activation
from access.pace import Lane
from access.ports import Ports
from expiry_timer.end_extensions import end_extensions

ROUNDS = 6


async def release(activation: Activation, ports: Ports) -> tuple[Outcome, dict[str, object]]:
    """Return how the release ended, with what the audit is to know; only when nothing of ours is left.

    Raises:
        TryAgain: it can't be done or proven yet.
        Conflict: another worker wrote the hold meanwhile.
    """
    hold, outcome = await _let_go(activation, ports)
    if outcome is not Outcome.REMOVE:
        return outcome, {}
    return await _remove(hold, ports)


async def _let_go(activation: Activation, ports: Ports) -> tuple[Hold, Outcome]:
    """Move the activation from the live ones to the released ones, and learn what follows.

    Where that is a removal, the row is yet to be written, with the first attempt: until then others may still join.
    """
    for _ in range(ROUNDS):
        hold = await ports.store.hold(activation.principal, activation.target)
        now = ports.clock.now()
        finished = await _finished(hold, activation, ports)
        verdict = holding.release(hold, activation.id, finished=finished, now=now)
        if verdict.hold is None:
            return hold, verdict.outcome
        if verdict.outcome is Outcome.REMOVE:
            return verdict.hold, Outcome.REMOVE
        try:
            return await ports.store.write_hold(verdict.hold), verdict.outcome
        except Conflict:
            continue
    raise TryAgain("a hold that many write", after=holding.POLL)


async def _finished(hold: Hold, activation: Activation, ports: Ports) -> frozenset[str]:
    """Return the other live ids whose activation is final: a worker that died left them. What extends this one ends too."""
    found = [await ports.store.activation(key) for key in hold.live if key != activation.id]
    others = [other for other in found if other is not None]
    await end_extensions(activation, others, ports)
    return frozenset(other.id for other in others if is_final(other.state))


async def _remove(hold: Hold, ports: Ports) -> tuple[Outcome, dict[str, object]]:
    """Remove, unless that was answered just now, and read back until it is proven."""
    now = ports.clock.now()
    removed_now: bool | None = False
    if not holding.only_reads(hold, now=now, timing=ports.timing):
        hold, removed_now = await _ask_removal(hold, ports)
    began = ports.clock.now()
    presence = await ports.directory.presence(hold.principal, hold.target)
    details: dict[str, object] = {
        "removals": hold.removals,
        "read_at": began.isoformat(),
        "gone": presence is Presence.GONE,
    }
    match holding.prove(hold, presence, read_began=began, timing=ports.timing):
        case Write(free):
            await ports.store.write_hold(free)
            return Outcome.PROVEN_GONE, details
        case Wait(until, why):
            noted = holding.missing(hold, presence, read_began=began)
            await ports.store.write_hold(holding.answered(noted, at=began) if removed_now else noted)
            raise TryAgain(why, after=max(until - began, holding.TICK))
        case Ready(still_held):
            noted = holding.answered(still_held, at=began) if removed_now else still_held
            if noted != hold:
                await ports.store.write_hold(noted)
            if removed_now is None:
                raise Restoring
            raise TryAgain("the directory to show the removal", after=retry_after(hold.removals))


async def _ask_removal(hold: Hold, ports: Ports) -> tuple[Hold, bool | None]:
    """Ask the directory to remove, once; whether it said yes. That nothing is there is an answer, and no proof.

    None: it was not asked, since a restored ledger changes nothing; what is gone anyway can still be proven.

    The slot is taken before the clock of the call starts: one may wait for it.
    """
    await ports.pace.turn(Lane.REMOVAL)
    deadline = ports.clock.monotonic() + ports.timing.call_limit.total_seconds()
    tried = await ports.store.write_hold(holding.attempt(hold, now=ports.clock.now(), timing=ports.timing))
    try:
        await ports.directory.remove(hold.principal, hold.target, deadline=deadline)
    except NotAssigned:
        return tried, False
    except Restoring:
        return await ports.store.write_hold(replace(hold, etag=tried.etag)), None
    except TryAgain as fault:
        await ports.pace.heed(fault)
        raise TryAgain(fault.what, after=max(fault.after, retry_after(tried.removals)), fault=True) from fault
    return tried, True
