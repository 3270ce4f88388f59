"""The heartbeat of the sweep, and the tick that is on its way: two rows beside the record (docs/storage.md, ``control``)."""

from datetime import datetime

from access.adapters import keys
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Delete, Insert, Put, Replace, Row, Tables
from access.errors import Conflict
from access.expiry import tick_is_over
from access.ports import Beat


class TablePulse:
    """Implements ``ports.Pulse`` on ``Tables``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def last_beat(self) -> Beat | None:
        """Return the last sweep that finished."""
        row = await self._tables.get("control", keys.HEARTBEAT, keys.SWEEP)
        return None if row is None else from_row(Beat, row.values)

    async def beat(self, beat: Beat) -> None:
        """Record a sweep that finished, whatever is there: of two at once, either says that the sweep is alive."""
        await self._tables.write("control", [Put(Row(partition=keys.HEARTBEAT, key=keys.SWEEP, values=to_row(beat)))])

    async def claim_tick(self, at: datetime, *, now: datetime) -> bool:
        """Whether the next tick, for ``at``, is the caller's to send; of several who ask at once, one."""
        found = await self._tables.get("control", keys.HEARTBEAT, keys.TICK)
        if found is not None and not tick_is_over(keys.read_instant(str(found.values["next_at"])), now=now):
            return False
        values = {"next_at": keys.instant(at)}
        row = Row(partition=keys.HEARTBEAT, key=keys.TICK, values=values, etag=found.etag if found else "")
        try:
            await self._tables.write("control", [Replace(row) if found else Insert(row)])
        except Conflict:
            return False
        return True

    async def disclaim_tick(self) -> None:
        """Forget the tick that could not be sent."""
        await self._tables.write("control", [Delete(keys.HEARTBEAT, keys.TICK)])
