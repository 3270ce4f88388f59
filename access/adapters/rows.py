"""Values <-> rows: one codec for frozen dataclasses, so that a new field is stored by being declared.

A row holds each field under its own name: texts, ints and bools as they are; instants as ISO 8601 in UTC; durations in
seconds; tuples, mappings and nested values as JSON text. ``None`` and defaults are left out, and read back as defaults,
so rows that an older version wrote are read by a newer one.

The other way round, while a deploy is under way (docs/decisions/0017): columns that a newer version added are carried
along by kinds that are rewritten, in their field ``carried``; a row that an older version must not touch says so by the
number of its schema, and is waited for.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from access.adapters.tables import Value
from access.errors import TryAgain
from access.model import Activation

SCHEMA = "schema"
SCHEMA_VERSIONS: Mapping[type, int] = {Activation: 2}
"""The number of each kind of row, 1 where none is here. It grows when an older version must not touch what a newer wrote:
a field that changes what is to be done, a new member of an enum, a new field of a nested value. A field that may be passed
over leaves it as it is. Activation 2: ``extends``; without it the request for more time would be one for a second role.
"""

CARRIED = "carried"
_NEWER_AFTER = timedelta(minutes=1)

_AS_IS = frozenset({str, int, bool})
"""Most values: they are what they are, and a subclass such as an enum isn't."""


def to_row(value: Any, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Value]:
    """Return the properties of a row for a dataclass instance; fields in ``leave_out`` are keys or etags."""
    row: dict[str, Value] = {**getattr(value, CARRIED, {}), SCHEMA: version_of(type(value))}
    for field in fields(value):
        content = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name in leave_out or field.name == CARRIED or content is None or content == default:
            continue
        plain = _plain(content)
        row[field.name] = plain if isinstance(plain, str | int) else _as_text(plain)
    return row


def _as_text(plain: Any) -> str:
    """Return JSON that leaves letters as they are: escaped, each would take six of the characters that a property holds."""
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def from_row[T](kind: type[T], row: Mapping[str, Value], **more: Any) -> T:
    """Return the dataclass instance that ``to_row`` took apart, with ``more`` for what was left out.

    Raises:
        TryAgain: a newer version wrote the row, in a way that this one must not touch; a newer worker will.
    """
    stated = row.get(SCHEMA, 1)
    if int(stated) > version_of(kind):
        what = f"a newer version of Hourglass, which wrote this row of {kind.__name__} as schema {stated}"
        raise TryAgain(what, after=_NEWER_AFTER, fault=True)
    values, known = dict(more), _fields_of(kind)  # type: ignore[arg-type] # a class is hashable
    for name, read in known.items():
        if name in row and name not in more:
            values[name] = read(row[name])
    if CARRIED in known and (unknown := row.keys() - known.keys() - {SCHEMA}):
        values[CARRIED] = {name: row[name] for name in sorted(unknown)}
    return kind(**values)


def version_of(kind: type) -> int:
    """Return the number that this version writes into rows of a kind, and the highest that it reads."""
    return SCHEMA_VERSIONS.get(kind, 1)


@cache
def _fields_of(kind: type) -> Mapping[str, Callable[[Any], Any]]:
    """Return how each field of a dataclass is read from its property; looked up once, since type hints are slow."""
    return {name: _from_text(hint) if _is_structured(hint) else _reader(hint) for name, hint in _hints(kind).items()}


def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _is_structured(hint: Any) -> bool:
    """Whether values of this type are kept as JSON text."""
    inner = _without_none(hint)
    return is_dataclass(inner) or get_origin(inner) in {tuple, frozenset, Mapping, dict}


def _from_text(hint: Any) -> Callable[[Any], Any]:
    read = _reader(hint)
    return lambda stored: read(json.loads(stored) if isinstance(stored, str) else stored)


def _plain(value: Any) -> Any:
    if type(value) in _AS_IS:
        return value
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return str(value.total_seconds())
        case frozenset() | set():
            return sorted(_plain(item) for item in value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case _ if is_dataclass(value):
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if getattr(value, f.name) is not None}
        case _:
            return value


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what makes a value of this type of a plain one; None stays None."""
    read = _strict_reader(_without_none(hint))
    return lambda stored: None if stored is None else read(stored)


def _strict_reader(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {tuple, frozenset}:
        item = _reader(arguments[0])
        return lambda stored: origin(map(item, stored))
    if origin is not None and issubclass(origin, Mapping):
        item = _reader(arguments[1])
        return lambda stored: {key: item(value) for key, value in stored.items()}
    if hint is datetime:
        return datetime.fromisoformat
    if hint is timedelta:
        return lambda stored: timedelta(seconds=float(stored))
    if is_dataclass(hint):
        made: Any = hint
        readers = {name: _reader(inner) for name, inner in _hints(made).items()}
        return lambda stored: made(**{name: readers[name](value) for name, value in stored.items() if name in readers})
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else lambda stored: stored


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        return next(argument for argument in get_args(hint) if argument is not type(None))
    return hint
