"""Where the directory keeps its state: one SQLite table, in memory or on disk.

Each change is committed before it is answered, so that a killed process has lost nothing that it said.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""


class Records:
    """JSON documents by kind and key."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open the records in a folder, which is made if it is missing; without a folder, in memory."""
        place = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            place = str(folder / "records.sqlite3")
        # One event loop uses the connection, but a test may build it in one thread and run it in another.
        self._connection = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; the power may not fail
        self._connection.execute(_SCHEMA)

    def put(self, kind: str, key: str, body: Any) -> None:
        """Insert or replace one document."""
        self._connection.execute("REPLACE INTO records VALUES (?, ?, ?)", (kind, key, json.dumps(body)))

    def delete(self, kind: str, key: str) -> None:
        """Delete one document; a missing one is no error."""
        self._connection.execute("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))

    def clear(self, *kinds: str) -> None:
        """Delete every document of these kinds."""
        self._connection.executemany("DELETE FROM records WHERE kind = ?", [(kind,) for kind in kinds])

    def all(self, kind: str) -> dict[str, Any]:
        """Return the documents of a kind, by key, in the order of their keys."""
        rows = self._connection.execute("SELECT key, body FROM records WHERE kind = ? ORDER BY key", (kind,))
        return {key: json.loads(body) for key, body in rows}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit what happens inside as one: all of it, or nothing."""
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
