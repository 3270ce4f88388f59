"""When does it end, what is due, and who acts on it (protocol section 4). Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from access.events import Event
from access.lifecycle import Work, asks_for, is_busy, is_final, may
from access.model import Activation, Due, Send

NOW_ROW = "now"
ALARM_ROW = "alarm"
RETRY_ROW = "retry"

FIRST_LOOK = timedelta(seconds=30)
"""How long after a commit the sweep looks whether its effects left and its work goes on."""

BACK_OFF_LIMIT = timedelta(minutes=15)
MISSING_KEPT = timedelta(hours=1)
"""How long a due row is kept whose activation is missing or older: its commit may still be under way."""


def alarm_at(activation: Activation) -> datetime | None:
    """Return the instant that will act on this activation by itself: its lapse, its start or its end (law 1)."""
    match asks_for(activation.state):
        case Work.DECISION:
            return activation.lapses_at
        case Work.START:
            return activation.starts_at
        case Work.GIVING | Work.END:
            return activation.ends_at
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


def start_is_due(activation: Activation, *, now: datetime) -> bool:
    """Whether a scheduled activation starts by ``now``. At or after its end it starts no more."""
    starts, ends = activation.starts_at, activation.ends_at
    return (
        asks_for(activation.state) is Work.START and starts is not None and now >= starts and bool(ends and now < ends)
    )


def queue_for(activation: Activation, *, now: datetime) -> str:
    """Return the queue whose function does what the state asks for at ``now``."""
    if is_unasked(activation, now=now):
        return "approvals"
    giving = asks_for(activation.state) is Work.GIVING and not (activation.ends_at and now >= activation.ends_at)
    return "provisioning" if giving or start_is_due(activation, now=now) else "expirations"


def alarm_send(activation: Activation) -> Send:
    """Return the message that acts on time at the alarm's instant; the due row sees to it that it happens at all."""
    queue = "provisioning" if asks_for(activation.state) is Work.START else "expirations"
    return Send(queue=queue, body={"version": 1, "activation": activation.id}, at=alarm_at(activation))


@dataclass(frozen=True, slots=True)
class Drop:
    """The due row says nothing any more."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Its activation is not there yet: look again at the next sweep."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Send the activation's id to ``queue``; then write the row again at ``again_at`` and drop it (None: only drop it)."""

    queue: str
    again_at: datetime | None
    drop: bool = True


def judge(due: Due, activation: Activation | None, *, outbox_empty: bool, now: datetime) -> Drop | Keep | Nudge:
    """Say what a due row means, given the activation as it is now. The row is a hint; the activation decides.

    An alarm row stays until its activation has left the state that named it, so that a lost message is sent again.
    """
    if activation is None or activation.version < due.version:
        return Drop() if now >= due.at + MISSING_KEPT else Keep()
    queue = queue_for(activation, now=now)
    if due.kind == RETRY_ROW:
        return Drop() if is_final(activation.state) else Nudge(queue, None)
    if due.key == activation.alarm and not is_final(activation.state):
        return Nudge(queue, None, drop=False)
    if due.kind == ALARM_ROW or activation.version > due.version:
        return Drop()
    if outbox_empty and not is_busy(activation.state) and not is_unasked(activation, now=now):
        return Drop()
    return Nudge(queue, now + back_off(due.tries))


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
