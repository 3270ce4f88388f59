"""What a tenant writes down about itself, so that ``status`` and ``down`` find it: ``tenant.json`` in its directory."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part as it is now; ``id`` is 0 while it does not run."""

    name: str
    id: int
    url: str
    log: str


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """The manager's process and its parts. ``born`` tells a process from a later one that got the same id."""

    id: int
    born: str
    ready: bool = False
    parts: list[PartRecord] = field(default_factory=list)

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """Return what is written in a directory, ``None`` when nothing (readable) is."""
        try:
            document = json.loads(_file(state).read_text(encoding="utf-8"))
            parts = [PartRecord(**part) for part in document.pop("parts")]
            return cls(**document, parts=parts)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, state: Path) -> None:
        """Write it down; a reader sees the old or the new, never half of it."""
        new = _file(state).with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        new.replace(_file(state))

    def lives(self) -> bool:
        """Return whether the manager still runs."""
        return is_alive(self.id) and born(self.id) == self.born


def forget(state: Path) -> None:
    """Remove what is written in a directory."""
    _file(state).unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process runs."""
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except OSError:
        return False
    # One that ended and that nobody asked about yet is no longer alive.
    return _stat(process)[:1] != ["Z"]


def born(process: int) -> str:
    """Return when a process began, in the system's own count; empty where the system does not tell."""
    return "".join(_stat(process)[19:20])


def _stat(process: int) -> list[str]:
    try:
        # The name of the program, in parentheses, may hold anything.
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _file(state: Path) -> Path:
    return state / "tenant.json"
