"""What survives a restart: one SQLite file, in write-ahead mode, one transaction for all changes of a loop tick.

Once ``commit`` has returned, the changes survive the death of the process (``kill -9``); they may not survive the
death of the machine, which would cost a disk flush for every tick.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from local.service_bus.codec.message import parse_message
from local.service_bus.semantics.journal import Changes
from local.service_bus.semantics.message import DeadLetter, Message, State

FILE_NAME = "service_bus.sqlite3"

_SCHEMA = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    state INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    enqueued_at REAL NOT NULL,
    scheduled_at REAL,
    expires_at REAL,
    dead INTEGER NOT NULL,
    dead_letter_reason TEXT,
    dead_letter_description TEXT,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS sequence_numbers (path TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""
_SAVE = """
INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    path = excluded.path, sequence_number = excluded.sequence_number, state = excluded.state,
    deliveries = excluded.deliveries, enqueued_at = excluded.enqueued_at, scheduled_at = excluded.scheduled_at,
    expires_at = excluded.expires_at, dead = excluded.dead, dead_letter_reason = excluded.dead_letter_reason,
    dead_letter_description = excluded.dead_letter_description
"""
_NUMBER = "INSERT INTO sequence_numbers VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET last = excluded.last"


class StorageError(Exception):
    """The data directory can't be used: it can't be written, or another broker has it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was stored."""

    messages: list[Message]
    sequence_numbers: dict[str, int]


class Storage:
    """The messages of a broker, on disk. To be used from one thread."""

    def __init__(self, directory: Path) -> None:
        """Open or create the store.

        Raises:
            StorageError: the directory can't be written, or another broker has it.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(directory / FILE_NAME, isolation_level=None, timeout=0)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{directory}: {error}") from error
        try:
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            locked = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            why = "another broker has it" if locked else str(error)
            raise StorageError(f"{directory}: {why}") from error

    def load(self) -> Snapshot:
        """Return everything that was committed."""
        rows = self._database.execute("SELECT * FROM messages ORDER BY sequence_number")
        numbers = self._database.execute("SELECT path, last FROM sequence_numbers")
        return Snapshot([_message(row) for row in rows], dict(numbers.fetchall()))

    def commit(self, changes: Changes) -> None:
        """Make the changes last, all of them or none."""
        self._database.execute("BEGIN")
        try:
            self._database.executemany("DELETE FROM messages WHERE id = ?", [(id_,) for id_ in changes.removed])
            self._database.executemany(_SAVE, [_row(message) for message in changes.saved.values()])
            self._database.executemany(_NUMBER, list(changes.sequence_numbers.items()))
        except sqlite3.Error:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _row(message: Message) -> tuple[int | float | str | bytes | None, ...]:
    dead = message.dead_letter
    return (
        message.id,
        message.path,
        message.sequence_number,
        int(message.state),
        message.deliveries,
        message.enqueued_at,
        message.scheduled_at,
        message.expires_at,
        int(dead is not None),
        dead.reason if dead else None,
        dead.description if dead else None,
        message.content.raw,
    )


type _Row = tuple[int, str, int, int, int, float, float | None, float | None, int, str | None, str | None, bytes]


def _message(row: _Row) -> Message:
    id_, path, number, state, deliveries, enqueued_at, scheduled_at, expires_at, dead, reason, description, raw = row
    return Message(
        id=id_,
        content=parse_message(raw),
        path=path,
        sequence_number=number,
        enqueued_at=enqueued_at,
        state=State(state),
        deliveries=deliveries,
        scheduled_at=scheduled_at,
        expires_at=expires_at,
        dead_letter=DeadLetter(reason, description) if dead else None,
    )
