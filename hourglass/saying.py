"""How values are said to people and to machines: instants, durations, text from elsewhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

from access.policy import spoken
from access.wire import clean


def iso_duration(span: timedelta) -> str:
    """Return a duration as ISO 8601 with the fewest parts: ``PT8H``, ``P1DT30M``, ``PT20S``."""
    seconds = int(span.total_seconds())
    days, hours, minutes, left = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60, seconds % 60
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if count)
    if not (days or time):
        return "PT0S"
    return f"P{f'{days}D' if days else ''}{f'T{time}' if time else ''}"


def instant(at: datetime) -> str:
    """Return an instant as people read it: in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def shown(text: object) -> str:
    """Return text from elsewhere without control characters and turning marks: a terminal obeys what it is sent."""
    return clean(str(text)).replace("\n", " ")


def left(at: datetime, now: datetime) -> str:
    """Return how long it is until ``at``, or how long ago it was: ``in 1 h 4 min``, ``12 s ago``; the largest two units."""
    span = at - now
    words = spoken(abs(span)).split()
    rough = " ".join(words[:4])
    return f"in {rough}" if span >= timedelta() else f"{rough} ago"


def plain(value: Any) -> Any:
    """Return what JSON has no word for as text or list; for ``json.dumps(default=...)``.

    Raises:
        TypeError: it is nothing that our records hold.
    """
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return iso_duration(value)
        case frozenset() | set():
            return sorted(value)
        case _:
            raise TypeError(f"not JSON: {type(value).__name__}")
