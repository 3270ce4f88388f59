"""Azure Tables in memory: ETags conflict, inserts collide, a batch is all or nothing, keys sort by code point."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from access.adapters.keys import checked
from access.adapters.tables import TABLES, Delete, Insert, Operation, Put, Replace, Row
from access.errors import Conflict


class FakeTables:
    """Rows in dictionaries. Counts its calls; ``fail`` makes the next calls raise what is given."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, Row]] = {}
        self.calls: list[tuple[str, str]] = []
        self._versions = 0

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        await self._called("get", table)
        return self._partition(table, partition).get(key)

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        await self._called("query", table)
        rows = self._partition(table, partition)
        for key in sorted(k for k in rows if start <= k < end)[:limit]:
            if key in rows:
                yield rows[key]

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        await self._called("write", table)
        assert 1 <= len(operations) <= 100, "a transaction holds 1 to 100 operations"
        places = [_place(operation) for operation in operations]
        assert len({partition for partition, _ in places}) == 1, "a transaction is one partition"
        assert len(set(places)) == len(places), "a transaction has each row once"
        rows = self._partition(table, places[0][0])
        for operation in operations:
            self._check(rows, operation, alone=len(operations) == 1)
        return [self._carry_out(rows, operation) for operation in operations]

    def _partition(self, table: str, partition: str) -> dict[str, Row]:
        assert table in TABLES, f"no table {table}"
        return self.rows.setdefault((table, checked(partition)), {})

    async def _called(self, what: str, table: str) -> None:
        """Count a call, and let others run first: as on a socket, anything may happen before it takes effect."""
        self.calls.append((what, table))
        await asyncio.sleep(0)

    def _check(self, rows: dict[str, Row], operation: Operation, *, alone: bool) -> None:
        match operation:
            case Insert(row) if row.key in rows:
                raise Conflict(row.key)
            case Replace(row) if row.key not in rows or rows[row.key].etag != row.etag:
                raise Conflict(row.key)
            case Delete(_, key) if key not in rows and not alone:
                raise Conflict(key)
            case _:
                pass

    def _carry_out(self, rows: dict[str, Row], operation: Operation) -> str:
        if isinstance(operation, Delete):
            rows.pop(operation.key, None)
            return ""
        self._versions += 1
        row = operation.row
        checked(row.key)
        texts = [value for value in row.values.values() if isinstance(value, str)]
        assert all(len(text.encode("utf-16-le")) <= 65_536 for text in texts), "a text has 64 KiB at most"
        etag = f"v{self._versions}"
        rows[row.key] = Row(partition=row.partition, key=row.key, values=dict(row.values), etag=etag)
        return etag


def _place(operation: Operation) -> tuple[str, str]:
    match operation:
        case Delete(partition, key):
            return partition, key
        case Insert(row) | Replace(row) | Put(row):
            return row.partition, row.key
