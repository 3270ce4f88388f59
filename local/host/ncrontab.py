"""NCRONTAB: when a timer runs. Six fields: second, minute, hour, day, month, day of the week; five mean second 0.

A moment matches when *every* field matches (unlike cron, where day and day of the week are alternatives).
Source: NCrontab, as the timer trigger uses it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _WEEKDAYS),
)
# Long enough for 29 February on a given day of the week.
_HORIZON_DAYS = 366 * 41


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed expression and the zone whose clock it is read by."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, zone: ZoneInfo | None = None) -> Self:
        """Return the schedule an expression describes.

        Raises:
            ValueError: it is not an NCRONTAB expression; the message names the field.
        """
        parts = expression.split()
        if len(parts) == len(_FIELDS) - 1:
            parts = ["0", *parts]
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{expression!r} is not an NCRONTAB expression of six fields (or five)")
        second, minute, hour, day, month, weekday = (
            _values(part, *field) for part, field in zip(parts, _FIELDS, strict=True)
        )
        return cls(
            tuple(sorted(second)),
            tuple(sorted(minute)),
            tuple(sorted(hour)),
            frozenset(day),
            frozenset(month),
            frozenset(weekday),
            zone or ZoneInfo("UTC"),
        )

    def next_after(self, instant: datetime) -> datetime:
        """Return the first moment after ``instant`` (aware) that matches, in UTC.

        Raises:
            ValueError: no such moment exists (30 February).
        """
        wall = instant.astimezone(self.zone).replace(tzinfo=None)
        while True:
            wall = self._next_on_the_wall(wall)
            # The hour that a clock change repeats gives its second reading the same wall time: never go back.
            found = wall.replace(tzinfo=self.zone).astimezone(UTC)
            if found > instant:
                return found

    def _next_on_the_wall(self, after: datetime) -> datetime:
        start = after.replace(microsecond=0) + timedelta(seconds=1)
        midnight = start.replace(hour=0, minute=0, second=0)
        for offset in range(_HORIZON_DAYS):
            day = midnight + timedelta(days=offset)
            if self._matches_day(day) and (found := self._first_on(day, start)) is not None:
                return found
        raise ValueError("the schedule never comes round")

    def _matches_day(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _first_on(self, day: datetime, start: datetime) -> datetime | None:
        for hour in self.hours:
            if day.replace(hour=hour, minute=59, second=59) < start:
                continue
            for minute in self.minutes:
                if day.replace(hour=hour, minute=minute, second=59) < start:
                    continue
                for second in self.seconds:
                    moment = day.replace(hour=hour, minute=minute, second=second)
                    if moment >= start:
                        return moment
        return None


def _values(text: str, field: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    def number(word: str) -> int:
        if word[:3].lower() in names and word.isalpha():
            return names.index(word[:3].lower()) + low
        if not word.isdecimal() or not low <= int(word) <= high:
            raise ValueError(f"{word!r} is not a {field} from {low} to {high}")
        return int(word)

    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if match is None or match[4] == "0":
            raise ValueError(f"{part!r} is not a {field}")
        every, first, last, step = match[1] == "*", match[2], match[3], match[4]
        begin = low if every else number(first)
        # `5/10` begins at 5 and goes on to the end; a plain `5` is only itself.
        end = high if every or (step and last is None) else number(last or first)
        if begin > end:
            raise ValueError(f"{part!r} runs backwards")
        found.update(range(begin, end + 1, int(step or 1)))
    return found
