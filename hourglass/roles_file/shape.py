"""The file against its published JSON Schema: every mistake at once, in words that say what to write instead."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from access.wire import read_duration
from hourglass.roles_file.mistakes import Mistake, Path, quoted, quoted_key
from hourglass.roles_file.placed_yaml import Placed
from hourglass.saying import iso_duration

SCHEMA_FILE = FilePath(__file__).parents[2] / "docs" / "schemas" / "roles.schema.json"

_TYPES = {"object": "a mapping (key: value)", "array": "a list (lines that begin with -)", "string": "text"}
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPOKEN = re.compile(r"(\d{1,6})\s*(d|h|m|s)(?:ays?|ours?|rs?|in(?:ute)?s?|ec(?:ond)?s?)?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def schema() -> Mapping[str, Any]:
    """Return the published schema."""
    read: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return read


def check(placed: Placed) -> list[Mistake]:
    """Return everything in which the file is not of the published shape; empty: nothing."""
    validator = Draft202012Validator(schema())
    return [
        mistake
        for error in map(_error, validator.iter_errors(placed.value))
        for mistake in _SAYERS.get(error.keyword, _otherwise)(error, placed)
    ]


@dataclass(frozen=True, slots=True)
class _Error:
    """A validation error: the value at ``path`` is not what ``keyword``, with ``wanted``, of ``schema`` asks for."""

    path: Path
    value: Any
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    message: str


def _error(error: ValidationError) -> _Error:
    owner: Any = error.schema
    return _Error(
        tuple(error.absolute_path), error.instance, str(error.validator), error.validator_value, owner, error.message
    )


def _at(error: _Error, placed: Placed, what: str, more: Path = ()) -> Mistake:
    path = (*error.path, *more)
    return Mistake(placed.place(path), path, what)


def _unknown_keys(error: _Error, placed: Placed) -> Iterator[Mistake]:
    known = list(error.schema["properties"])
    for key in error.value:
        if key not in known:
            close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
            remedy = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            path = (*error.path, key)
            yield Mistake(placed.key_place(path), path, f"{quoted_key(key)} is not known here; {remedy}")


def _missing_keys(error: _Error, placed: Placed) -> Iterator[Mistake]:
    for key in error.wanted:
        if key not in error.value:
            yield _at(error, placed, f"{key} is missing; add it")


def _wrong_type(error: _Error, placed: Placed) -> Iterator[Mistake]:
    wanted = str(error.wanted)
    if wanted == "string" and isinstance(error.value, int):
        what = f"{quoted(error.value)} is not text; put it in quotes"
    elif error.value is None:
        what = f"there is nothing here; write {_TYPES.get(wanted, wanted)}"
    elif isinstance(error.value, dict | list):
        found = "a mapping" if isinstance(error.value, dict) else "a list"
        what = f"this is {found}; write {_TYPES.get(wanted, wanted)}"
    else:
        what = f"{quoted(error.value)} is not {_TYPES.get(wanted, wanted)}"
    yield _at(error, placed, what)


def _wrong_pattern(error: _Error, placed: Placed) -> Iterator[Mistake]:
    kind, example = str(error.schema.get("title", "value")), error.schema["examples"][0]
    better = _meant(kind, error.value)
    article = "an" if kind[0] in "aeiou" else "a"
    what = f"{quoted(error.value)} is not {article} {kind}; write {better or f'one like {example}'}"
    if kind == "key":
        path = (*error.path, str(error.value))
        yield Mistake(placed.key_place(path), path, f"{what} (letters, digits and dashes)")
    else:
        yield _at(error, placed, what)


def _wrong_choice(error: _Error, placed: Placed) -> Iterator[Mistake]:
    choices = [str(choice) for choice in error.wanted]
    close = difflib.get_close_matches(str(error.value).lower(), choices, n=1, cutoff=0.6)
    remedy = f"did you mean {close[0]}?" if close else f"write {' or '.join(choices)}"
    yield _at(error, placed, f"{quoted(error.value)} is not one of the choices; {remedy}")


def _neither_or_both(error: _Error, placed: Placed) -> Iterator[Mistake]:
    names = [option["required"][0] for option in error.wanted]
    both = all(name in error.value for name in names)
    what = f"{' and '.join(names)} stand side by side; keep one, and give the other an entry of its own"
    yield _at(error, placed, what if both else f"nobody is named; write {' or '.join(f'{name}:' for name in names)}")


def _wrong_length(error: _Error, placed: Placed) -> Iterator[Mistake]:
    limit, count = error.wanted, len(error.value)
    least = error.keyword.startswith("min")
    if isinstance(error.value, str):
        what = "this is empty; write something" if least else f"this has {count} characters; at most {limit}"
    else:
        what = "this is empty; name at least one" if least else f"this has {count} entries; at most {limit}"
    yield _at(error, placed, what)


def _repeated(error: _Error, placed: Placed) -> Iterator[Mistake]:
    for index, item in enumerate(error.value):
        if item in error.value[:index]:
            yield _at(error, placed, f"{quoted(item)} is in the list twice; keep one", (index,))


def _wrong_constant(error: _Error, placed: Placed) -> Iterator[Mistake]:
    yield _at(error, placed, f"{quoted(error.value)} is not known; write {error.wanted}")


def _otherwise(error: _Error, placed: Placed) -> Iterator[Mistake]:
    yield _at(error, placed, error.message)


_SAYERS: Mapping[str, Callable[[_Error, Placed], Iterator[Mistake]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "pattern": _wrong_pattern,
    "enum": _wrong_choice,
    "oneOf": _neither_or_both,
    "minItems": _wrong_length,
    "maxItems": _wrong_length,
    "minLength": _wrong_length,
    "maxLength": _wrong_length,
    "maxProperties": _wrong_length,
    "uniqueItems": _repeated,
    "const": _wrong_constant,
}


def _meant(kind: str, text: str) -> str | None:
    """Return what somebody meant who wrote ``text`` for a value of this kind; None: can't tell."""
    match kind:
        case "duration":
            return _duration_meant(text)
        case "instant" if _DATE.fullmatch(text):
            return f"{text}T00:00:00Z"
        case _:
            return None


def _duration_meant(text: str) -> str | None:
    """Read ``8 hours``, ``2h 30min``, ``pt8h`` or ``1.5``, which is hours."""
    span = read_duration(text)
    parts = _SPOKEN.findall(text)
    if span is None and parts and not _SPOKEN.sub("", text).strip(" ,"):
        span = sum((timedelta(**{_UNITS[unit.lower()]: int(count)}) for count, unit in parts), timedelta())
    return iso_duration(span) if span is not None and span > timedelta() else None
