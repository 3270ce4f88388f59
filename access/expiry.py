"""When does it end, what is due, and who acts on it (protocol section 4). Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from access.events import Event
from access.lifecycle import Work, asks_for, is_busy, is_final, may
from access.model import Activation, Due, Send
from access.pace import SKEW

NOW_ROW = "now"
ALARM_ROW = "alarm"
RETRY_ROW = "retry"

FIRST_LOOK = timedelta(seconds=30)
"""How long after a commit the sweep looks whether its effects left and its work goes on."""

BACK_OFF_LIMIT = timedelta(minutes=15)
OVERDUE_AFTER = timedelta(minutes=5)
OVERDUE_AGAIN_AFTER = timedelta(hours=1)
OVERDUE_EVERY = timedelta(days=1)
"""A removal that is not proven is reported when it is overdue by 5 minutes, again at an hour, and then each day."""

LOOK_AGAIN_AFTER = timedelta(minutes=15)
"""How long after the proof of an end the directory is read once more (protocol 5, Release)."""

MISSING_KEPT = timedelta(hours=1)
"""How long a due row is kept whose activation is missing or older: its commit may still be under way."""


def alarm_at(activation: Activation) -> datetime | None:
    """Return the instant that will act on this activation by itself: its lapse, start or end (law 1), or the last look."""
    match asks_for(activation.state):
        case Work.DECISION:
            return activation.lapses_at
        case Work.START:
            return activation.starts_at
        case Work.GIVING | Work.END:
            return activation.ends_at
        case Work.NOTHING:
            return activation.look_at
        case _:
            return None


def due_event(activation: Activation, *, now: datetime) -> Event | None:
    """Return what the clock does to this activation by ``now``; None: nothing yet. The end is exclusive."""
    state = activation.state
    if may(state, Event.LAPSED) and activation.lapses_at and now >= activation.lapses_at:
        return Event.LAPSED
    if activation.ends_at and now >= activation.ends_at:
        if may(state, Event.END_DUE):
            return Event.END_DUE
        if asks_for(state) is Work.START:
            return Event.WITHDRAWN
    return None


def early_by(activation: Activation, *, now: datetime) -> timedelta | None:
    """Return how long it still is to the alarm, where that is no more than what clocks differ by; None: it isn't near.

    Whoever is asked to act then was asked by a clock that is ahead of theirs, and is to wait instead of going quietly.
    """
    at = alarm_at(activation)
    return at - now if at is not None and now < at <= now + SKEW else None


def start_is_due(activation: Activation, *, now: datetime) -> bool:
    """Whether a scheduled activation starts by ``now``. At or after its end it starts no more."""
    starts, ends = activation.starts_at, activation.ends_at
    return (
        asks_for(activation.state) is Work.START and starts is not None and now >= starts and bool(ends and now < ends)
    )


def look_is_due(activation: Activation, *, now: datetime) -> bool:
    """Whether it is time to see that what was proven gone has not come back. A second look at it does no harm."""
    return is_final(activation.state) and activation.look_at is not None and now >= activation.look_at


def overdue_by(activation: Activation, *, now: datetime) -> timedelta:
    """Return for how long the removal of this activation has been due; nothing where none is asked for."""
    since = activation.ending_since or activation.ends_at
    if asks_for(activation.state) is not Work.REMOVAL or since is None:
        return timedelta()
    return max(now - since, timedelta())


def alerts_by(activation: Activation, *, now: datetime) -> int:
    """Return how many alerts an overdue removal is worth by ``now``: after 5 minutes, after an hour, and each day after."""
    overdue = overdue_by(activation, now=now)
    if overdue < OVERDUE_AGAIN_AFTER:
        return int(overdue >= OVERDUE_AFTER)
    return 2 + (overdue - OVERDUE_AGAIN_AFTER) // OVERDUE_EVERY


def next_alert_at(activation: Activation) -> datetime | None:
    """Return when this removal is reported next, unless it is proven until then; None where none is asked for."""
    since = activation.ending_since or activation.ends_at
    if asks_for(activation.state) is not Work.REMOVAL or since is None:
        return None
    if activation.alerts == 0:
        return since + OVERDUE_AFTER
    return since + OVERDUE_AGAIN_AFTER + (activation.alerts - 1) * OVERDUE_EVERY


def queue_for(activation: Activation, *, now: datetime) -> str:
    """Return the queue whose function does what the state asks for at ``now``."""
    if is_unasked(activation, now=now):
        return "approvals"
    giving = asks_for(activation.state) is Work.GIVING and not (activation.ends_at and now >= activation.ends_at)
    return "provisioning" if giving or start_is_due(activation, now=now) else "expirations"


def alarm_send(activation: Activation) -> Send | None:
    """Return the message that acts on time at the alarm's instant; the due row sees to it that it happens at all.

    None: the last look at a final activation need not be on time, so the sweep alone sees to it.
    """
    if is_final(activation.state):
        return None
    queue = "provisioning" if asks_for(activation.state) is Work.START else "expirations"
    return Send(queue=queue, body={"version": 1, "activation": activation.id}, at=alarm_at(activation))


@dataclass(frozen=True, slots=True)
class Drop:
    """The due row says nothing any more."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Its activation is not there yet: the row stays where it is, and is not looked at before ``until``."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Nudge:
    """Send the activation's id to ``queue``; then write the row again at ``again_at`` and drop it (None: only drop it).

    With ``stays`` the row is left where it is, and is not looked at before ``again_at``.
    """

    queue: str
    again_at: datetime | None
    stays: bool = False


def judge(due: Due, activation: Activation | None, *, outbox_empty: bool, now: datetime) -> Drop | Keep | Nudge:
    """Say what a due row means, given the activation as it is now. The row is a hint; the activation decides.

    An alarm row stays until its activation has left the state that named it, so that a lost message is sent again. Only
    the last look at a final activation is asked for once.
    """
    if activation is None or activation.version < due.version:
        return Drop() if now >= due.at + MISSING_KEPT else Keep(now + back_off(0))
    queue, final = queue_for(activation, now=now), is_final(activation.state)
    if due.kind == RETRY_ROW:
        return Drop() if final and not look_is_due(activation, now=now) else Nudge(queue, None)
    if due.key == activation.alarm and alarm_at(activation) is not None:
        return Nudge(queue, None) if final else Nudge(queue, now + back_off(due.tries), stays=True)
    if due.kind == ALARM_ROW or activation.version > due.version:
        return Drop()
    if outbox_empty and not is_busy(activation.state) and not is_unasked(activation, now=now):
        return Drop()
    return Nudge(queue, _in_time_for_alert(now + back_off(due.tries), activation, now=now))


def _in_time_for_alert(again_at: datetime, activation: Activation, *, now: datetime) -> datetime:
    """Return ``again_at``, or the instant of the next alert where that comes first."""
    alert = next_alert_at(activation)
    return min(again_at, alert) if alert is not None and alert > now else again_at


def back_off(tries: int) -> timedelta:
    """Return the span before the next look: 2, 4, 8 ... 15 minutes."""
    return min(timedelta(minutes=2 << min(tries, 8)), BACK_OFF_LIMIT)


def retry_after(tries: int) -> timedelta:
    """Return the span before the directory is asked again after a fault that named none: 5 s, doubling, to 15 minutes."""
    return min(timedelta(seconds=5 << min(max(tries - 1, 0), 12)), BACK_OFF_LIMIT)


def is_unasked(activation: Activation, *, now: datetime) -> bool:
    """Whether a decision is wanted that nobody has been asked for yet: the message that asks may be lost."""
    return is_open(activation, now=now) and activation.approvers_asked == 0


def is_open(activation: Activation, *, now: datetime) -> bool:
    """Whether a decision still counts at ``now``, lapse recorded or not (protocol section 1)."""
    return asks_for(activation.state) is Work.DECISION and not (activation.lapses_at and now >= activation.lapses_at)


# The sweep and what starts it

FRESH_FOR = timedelta(minutes=3)
"""For how long after its end a sweep says that the next one is not missed."""

REST = timedelta(seconds=30)
"""How soon after a sweep another one finds nothing new."""

TICK_SECOND = 25
"""At which second of its minute a tick comes: the timer has swept at the first, so where that lives the tick rests."""

TICK_NOTICE = timedelta(seconds=20)
TICK_MARGIN = timedelta(seconds=15)
"""What clocks may differ by: a tick that comes to a slow clock has come all the same."""

TICK_CLAIM = timedelta(seconds=20)
"""How long who claimed the next tick has for sending it, before another one does."""

TICK_ABSURD = timedelta(minutes=2)


def is_fresh(ended: datetime | None, *, now: datetime) -> bool:
    """Whether the last finished sweep is so young that the next one is not missed."""
    return ended is not None and now < ended + FRESH_FOR


def may_rest(ended: datetime | None, *, now: datetime) -> bool:
    """Whether a sweep has just finished; one that ended in what a fast clock calls the future counts too."""
    return ended is not None and abs(now - ended) < REST


def next_tick_at(now: datetime) -> datetime:
    """Return when the next tick is to come; never the one whose turn it is just now."""
    at = now.replace(second=TICK_SECOND, microsecond=0)
    return at if at - now >= TICK_NOTICE else at + timedelta(minutes=1)


def tick_is_over(next_at: datetime | None, *, now: datetime) -> bool:
    """Whether the tick that is on record has come, or can't be a tick of ours: then another one is to be sent."""
    return next_at is None or now >= next_at - TICK_MARGIN or next_at > now + TICK_ABSURD
