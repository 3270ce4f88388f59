"""Values <-> rows: one codec for frozen dataclasses, so that a new field is stored by being declared.

A row holds each field under its own name: texts, ints and bools as they are; instants as ISO 8601 in UTC; durations in
seconds; tuples, mappings and nested values as JSON text. ``None`` and defaults are left out, and read back as defaults,
so rows that an older version wrote are read by a newer one.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
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
    hints = get_type_hints(kind)
    values = dict(more)
    for field in fields(kind):  # type: ignore[arg-type] # T is a dataclass: the callers' types say which
        if field.name in more or field.name not in row:
            continue
        stored: Any = row[field.name]
        hint = hints[field.name]
        if isinstance(stored, str) and _is_structured(hint):
            stored = json.loads(stored)
        values[field.name] = _value(hint, stored)
    return kind(**values)


def _is_structured(hint: Any) -> bool:
    """Whether values of this type are kept as JSON text."""
    inner = _without_none(hint)
    return is_dataclass(inner) or get_origin(inner) in {tuple, frozenset, Mapping, dict}


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


def _value(hint: Any, stored: Any) -> Any:
    hint = _without_none(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if stored is None:
        return None
    if origin is tuple:
        return tuple(_value(arguments[0], item) for item in stored)
    if origin is frozenset:
        return frozenset(_value(arguments[0], item) for item in stored)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _value(arguments[1], item) for key, item in stored.items()}
    if hint is datetime:
        return datetime.fromisoformat(stored)
    if hint is timedelta:
        return timedelta(seconds=float(stored))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(stored)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{key: _value(hints[key], item) for key, item in stored.items() if key in hints})  # type: ignore[operator] # a class
    return stored


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        return next(argument for argument in get_args(hint) if argument is not type(None))
    return hint
