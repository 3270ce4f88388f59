"""Give what was accepted, approved, or whose start is due: claim, ask the directory, confirm (protocol 5, steps 1 to 3).

The due row that ends it was written before this begins (law 1). Whatever goes wrong in here, the state stays
``provisioning`` or becomes ``ending``; both are gone on with until they are proven.
"""

from datetime import datetime

from access import hold as holding
from access.change import move
from access.errors import AlreadyAssigned, Code, Conflict, DirectoryRefused, Refused, Restoring, TryAgain
from access.events import Event, Happened
from access.expiry import due_event, early_by, retry_after, start_is_due
from access.hold import Before, Hold, Presence
from access.lifecycle import Work, asks_for, may
from access.model import Activation, Cause, Stop, Unmet
from access.pace import Lane
from access.policy import NotAllowed, ask_again, evaluate, is_restoring, stopped
from access.ports import Ports, Wanted
from access.wire import nudge, tell
from activation_handler.claim import claim, settle


async def give(activation_id: str, *, ports: Ports) -> None:
    """Do what the state asks for, as far as it is giving.

    Raises:
        TryAgain: the directory, another worker or an instant is waited for.
        Conflict: somebody changed the activation meanwhile; the next delivery goes on.
    """
    now = ports.clock.now()
    activation = await ports.store.activation(activation_id)
    if activation is None:
        return
    if start_is_due(activation, now=now):
        activation = await _start(activation, now, ports)
    if asks_for(activation.state) is not Work.GIVING:
        if early := early_by(activation, now=now):
            raise TryAgain("its time, which has come by another clock", after=early)
        return
    if due_event(activation, now=now) is Event.END_DUE:
        await _end(activation, Event.END_DUE, now, ports, cause=Cause.EXPIRED)
        return
    async with ports.store.drive(activation, now=now) as driven:
        await _give(driven, ports)


async def _give(activation: Activation, ports: Ports) -> None:
    """Claim, settle, ask, confirm.

    One may wait for the slot: so it is taken before the read that settles, lest that is old, and before the clock of the call.
    """
    try:
        hold = await claim(activation, ports)
    except Refused as refused:
        event, now = Event.PROVISIONING_REFUSED, ports.clock.now()
        await _end(activation, event, now, ports, cause=Cause.FAILED, unmet=refused.unmet)
        return
    if hold is None:
        return
    if hold.before is not Before.YES:
        await ports.pace.turn(Lane.GRANT)
    hold = await settle(hold, activation, ports)
    if hold.before is not Before.YES:
        asked = await _ask(hold, activation, ports)
        if asked is None:
            return
        hold = asked
    await _confirm(hold, activation, ports)


async def _start(activation: Activation, now: datetime, ports: Ports) -> Activation:
    """Ask the rules again at the start: eligibility, settings and the person may have changed since (protocol 1)."""
    wanted = Wanted(
        activation=activation.id, role=activation.role, requester=activation.requester, principal=activation.principal
    )
    facts = await ports.lookup.facts(wanted, give_up=False)
    if is_restoring(facts.stopped):
        raise Restoring
    verdict = evaluate(ask_again(activation, now=now), facts, now=now)
    if isinstance(verdict, NotAllowed):
        happened = Happened(event=Event.WITHDRAWN, at=now, details={"unmet": [demand.code for demand in verdict.unmet]})
        told = tell(activation.id, "withdrawn", to=activation.requester)
        change = move(activation, happened, sends=(told,), cause=Cause.WITHDRAWN, unmet=verdict.unmet)
    else:
        change = move(activation, Happened(event=Event.START_DUE, at=now))
    return await ports.store.commit(change, now=now)


async def _ask(hold: Hold, activation: Activation, ports: Ports) -> Hold | None:
    """Ask the directory once. None: the activation no longer wants it, granting is stopped, or it was refused for good.

    Stops are read after the hold's write: whoever sets one waits until what was asked by then has landed
    (docs/decisions/0015).
    """
    began, now, limit = ports.clock.monotonic(), ports.clock.now(), ports.timing.call_limit
    asked = await ports.store.write_hold(holding.ask(hold, now=now, timing=ports.timing))
    current = await ports.store.activation(activation.id)
    stops = await ports.controls.stops(activation.role, activation.principal)
    now = ports.clock.now()
    if current is None or not may(current.state, Event.PROVISIONED) or due_event(current, now=now):
        await _nothing_given(asked, ports)
        return None
    if stops:
        await _withhold(asked, activation, stops, now, ports)
        return None
    try:
        await ports.directory.assign(activation.principal, activation.target, deadline=began + limit.total_seconds())
    except AlreadyAssigned:
        return await ports.store.write_hold(holding.found_already_there(asked))
    except DirectoryRefused as refusal:
        await _nothing_given(asked, ports)
        await _end(activation, Event.PROVISIONING_REFUSED, now, ports, cause=Cause.FAILED, unmet=(_refusal(refusal),))
        return None
    except TryAgain as fault:
        await ports.pace.heed(fault)
        raise TryAgain(fault.what, after=max(fault.after, retry_after(asked.asked)), fault=True) from fault
    return asked


async def _nothing_given(asked: Hold, ports: Ports) -> None:
    """The ask was refused for good, or not made: where it was the only one, nothing of ours is there to be removed."""
    innocent = holding.definitely_refused(asked)
    if innocent is not None:
        await ports.store.write_hold(innocent)


async def _withhold(asked: Hold, activation: Activation, stops: tuple[Stop, ...], now: datetime, ports: Ports) -> None:
    """Granting is stopped: wait where a ledger is being restored, else end it."""
    await _nothing_given(asked, ports)
    if is_restoring(stops):
        raise Restoring
    unmet = tuple(stopped(stop) for stop in stops)
    await _end(activation, Event.PROVISIONING_REFUSED, now, ports, cause=Cause.FAILED, unmet=unmet)


async def _confirm(hold: Hold, activation: Activation, ports: Ports) -> None:
    """Read it back; only what was seen is announced (law 7)."""
    began = ports.clock.now()
    presence = await ports.directory.presence(activation.principal, activation.target)
    if presence is not Presence.HELD:
        after = retry_after(hold.asked)
        if hold.before is Before.YES:
            await ports.store.write_hold(holding.unsettle(hold))
            after = ports.timing.proof_window / 2  # it shows soon, and each look until then asks the directory anew
        raise TryAgain("the directory to show the assignment", after=after)
    too_early = holding.confirms(hold, read_began=began, timing=ports.timing)
    if too_early is not None:
        raise TryAgain(too_early.why, after=too_early.until - began)
    now = ports.clock.now()
    held_before = hold.before is Before.YES
    details = {"held_before": held_before, "ownership_unsure": hold.unsure}
    happened = Happened(event=Event.PROVISIONED, at=now, details=details)
    told = tell(activation.id, "activated", to=activation.requester)
    change = move(activation, happened, sends=(told,), held_before=held_before, ownership_unsure=hold.unsure)
    await ports.store.commit(change, now=now)


async def _end(
    activation: Activation, event: Event, now: datetime, ports: Ports, *, cause: Cause, unmet: tuple[Unmet, ...] = ()
) -> None:
    """Commit the move to ``ending``; the message that leaves with it has the expiry timer go on."""
    happened = Happened(
        event=event, at=now, details={"unmet": [[one.code, one.what] for one in unmet]} if unmet else {}
    )
    onward = nudge("expirations", activation.id)
    since = activation.ends_at if event is Event.END_DUE else now
    try:
        ending = move(activation, happened, sends=(onward,), cause=cause, unmet=unmet, ending_since=since)
        await ports.store.commit(ending, now=now)
    except Conflict as conflict:
        raise TryAgain("the activation, which changed meanwhile", after=retry_after(1)) from conflict


def _refusal(refusal: DirectoryRefused) -> Unmet:
    return Unmet(
        Code.DIRECTORY_REFUSED,
        f"The directory refused it: {refusal}",
        "Tell the people who run Hourglass: its permissions, or the group itself, stand in the way.",
    )
