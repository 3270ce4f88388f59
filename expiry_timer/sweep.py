"""The sweep: whatever is due is sent to whoever does it. It costs what is due, and one bad row never stops it.

Three things start it, so that no one of them has to be trusted: the timer, its own tick, and whoever may call for it.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from access import ids
from access.errors import Conflict, TryAgain
from access.expiry import NOW_ROW, Drop, Keep, Nudge, back_off, judge, may_rest
from access.model import Activation, Due
from access.ports import Beat, Ports
from access.wire import Nudge as NudgeMessage
from expiry_timer.collect_dead_letters import collect_dead_letters
from expiry_timer.end_due import end_due
from expiry_timer.tick import renew_tick

log = logging.getLogger(__name__)

NUDGES = 1_200
"""Messages that one sweep sends: more can't be worked off in a minute, as Graph takes 3,000 writes in 150 seconds."""

TIME_LIMIT = timedelta(minutes=4)
"""For how long a sweep goes on; the host ends a function after five minutes. The next one does what is left."""


class Starter(StrEnum):
    """What started a sweep; a call over HTTP comes as a tick."""

    TIMER = "timer"
    TICK = "tick"


@dataclass(slots=True)
class Swept:
    """What one sweep did, in rows. ``left``: rows are left for the next one; ``whole``: every shard could be read."""

    due: int = 0
    sent: int = 0
    dropped: int = 0
    failed: int = 0
    dead_letters: int = 0
    left: bool = False
    whole: bool = True


@dataclass(slots=True)
class _Seen:
    """What one sweep has read, and the rows that it found to say nothing any more.

    A row is judged by the activation as it was at some time in this sweep: versions only grow, and a nudge is a hint.
    """

    activations: dict[str, Activation | None] = field(default_factory=dict)
    over: list[Due] = field(default_factory=list)


async def sweep(started_by: Starter, *, ports: Ports) -> Swept | None:
    """Judge every due row by its activation, most overdue first; then collect dead letters. None: one has just been.

    Raises:
        TryAgain: the next tick could not be sent, so this one must come again.
    """
    began, stop_at = ports.clock.now(), ports.clock.monotonic() + TIME_LIMIT.total_seconds()
    swept = None
    if started_by is Starter.TICK and await _has_just_been(began, ports):
        log.info("sweep.rested")
    else:
        swept = Swept()
        await _look_at_all(swept, stop_at, ports)
        swept.dead_letters = await collect_dead_letters(stop_at=stop_at, ports=ports)
        await _finish(swept, began, started_by, ports)
    try:
        await renew_tick(ports=ports)
    except TryAgain as fault:
        log.warning("tick.delayed", extra={"what": fault.what})
        if started_by is Starter.TICK:
            raise
    return swept


async def _has_just_been(now: datetime, ports: Ports) -> bool:
    try:
        beat = await ports.pulse.last_beat()
    except TryAgain:
        return False
    return may_rest(beat.ended if beat else None, now=now)


async def _look_at_all(swept: Swept, stop_at: float, ports: Ports) -> None:
    seen = _Seen()
    try:
        async for due in ports.store.due(now=ports.clock.now()):
            if swept.sent >= NUDGES or ports.clock.monotonic() >= stop_at:
                swept.left = True
                break
            swept.due += 1
            await _look_at(due, seen, swept, ports)
    except TryAgain:
        swept.whole = False
    await _drop(seen.over, swept, ports)


async def _look_at(due: Due, seen: _Seen, swept: Swept, ports: Ports) -> None:
    """Look at one row; whatever goes wrong with it must not keep the others from their end."""
    try:
        await _carry_out(due, seen, swept, ports)
    except (TryAgain, Conflict) as fault:
        swept.failed += 1
        log.warning("sweep.row_failed", extra={"activation_id": due.activation, "what": str(fault)})
    except Exception:
        swept.failed += 1
        log.exception("sweep.row_broken", extra={"activation_id": due.activation})
        with suppress(TryAgain):
            await ports.store.rest(due, ports.clock.now() + back_off(due.tries))


async def _carry_out(due: Due, seen: _Seen, swept: Swept, ports: Ports) -> None:
    now = ports.clock.now()
    if due.activation not in seen.activations:
        seen.activations[due.activation] = await ports.store.activation(due.activation)
    activation = seen.activations[due.activation]
    match judge(due, activation, outbox_empty=await _outbox_empty(due, activation, ports), now=now):
        case Drop():
            seen.over.append(due)
        case Keep(until):
            await ports.store.rest(due, until)
        case Nudge(queue, again_at, stays):
            await _send_or_end(due, queue, activation.correlation_id if activation else "", ports)
            swept.sent += 1
            if again_at is None:
                await ports.store.drop([due])
            elif stays:
                await ports.store.rest(due, again_at)
            else:
                await ports.store.rearm(due, again_at)


async def _drop(over: Sequence[Due], swept: Swept, ports: Ports) -> None:
    try:
        await ports.store.drop(over)
        swept.dropped += len(over)
    except TryAgain as fault:
        swept.failed += len(over)
        log.warning("sweep.rows_kept", extra={"rows": len(over), "what": fault.what})


async def _outbox_empty(due: Due, activation: Activation | None, ports: Ports) -> bool:
    """Whether nothing is left to send, once what was left has been; looked at only where a row's meaning depends on it."""
    if activation is None or due.kind != NOW_ROW or activation.version > due.version:
        return True
    return await ports.store.flush(due.activation, now=ports.clock.now())


async def _send_or_end(due: Due, queue: str, correlation_id: str, ports: Ports) -> None:
    """Send one nudge; while the bus is out, end it here: no outage of the bus gives anybody more time."""
    try:
        await _send(due, queue, correlation_id, ports)
    except TryAgain:
        if queue != "expirations":
            raise
        log.warning("sweep.ends_itself", extra={"activation_id": due.activation})
        await end_due(due.activation, ports=ports)


async def _send(due: Due, queue: str, correlation_id: str, ports: Ports) -> None:
    """Send one nudge; its id says which look at which row this was, so that a resend is the same message."""
    minute = ports.clock.now().strftime("%Y%m%dT%H%M")
    await ports.bus.send(
        queue,
        NudgeMessage(due.activation).body(),
        message_id=ids.digest("sweep", due.key, str(due.tries), minute),
        correlation_id=correlation_id,
    )


async def _finish(swept: Swept, began: datetime, started_by: Starter, ports: Ports) -> None:
    """Say that the sweep is alive, unless a part of what is due could not be read."""
    counts = {
        "due": swept.due,
        "sent": swept.sent,
        "dropped": swept.dropped,
        "failed": swept.failed,
        "dead_letters": swept.dead_letters,
    }
    said = {**counts, "left": swept.left, "started_by": started_by.value}
    if not swept.whole:
        log.error("sweep.unfinished", extra=said)
        return
    log.info("sweep.done", extra=said)
    try:
        await ports.pulse.beat(Beat(began=began, ended=ports.clock.now(), started_by=started_by.value, **counts))
    except TryAgain as fault:
        log.warning("sweep.unsaid", extra={"what": fault.what})
