"""The heartbeat of the sweep, and the tick that is on its way: two rows beside the record (docs/storage.md, ``control``)."""

from contextlib import suppress
from datetime import datetime

from access.adapters import keys
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Delete, Insert, Put, Replace, Row, Tables, Value
from access.errors import Conflict, TryAgain
from access.expiry import TICK_CLAIM, tick_is_over
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

    async def claim_tick(self, at: datetime, *, now: datetime) -> str | None:
        """Return the claim to send the next tick, for ``at``; None: it is on its way."""
        found = await self._tables.get("control", keys.HEARTBEAT, keys.TICK)
        busy = TryAgain("whoever is sending the next tick", after=TICK_CLAIM)
        if found is not None and not tick_is_over(keys.read_instant(str(found.values["next_at"])), now=now):
            if found.values.get("sent", True):
                return None
            if now < keys.read_instant(str(found.values["claimed"])) + TICK_CLAIM:
                raise busy
        row = _tick(at, claimed=now, sent=False, etag=found.etag if found else "")
        try:
            return (await self._tables.write("control", [Replace(row) if found else Insert(row)]))[0]
        except Conflict:
            raise busy from None

    async def tick_sent(self, claim: str, at: datetime, *, now: datetime) -> None:
        """Record that the tick that was claimed is on its way; not where another one was claimed since."""
        with suppress(Conflict):
            await self._tables.write("control", [Replace(_tick(at, claimed=now, sent=True, etag=claim))])

    async def disclaim_tick(self) -> None:
        """Forget the tick that could not be sent."""
        await self._tables.write("control", [Delete(keys.HEARTBEAT, keys.TICK)])


def _tick(at: datetime, *, claimed: datetime, sent: bool, etag: str) -> Row:
    values: dict[str, Value] = {"next_at": keys.instant(at), "claimed": keys.instant(claimed), "sent": sent}
    return Row(partition=keys.HEARTBEAT, key=keys.TICK, values=values, etag=etag)
