"""YAML as plain values, each with its place in the text. Less than YAML: no anchors, aliases or tags, one document.

So a small file can't unfold into a huge one, and no text turns into a date or a bool that nobody meant: ``true``,
``false``, ``null`` and whole numbers are what they say, everything else is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from hourglass.roles_file.mistakes import START, FileWrong, Mistake, Path, Place, quoted, quoted_key

SIZE_LIMIT = 5 * 1024 * 1024
"""Bytes of a file."""

DEPTH_LIMIT = 20
"""Mappings and lists within one another; the roles file needs seven."""

_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,18}")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True)
class Placed:
    """A document. ``keys`` has the place of each mapping's key, ``values`` that of each value, by path."""

    value: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Return the place of a value, or of the nearest thing around it that is there."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, START)

    def key_place(self, path: Path) -> Place:
        """Return the place of a key, or of the nearest value around it."""
        return self.keys.get(path) or self.place(path)


def read(raw: bytes) -> Placed:
    """Read the bytes of a YAML file.

    Raises:
        FileWrong: it is too large, or no YAML of the kind that is read here.
    """
    if len(raw) > SIZE_LIMIT:
        raise FileWrong([Mistake(START, (), f"the file has {len(raw)} bytes; at most {SIZE_LIMIT} are read")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise FileWrong([Mistake(Place(line, column), (), "this is not UTF-8; save the file as UTF-8")]) from error
    reader = _Reader(text)
    try:
        return reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"this is not YAML: {error.problem or error.context}"
        raise FileWrong([*reader.mistakes, Mistake(_place(mark) if mark else START, (), what)]) from error
    except ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise FileWrong([Mistake(place, (), f"this is not YAML: {error.reason}")]) from error
    except (YAMLError, ValueError) as error:
        raise FileWrong([Mistake(START, (), f"this is not YAML: {quoted(str(error))}")]) from error


class _Reader:
    """Builds values from the parser's events as they come, so that what is refused is refused before it grows."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        self._placed = Placed()
        self.mistakes: list[Mistake] = []

    def document(self) -> Placed:
        started = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                started += 1
                if started > 1:
                    self._wrong(event, (), "a second document begins here; write one document")
                    break
                self._placed.value = self._value(next(self._events), (), 0)
        if self.mistakes:
            raise FileWrong(self.mistakes)
        return self._placed

    def _value(self, event: Event, path: Path, depth: int) -> Any:
        self._placed.values[path] = _place(event.start_mark)
        if depth > DEPTH_LIMIT:
            self._wrong(event, (), f"mappings and lists are nested more than {DEPTH_LIMIT} deep")
            raise FileWrong(self.mistakes)
        if isinstance(event, AliasEvent):
            self._wrong(event, path, f"*{event.anchor} is an alias; write the value out")
            return None
        if anchor := getattr(event, "anchor", None):
            self._wrong(event, path, f"&{anchor} is an anchor; leave it out")
        if tag := getattr(event, "tag", None):
            self._wrong(event, path, f"{quoted(str(tag))} is a tag; leave it out")
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path, depth)
        return _scalar(event) if isinstance(event, ScalarEvent) else None

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._wrong(event, path, "a key must be plain text")
                self._value(event, (*path, "?"), depth + 1)
                self._value(next(self._events), (*path, "?"), depth + 1)
                continue
            key = str(event.value)
            own = (*path, key)
            if key in found:
                line = self._placed.keys[own].line
                self._wrong(event, own, f"{quoted_key(key)} is here twice, first in line {line}; keep one")
                self._value(next(self._events), (*path, "?"), depth + 1)
                continue
            self._placed.keys[own] = _place(event.start_mark)
            found[key] = self._value(next(self._events), own, depth + 1)
            if found[key] is None:  # the parser places what isn't there at the next thing that is
                self._placed.values[own] = self._placed.keys[own]
        return found

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._value(event, (*path, len(found)), depth + 1))
        return found

    def _wrong(self, event: Event, path: Path, what: str) -> None:
        self.mistakes.append(Mistake(_place(event.start_mark), path, what))


def _scalar(event: ScalarEvent) -> Any:
    text = str(event.value)
    if event.style:  # quoted, or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text


def _place(mark: StringMark) -> Place:
    return Place(mark.line + 1, mark.column + 1)
