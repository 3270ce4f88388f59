"""What people have stopped, on tables: one row for each stop, all in one partition, so that one query tells them all.

Each is set and lifted with a record of who, when, how and why, as the register's changes are (``changes.py``).
"""

from access.adapters import keys
from access.adapters.changes import Author, commit, record
from access.adapters.rows import SCHEMA, from_row, to_row
from access.adapters.tables import Delete, Insert, Replace, Row, Tables
from access.model import Stop

_TABLE = "control"


class TableControls:
    """Implements ``ports.Controls`` on ``Tables``; the writing side is for the command."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def stops(self, role: str, principal: str) -> tuple[Stop, ...]:
        """Return the stops that are in force for this role and this account."""
        return tuple(stop for stop in await self.in_force() if stop.scope.covers(role, principal))

    async def prove_only(self) -> Stop | None:
        """Return who said that nothing is changed, only read."""
        row = await self._tables.get(_TABLE, keys.STOPS, keys.RESTORE)
        return None if row is None else from_row(Stop, row.values)

    async def in_force(self) -> tuple[Stop, ...]:
        """Return every stop; none where nothing is stopped."""
        start, end = keys.LISTED
        rows = self._tables.query(_TABLE, keys.STOPS, start=start, end=end)
        return tuple([from_row(Stop, row.values) async for row in rows])

    async def set(self, stop: Stop) -> None:
        """Put a stop in force; one of the same scope is replaced, and the record has both.

        Raises:
            Conflict: somebody else set or lifted it meanwhile.
        """
        key = _key(stop)
        found = await self._tables.get(_TABLE, keys.STOPS, key)
        row = Row(partition=keys.STOPS, key=key, values=to_row(stop), etag=found.etag if found else "")
        event = "restore.begun" if stop.restoring else "granting.stopped"
        author = Author(by=stop.by, through=stop.through, at=stop.at)
        said = record(event, key, _said(found), _said(row), author, reason=stop.reason)
        await commit(
            self._tables, _TABLE, keys.STOPS, [Replace(row) if found else Insert(row)], said=said, author=author
        )

    async def lift(self, stop: Stop, author: Author, *, reason: str) -> None:
        """Take a stop out of force.

        Raises:
            Conflict: it is not in force any more.
        """
        key = _key(stop)
        found = await self._tables.get(_TABLE, keys.STOPS, key)
        event = "restore.ended" if stop.restoring else "granting.started"
        said = record(event, key, _said(found), None, author, reason=reason)
        await commit(self._tables, _TABLE, keys.STOPS, [Delete(keys.STOPS, key)], said=said, author=author)


def _key(stop: Stop) -> str:
    return keys.RESTORE if stop.restoring else keys.stop(stop.scope.role, stop.scope.principal)


def _said(row: Row | None) -> dict[str, str | int] | None:
    return None if row is None else {key: value for key, value in row.values.items() if key != SCHEMA}
