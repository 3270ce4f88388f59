"""Is this activation due? End it: lapse it, or release its hold, remove what we gave, and prove it gone (protocol 5, step 4).

``ending`` is left only by a proof. A removal has no final error: whatever fails is put off and tried again (law 2).
"""

from datetime import datetime

from access.change import move
from access.errors import Code, TryAgain
from access.events import Event, Happened
from access.expiry import LOOK_AGAIN_AFTER, alerts_by, due_event, early_by, look_is_due, overdue_by
from access.hold import Outcome
from access.lifecycle import Work, asks_for, may
from access.model import Activation, Cause, Unmet
from access.ports import Ports
from access.wire import tell
from expiry_timer.look_again import look_again
from expiry_timer.release import release


async def end_due(activation_id: str, *, ports: Ports) -> None:
    """Do what the clock and the state ask for, as far as it is ending.

    Raises:
        TryAgain: the directory, another worker or an instant is waited for.
        Conflict: somebody changed the activation or its hold meanwhile; the next delivery goes on.
    """
    now = ports.clock.now()
    activation = await ports.store.activation(activation_id)
    if activation is None:
        return
    event = due_event(activation, now=now)
    if event is not None:
        activation = await _commit_due(activation, event, now, ports)
    if look_is_due(activation, now=now):
        await look_again(activation, now, ports)
    if asks_for(activation.state) is not Work.REMOVAL:
        if early := early_by(activation, now=now):
            raise TryAgain("its time, which has come by another clock", after=early)
        return
    activation = await _alert(activation, now, ports)
    async with ports.store.drive(activation, now=now) as driven:
        try:
            outcome, details = await release(driven, ports)
        except TryAgain as fault:
            await _note_delay(driven, fault, ports)
            raise
        await _commit_end(driven, outcome, details, ports)


async def _commit_due(activation: Activation, event: Event, now: datetime, ports: Ports) -> Activation:
    """Record what the clock did. The person hears of a lapse and of a missed start now, of an end once it is proven."""
    missed = Unmet(Code.START_MISSED, "Its time was over before it could start.", "Ask again.")
    what, cause, unmet = {
        Event.LAPSED: ("lapsed", None, ()),
        Event.WITHDRAWN: ("withdrawn", Cause.WITHDRAWN, (missed,)),
    }.get(event, ("", Cause.EXPIRED, ()))
    told = (tell(activation.id, what, to=activation.requester),) if what else ()
    since = activation.ends_at if event is Event.END_DUE else None
    happened = Happened(event=event, at=now)
    change = move(activation, happened, sends=told, cause=cause, unmet=unmet, ending_since=since)
    return await ports.store.commit(change, now=now, lease=asks_for(change.after.state) is Work.REMOVAL)


async def _alert(activation: Activation, now: datetime, ports: Ports) -> Activation:
    """Report a removal that is overdue, once for each alert that has come due; before work on it, which may be stuck."""
    alerts = alerts_by(activation, now=now)
    if alerts <= activation.alerts:
        return activation
    seconds = overdue_by(activation, now=now).total_seconds()
    happened = Happened(event=Event.REMOVAL_OVERDUE, at=now, details={"seconds": seconds, "alert": alerts})
    return await ports.store.commit(move(activation, happened, alerts=alerts), now=now)


async def _note_delay(activation: Activation, fault: TryAgain, ports: Ports) -> None:
    """Record the first fault of a removal; later ones only count (protocol 6)."""
    if not fault.fault or activation.removal_delayed:
        return
    now = ports.clock.now()
    happened = Happened(event=Event.REMOVAL_DELAYED, at=now, details={"what": fault.what})
    await ports.store.commit(move(activation, happened, removal_delayed=True), now=now)


async def _commit_end(activation: Activation, outcome: Outcome, details: dict[str, object], ports: Ports) -> None:
    now = ports.clock.now()
    failed = activation.cause is Cause.FAILED
    event = Event.FAILURE_PROVEN if failed and may(activation.state, Event.FAILURE_PROVEN) else Event.REMOVAL_PROVEN
    lag = (
        (now - activation.ends_at).total_seconds() if activation.ends_at and activation.cause is Cause.EXPIRED else 0.0
    )
    happened = Happened(event=event, at=now, details={"outcome": outcome.value, "lag_seconds": lag, **details})
    what = "failed" if failed else "ended"
    told = tell(activation.id, what, to=activation.requester)
    look_at = now + LOOK_AGAIN_AFTER if outcome is Outcome.PROVEN_GONE else None
    change = move(activation, happened, sends=(told,), ended_how=outcome.value, look_at=look_at)
    await ports.store.commit(change, now=now)
