"""The vendor's quota as a sliding window: may a write go now, and if not, when may it (protocol section 6)? Pure.

The window counts slots by the second in which they were taken. A slot is used within ``SLOT_LIFE`` by the clock of whoever
took it, or not at all, and clocks may differ by ``SKEW``: a count is kept that much longer than the vendor's window, so that
in no window more than the quota is used, whoever asks, in whatever order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate

SLOT_LIFE = timedelta(seconds=5)
"""How long after it was taken a slot may be used; what is left of a block then is lost, and stays counted."""

SKEW = timedelta(seconds=5)
"""By how much the clocks of two workers may differ."""

HELD_AT_MOST = timedelta(minutes=5)
"""The longest that one answer of the vendor holds everybody back: a forged or absurd one must not stop removals."""

REMOVALS_FIRST = timedelta(seconds=10)
"""How long grants still wait after the instant for which a removal was told to come back."""

BLOCK_LIMIT = 50
NEAR_THE_END = 4
"""A block is at most this part of what is left, so that few of the last slots are lost in blocks that nobody uses up."""

QUICK = timedelta(seconds=2)
"""A block that was used up within this span was too small."""


class Lane(StrEnum):
    """What a write does. Removals go first; grants leave them a fifth of the quota."""

    REMOVAL = "removal"
    GRANT = "grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many writes the vendor takes in any span of ``window``. Source: Microsoft Graph, identity and access limits."""

    writes: int = 3000
    window: timedelta = timedelta(seconds=150)

    def limit(self, lane: Lane) -> int:
        """Return how much of the quota a lane may fill, whoever took the slots so far."""
        return self.writes if lane is Lane.REMOVAL else max(1, self.writes * 4 // 5)

    @property
    def counted_for(self) -> timedelta:
        """How long a slot counts after it was taken."""
        return self.window + SLOT_LIFE + SKEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The row: slots by the second in which they were taken, and until when somebody has to wait.

    ``held_until``: the vendor asked all to wait. ``removals_until``: a removal was turned away; grants wait.
    """

    taken: Mapping[datetime, int] = field(default_factory=dict)
    held_until: datetime | None = None
    removals_until: datetime | None = None

    def counted(self, now: datetime, quota: Quota) -> dict[datetime, int]:
        """Return the slots that still count by ``now``."""
        return {at: slots for at, slots in self.taken.items() if now < at + quota.counted_for}


@dataclass(frozen=True, slots=True)
class Taken:
    """Write this row, if nobody else did meanwhile; then so many slots are yours."""

    window: Window
    slots: int


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Not before ``until``. ``window``: write this row first, so that grants know of it; None: they do."""

    window: Window | None
    until: datetime


def take(window: Window, lane: Lane, wanted: int, *, now: datetime, quota: Quota) -> Taken | TurnedAway:
    """Return up to ``wanted`` slots, at least one; or from when it is worth asking again."""
    window = _believable(window, now, quota)
    counted = window.counted(now, quota)
    room = quota.limit(lane) - sum(counted.values())
    until = _free_at(counted, -room, quota) if room <= 0 else now
    until = max(until, window.held_until or until)
    if lane is Lane.GRANT:
        until = max(until, window.removals_until or until)
    if until <= now:
        slots = min(wanted, room)
        return Taken(replace(window, taken={**counted, now: counted.get(now, 0) + slots}), slots)
    if lane is Lane.GRANT or (window.removals_until and window.removals_until >= until):
        return TurnedAway(None, until)
    return TurnedAway(replace(window, taken=counted, removals_until=until + REMOVALS_FIRST), until)


def block_share(window: Window, lane: Lane, size: int, *, now: datetime, quota: Quota) -> int:
    """Return how large a block of ``size`` may be, lest many of the last slots are lost in blocks that nobody uses up."""
    taken = sum(_believable(window, now, quota).counted(now, quota).values())
    return min(size, max(1, (quota.limit(lane) - taken) // NEAR_THE_END))


def _believable(window: Window, now: datetime, quota: Quota) -> Window:
    """Return the row without what lies further ahead than anything can: a clock was wrong, and no removal waits for that."""
    latest = now + max(HELD_AT_MOST, quota.counted_for) + REMOVALS_FIRST + SKEW
    return Window(
        taken={at: slots for at, slots in window.taken.items() if at <= now + SKEW},
        held_until=window.held_until if window.held_until and window.held_until <= latest else None,
        removals_until=window.removals_until if window.removals_until and window.removals_until <= latest else None,
    )


def _free_at(counted: Mapping[datetime, int], excess: int, quota: Quota) -> datetime:
    """Return the first instant at which more than ``excess`` of the counted slots don't count any more."""
    oldest_first = sorted(counted)
    gone = accumulate(counted[at] for at in oldest_first)
    return next(at for at, slots in zip(oldest_first, gone, strict=True) if slots > excess) + quota.counted_for


def hold_back(window: Window, span: timedelta, *, now: datetime) -> Window | None:
    """Return the row that has everybody wait for ``span``, as the vendor asked; None: they wait as long already."""
    until = now + min(span, HELD_AT_MOST)
    if window.held_until and until <= window.held_until <= now + HELD_AT_MOST + SKEW:
        return None
    return replace(window, held_until=until)


def block_size(last: int, *, lasted: timedelta | None) -> int:
    """Return how many slots to take at once: one when it is quiet, more as each block is used up quickly.

    ``lasted``: how long the block of ``last`` slots did; None: there was none, or some of it was lost.
    """
    return min(last * 2, BLOCK_LIMIT) if lasted is not None and lasted <= QUICK else 1
