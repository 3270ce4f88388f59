"""What is wrong in a file, said as a compiler says it: where, which field, what, and what to do. All of it at once."""

import re
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a value: ``("roles", "backup-operators", "eligible", 0)``."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text; line and column count from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake."""

    place: Place
    path: Path
    what: str

    def said(self, file: str) -> str:
        """Return the mistake as one line: ``roles.yaml:12:7: roles.backup-operators.maximum: ...``."""
        field = f"{dotted(self.path)}: " if self.path else ""
        return f"{file}:{self.place.line}:{self.place.column}: {field}{self.what}"


class FileWrong(Exception):  # noqa: N818 - named for what is wrong, like the refusals
    """A file that can't be used; ``mistakes`` are all that were found, in the order of their places."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes), key=lambda mistake: (mistake.place, str(mistake.path), mistake.what))
        super().__init__(f"{len(self.mistakes)} mistakes")


def dotted(path: Path) -> str:
    """Return a path as people write it: ``roles.backup-operators.eligible[0].user``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{quoted_key(part)}" for part in path)
    return text.removeprefix(".")


def quoted_key(key: str) -> str:
    """Return a key as it is, or in quotes where it could be misread."""
    return key if re.fullmatch(r"[\w-]+", key) else quoted(key)


def quoted(value: object) -> str:
    """Return a value as it is shown in a message: on one line, not too long, without marks that hide or turn text."""
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return f'"{text}"' if isinstance(value, str) else text
