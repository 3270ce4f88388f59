"""What a sweep costs with nothing due, and with some due, in tables of very different sizes: it should not notice.

Operations are counted in memory, time is taken on Azurite. Each activation has its row and the due row of its end; in Azurite
only the first thousand have both, the others their due row, since a sweep never looks at an activation that is not due.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.data.tables.aio import TableServiceClient

from access.adapters import keys
from access.adapters.build import build
from access.adapters.ledger import Ledger
from access.adapters.settings import read
from access.adapters.tables import Row
from access.ids import hold_id
from access.model import Timing
from access.ports import Ports
from bench import seeding
from bench.calls import SWEEP, Call, Names, renamed_row
from bench.floor import Floor
from bench.hosts import Hosts
from bench.seeding import Held
from bench.upload import Places, upload
from bench.virtual_time import run
from bench.world import seed, tenant
from expiry_timer.sweep import Starter, sweep
from tests.fakes.bus import FakeBus
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA

SIZES = (1_000, 10_000, 100_000)
DUE, QUERIES = 100, 16
WHOLE = 1_000
"""Activations in Azurite that have all of their rows."""

ROUNDS = 3
PAST, FUTURE = ARBITRARY_MORNING - timedelta(hours=1), datetime(2100, 1, 1, tzinfo=UTC)
"""Due, and not due, by the clock of the fakes as by this machine's."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep: queries of due rows, all calls to the tables, sends and looks at dead letters; seconds, and the floor's."""

    size: int
    due: int
    queries: int
    tables: int
    bus: int
    seconds: float = 0.0
    floor: float = 0.0

    @property
    def calls(self) -> tuple[int, int, int]:
        """What must not grow with the tables."""
        return self.queries, self.tables, self.bus


@dataclass(frozen=True, slots=True)
class _Template:
    """The rows of one activation, to be made again for others."""

    held: Held
    rows: Places

    def of(self, number: int, *, whole: bool) -> Iterable[tuple[str, Row]]:
        other, one = Held(number, self.held.ends_at), self.held
        instead = {
            one.activation: other.activation,
            one.principal: other.principal,
            hold_id(one.principal, one.target): hold_id(other.principal, other.target),
            one.target.id: other.target.id,
        }
        names = Names(instead, keys.shard(other.activation))
        return [(table, renamed_row(table, row, names)) for table, row in self.rows if whole or table == "due"]


def count(size: int) -> tuple[Swept, Swept, list[Call], list[Call]]:
    """Count what a sweep does with nothing due, and with some due; and return its calls."""
    return run(_count(size))


async def _count(size: int) -> tuple[Swept, Swept, list[Call], list[Call]]:
    hosts = Hosts(keep=True)
    future, past = await _templates()
    for number in range(DUE, size):
        _put(hosts.tables, future.of(number, whole=True))
    await hosts.sweep()  # the first one begins the chain of ticks
    await hosts.sweep()
    for number in range(DUE):
        _put(hosts.tables, past.of(number, whole=True))
    await hosts.sweep()
    empty, due = (delivery.calls for delivery in hosts.deliveries[1:] if delivery.queue == SWEEP)
    return _counted(size, 0, empty), _counted(size, DUE, due), empty, due


def _counted(size: int, due: int, calls: Sequence[Call]) -> Swept:
    queries = sum(call.what.startswith("query due") for call in calls)
    return Swept(size, due, queries, sum(c.to == "tables" for c in calls), sum(c.to == "bus" for c in calls))


def _put(tables: FakeTables, places: Iterable[tuple[str, Row]]) -> None:
    for table, row in places:
        kept = Row(partition=row.partition, key=row.key, values=row.values, etag="v0")
        tables.rows.setdefault((table, row.partition), {})[row.key] = kept


async def _templates() -> tuple[_Template, _Template]:
    future, past = [await _template(ends_at) for ends_at in (FUTURE, PAST)]
    return future, past


async def _template(ends_at: datetime) -> _Template:
    tables, held = FakeTables(), Held(seeding.TEMPLATE, ends_at)
    store = Ledger(tables, FakeBus(FakeClock(ends_at - seeding.HELD_FOR)), Timing())
    await seeding.write(held, ADA.id, store, timing=Timing())
    seeding.forget_first_looks(tables)
    wanted = {"activations", "holds", "due"}
    return _Template(
        held, [(table, row) for (table, _), rows in tables.rows.items() for row in rows.values() if table in wanted]
    )


async def measure(folder: Path, sizes: Sequence[int] = SIZES) -> list[Swept]:
    """Time sweeps on Azurite, while its tables grow from one size to the next."""
    future, past = await _templates()
    found: list[Swept] = []
    async with (
        tenant(folder, seed(folder, people=0, held=())) as started,
        TableServiceClient.from_connection_string(started.settings["LEDGER"]) as service,
        Floor.open(started.settings) as floor,
    ):
        ports, there = build(read(started.settings)), DUE
        await upload(service, [row for number in range(DUE) for row in past.of(number, whole=True) if row[0] != "due"])
        for size in sizes:
            rows = [row for number in range(there, size) for row in future.of(number, whole=number < WHOLE)]
            await upload(service, rows)
            there = size
            empty, due, empty_calls, due_calls = await asyncio.to_thread(count, size)
            found.append(await _timed(empty, empty_calls, [], service, floor, ports))
            late = [row for number in range(DUE) for row in past.of(number, whole=False)]
            found.append(await _timed(due, due_calls, late, service, floor, ports))
            await _delete(service, late)
    return found


async def _timed(
    counted: Swept, calls: Sequence[Call], due: Places, service: TableServiceClient, floor: Floor, ports: Ports
) -> Swept:
    """Return the fastest of some sweeps, and of as many times the same calls by the SDKs alone, in turn."""
    ours, floors = [], []
    for _ in range(ROUNDS):
        await upload(service, due)  # a row that was nudged for rests; now it is as it was
        began = time.perf_counter()
        await sweep(Starter.TIMER, ports=ports)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for call in calls:
            await floor.make_one(call)
        floors.append(time.perf_counter() - began)
    return Swept(counted.size, counted.due, counted.queries, counted.tables, counted.bus, min(ours), min(floors))


async def _delete(service: TableServiceClient, places: Places) -> None:
    for table, row in places:
        await service.get_table_client(table).delete_entity(row.partition, row.key)
