"""What a schema can't say about the file: terms that fit together, patterns that compile, keys that are one key."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from access.wire import read_duration
from hourglass.roles_file.mistakes import Mistake, Path, quoted
from hourglass.roles_file.placed_yaml import Placed
from hourglass.saying import iso_duration

_USUAL_DEFAULT = timedelta(hours=1)
_USUAL_MINIMUM = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a role may be active."""

    minimum: timedelta
    default: timedelta
    maximum: timedelta


def terms(role: Mapping[str, Any]) -> Terms:
    """Return the terms of a role as it is written; what is left out is the usual, kept within what is written."""
    maximum = duration(role["maximum"])
    minimum = duration(role["minimum"]) if "minimum" in role else min(_USUAL_MINIMUM, maximum)
    usual = min(max(_USUAL_DEFAULT, minimum), maximum)
    return Terms(minimum, duration(role["default"]) if "default" in role else usual, maximum)


def duration(text: str) -> timedelta:
    """Read a duration that the schema let through."""
    return read_duration(text) or timedelta()


def instant(text: str) -> datetime:
    """Read an instant that the schema let through, in UTC.

    Raises:
        ValueError: there is no such day or hour.
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def check(placed: Placed) -> list[Mistake]:
    """Return what is wrong in a file whose shape is right; empty: nothing."""
    mistakes: list[Mistake] = []
    for section in ("roles", "people"):
        mistakes += _same_keys(placed, section)
    for key, role in placed.value["roles"].items():
        path: Path = ("roles", key)
        mistakes += [
            Mistake(placed.place((*path, *more)), (*path, *more), what)
            for more, what in (*_durations(role), *_ticket(role), *_approval(role), *_eligible(role))
        ]
    return mistakes


_Found = Iterator[tuple[Path, str]]


def _same_keys(placed: Placed, section: str) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for key in placed.value.get(section, {}):
        other = first.setdefault(key.lower(), key)
        if other != key:
            path: Path = (section, key)
            yield Mistake(placed.key_place(path), path, f"{key} and {other} are the same key; rename one")


def _durations(role: Mapping[str, Any]) -> _Found:
    written = terms(role)
    maximum, minimum = iso_duration(written.maximum), iso_duration(written.minimum)
    nothing = [name for name in ("minimum", "default", "maximum") if name in role and not duration(role[name])]
    for name in nothing:
        yield (name,), f"{role[name]} is no time at all; write a duration above 0"
    if nothing:
        return
    for name, value in (("minimum", written.minimum), ("default", written.default)):
        if value > written.maximum:
            yield (name,), f"{role[name]} is longer than the maximum, {maximum}; write at most {maximum}"
    if "default" in role and written.default < written.minimum:
        usual = "" if "minimum" in role else ", which holds where no minimum is written"
        yield ("default",), f"{role['default']} is shorter than the minimum, {minimum}{usual}; write at least {minimum}"


def _ticket(role: Mapping[str, Any]) -> _Found:
    pattern = role.get("ticket", {}).get("pattern")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            what = f"{quoted(pattern)} is not a regular expression ({error}); mend it, or leave it out"
            yield ("ticket", "pattern"), what


def _approval(role: Mapping[str, Any]) -> _Found:
    approval = role.get("approval")
    if approval is None:
        return
    approvers = approval["approvers"]
    if not (approvers.get("users") or approvers.get("groups")):
        yield ("approval", "approvers"), "nobody could decide; name a user or a group, or leave approval out"
    if "lapses-after" in approval and not duration(approval["lapses-after"]):
        yield ("approval", "lapses-after"), f"{approval['lapses-after']} is no time at all; write a duration above 0"


def _eligible(role: Mapping[str, Any]) -> _Found:
    for index, eligible in enumerate(role.get("eligible", [])):
        read: dict[str, datetime] = {}
        for name in ("from", "until"):
            if name in eligible:
                try:
                    read[name] = instant(eligible[name])
                except (ValueError, OverflowError):
                    yield ("eligible", index, name), f"{eligible[name]} is no instant: there is no such day or hour"
        if "from" in read and "until" in read and read["until"] <= read["from"]:
            yield ("eligible", index, "until"), f"{eligible['until']} is not after its beginning, {eligible['from']}"
