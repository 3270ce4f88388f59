"""The one row that all hosts share the vendor's quota by (protocol 6); the arithmetic is in ``access/pace.py``.

A process takes slots in blocks, so that the row is no bottleneck, and remembers the row as it wrote it, so that a write at
low load costs one write of the row and no read. Nothing here is for safety: where the row can't be had, removals go on.
"""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from access import pace
from access.adapters import keys
from access.adapters.tables import Insert, Replace, Row, Tables, Value
from access.errors import Conflict, Throttled, TryAgain
from access.pace import Lane, Quota, Taken, TurnedAway, Window
from access.ports import Clock

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=60)
"""How long a worker waits in place; shorter than what a function may take, longer than most waits."""

ROUNDS = 12
"""How often the row is read again when other hosts write it; each time more is asked for, so that it is asked for less often."""

WITHOUT_ROW = timedelta(seconds=1)
"""How long a removal waits where the row can't be had, before it goes on without a slot."""

_TABLE = "control"
_AT_THE_ROW = 2.0
"""Seconds for which a worker of this process has the row to itself; the others wait for the block that it brings."""

_BESIDE_THE_ROW = timedelta(milliseconds=20)


@dataclass(slots=True)
class _Block:
    """Slots that this process took at once and has not used; they are lost when their life is over."""

    taken_at: datetime
    size: int
    left: int


class TablePace:
    """Implements ``ports.Pace`` on ``Tables``."""

    def __init__(self, tables: Tables, clock: Clock, quota: Quota) -> None:
        self._tables = tables
        self._clock = clock
        self._quota = quota
        self._row: Row | None = None
        self._blocks: dict[Lane, _Block] = {}
        self._row_is_asked_until = 0.0

    async def turn(self, lane: Lane) -> None:
        """Wait here until a write may go, for a minute at most."""
        patience_ends = self._clock.now() + PATIENCE
        while (free_at := await self._next_slot(lane)) is not None:
            now = self._clock.now()
            if now >= patience_ends:
                raise TryAgain("the directory's quota of writes", after=max(free_at - now, pace.QUICK))
            wait = min(free_at, patience_ends) - now
            log.info("pace.waits", extra={"lane": lane.value, "seconds": wait.total_seconds()})
            await self._clock.sleep(max(wait, _BESIDE_THE_ROW))

    async def heed(self, fault: TryAgain) -> None:
        """Have every host wait where ``fault`` is the vendor's own demand to wait."""
        if not isinstance(fault, Throttled):
            return
        log.warning("pace.held_back", extra={"what": fault.what, "seconds": fault.after.total_seconds()})
        self._blocks.clear()
        for _ in range(ROUNDS):
            try:
                row = await self._known_row()
                held = pace.hold_back(_window(row), fault.after, now=self._clock.now())
                if held is not None:
                    await self._write(row, held)
            except Conflict:
                continue
            except TryAgain as unknown:
                log.warning("pace.unknown", extra={"what": unknown.what})
            return

    async def _next_slot(self, lane: Lane) -> datetime | None:
        """Use a slot; or say from when it is worth asking again."""
        while not self._has_slot(lane):
            if self._clock.monotonic() < self._row_is_asked_until:
                await self._clock.sleep(_BESIDE_THE_ROW)
                continue
            self._row_is_asked_until = self._clock.monotonic() + _AT_THE_ROW
            try:
                return await self._take_block(lane)
            except (TryAgain, Conflict) as fault:
                what = fault.what if isinstance(fault, TryAgain) else "a row that many write"
                log.warning("pace.unknown", extra={"what": what})
                if lane is Lane.GRANT:
                    raise TryAgain(what, after=pace.REMOVALS_FIRST) from fault
                await self._clock.sleep(WITHOUT_ROW)
                return None
            finally:
                self._row_is_asked_until = 0.0
        return None

    def _has_slot(self, lane: Lane) -> bool:
        """Use a slot of the block, where one is left whose life is not over."""
        block, now = self._blocks.get(lane), self._clock.now()
        if block is None or block.left == 0 or now >= block.taken_at + pace.SLOT_LIFE:
            return False
        block.left -= 1
        return True

    async def _take_block(self, lane: Lane) -> datetime | None:
        """Take a block and use its first slot; or say from when it is worth asking again.

        Raises:
            Conflict: others wrote the row each time.
            TryAgain: the row can't be had.
        """
        last, now = self._blocks.get(lane), self._clock.now()
        size = pace.block_size(last.size, lasted=None if last.left else now - last.taken_at) if last else 1
        for _ in range(ROUNDS):
            row, now = await self._known_row(), self._clock.now()
            window = _window(row)
            share = pace.block_share(window, lane, size, now=now, quota=self._quota)
            match pace.take(window, lane, share, now=now, quota=self._quota):
                case Taken(fuller, slots):
                    with suppress(Conflict):
                        await self._write(row, fuller)
                        self._blocks[lane] = _Block(now, slots, slots)
                        if self._has_slot(lane):
                            return None
                case TurnedAway(noted, until):
                    if noted is not None:
                        with suppress(Conflict, TryAgain):  # the next one who is turned away says it
                            await self._write(row, noted)
                    return until
            size = pace.block_size(size, lasted=timedelta())
        raise Conflict("the row of the pace")

    async def _known_row(self) -> Row:
        """Return the row as this process wrote it last: what others wrote since only adds to it, and shows as a conflict."""
        if self._row is None:
            found = await self._tables.get(_TABLE, keys.PACE, keys.GRAPH)
            self._row = found or Row(partition=keys.PACE, key=keys.GRAPH)
        return self._row

    async def _write(self, row: Row, window: Window) -> None:
        self._row = None
        new = Row(partition=keys.PACE, key=keys.GRAPH, values=_values(window), etag=row.etag)
        etags = await self._tables.write(_TABLE, [Replace(new) if row.etag else Insert(new)])
        self._row = Row(partition=new.partition, key=new.key, values=new.values, etag=etags[0])


def _window(row: Row) -> Window:
    def instant(name: str) -> datetime | None:
        return keys.read_instant(str(row.values[name])) if name in row.values else None

    taken = json.loads(str(row.values.get("taken", "{}")))
    return Window(
        taken={datetime.fromtimestamp(int(at), UTC): int(slots) for at, slots in taken.items()},
        held_until=instant("held_until"),
        removals_until=instant("removals_until"),
    )


def _values(window: Window) -> dict[str, Value]:
    taken = {str(int(at.timestamp())): slots for at, slots in sorted(window.taken.items())}
    values: dict[str, Value] = {"taken": json.dumps(taken, separators=(",", ":"))}
    for name, at in (("held_until", window.held_until), ("removals_until", window.removals_until)):
        if at is not None:
            values[name] = keys.instant(at)
    return values
