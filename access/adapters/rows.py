"""Values <-> rows: one codec for frozen dataclasses, so that a new field is stored by being declared.

A row holds each field under its own name: texts, ints and bools as they are; instants as ISO 8601 in UTC; durations in
seconds; tuples, mappings and nested values as JSON text. ``None`` and defaults are left out, and read back as defaults,
so rows that an older version wrote are read by a newer one.
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

SCHEMA = "schema"
SCHEMA_VERSION = 1


def to_row(value: Any, *, leave_out: frozenset[str] = frozenset()) -> dict[str, Value]:
    """Return the properties of a row for a dataclass instance; fields in ``leave_out`` are keys or etags."""
    row: dict[str, Value] = {SCHEMA: SCHEMA_VERSION}
    for field in fields(value):
        content = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name in leave_out or content is None or content == default:
            continue
        plain = _plain(content)
        row[field.name] = plain if isinstance(plain, str | int) else json.dumps(plain, separators=(",", ":"))
    return row


def from_row[T](kind: type[T], row: Mapping[str, Value], **more: Any) -> T:
    """Return the dataclass instance that ``to_row`` took apart, with ``more`` for what was left out."""
    values = dict(more)
    for name, read in _fields_of(kind).items():  # type: ignore[arg-type] # a class is hashable
        if name in row and name not in more:
            values[name] = read(row[name])
    return kind(**values)


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
