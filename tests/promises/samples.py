"""What the suites write: an activation of Ada's, and tables that fail or are watched."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from access.adapters.tables import Operation, Row, Tables
from access.errors import TryAgain
from access.model import Activation, Door, Source, State, Target
from tests.fakes.clock import ARBITRARY_MORNING

NOW = ARBITRARY_MORNING
ADA = "00000000-0000-0000-0000-000000000001"
ADA_ADMIN = "00000000-0000-0000-0000-000000000002"
TARGET = Target(Source.GROUP_MEMBER, "99999999-0000-0000-0000-000000000001")
ACTIVATION = "a0" * 16


def asked_for(
    key: str = ACTIVATION, *, ends_at: datetime | None = NOW + timedelta(hours=2), at: datetime = NOW
) -> Activation:
    """Return the record of a request that nobody has decided about yet."""
    return Activation(
        id=key,
        state=State.REFUSED,
        role="backup-operators",
        role_name="Backup Operators",
        target=TARGET,
        requester=ADA,
        requester_name="Ada",
        principal=ADA_ADMIN,
        principal_name="Ada (admin)",
        door=Door.FLOW,
        requested_at=at,
        ends_at=ends_at,
        correlation_id="flow-run-1",
    )


class WatchedTables:
    """Tables that note every write, and fail those that ``fault`` has an exception for; ``unread``: a partition."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.writes: list[tuple[str, Sequence[Operation]]] = []
        self.unread = ""
        self.fault: Callable[[str, Sequence[Operation]], Exception | None] = lambda _table, _operations: None

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        return await self._tables.get(table, partition, key)

    def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        if partition == self.unread:
            raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)
        return self._tables.query(table, partition, start=start, end=end, limit=limit)

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if fault := self.fault(table, operations):
            raise fault
        self.writes.append((table, operations))
        return await self._tables.write(table, operations)
