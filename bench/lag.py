"""Revocation lag in memory: proven gone minus due, for many that end in one second. Our code alone, on one core.

The tables, the bus and the directory answer at once, so what is left is what our code takes, and what a quota demands.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.adapters.ledger import Ledger
from access.adapters.tables import Insert, Operation
from access.events import Event
from access.pace import Quota
from bench import seeding
from bench.hosts import Hosts
from bench.quantiles import Quantiles, best
from bench.seeding import Held
from bench.virtual_time import run
from tests.fakes.tenant import ADA

PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured: how many are due at once, under which quota, and what goes wrong."""

    due: int
    quota: Quota | None = None
    hosts: int = 1
    fail_first: bool = False
    lose_scheduled: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing goes wrong."""
        return not (self.fail_first or self.lose_scheduled)

    @property
    def name(self) -> str:
        """What happens, in words."""
        words = [f"{self.due:,} due"]
        words += ["Graph's quota"] if self.quota else []
        words += ["each first removal fails"] if self.fail_first else []
        words += ["the sweep alone"] if self.lose_scheduled else []
        return ", ".join(words)

    def smaller(self, share: float) -> "Case":
        """Return the case with as small a share of what is due, and of the quota."""
        quota = self.quota and Quota(writes=int(self.quota.writes * share), window=self.quota.window)
        return replace(self, due=int(self.due * share), quota=quota)


GRAPH = Quota()
CASES = tuple(
    Case(due=due, quota=quota, hosts=hosts, fail_first=fail_first, lose_scheduled=lose_scheduled)
    for due, quota, hosts in ((1_000, None, 1), (3_000, GRAPH, 2), (10_000, GRAPH, 2))
    for fail_first, lose_scheduled in ((False, False), (True, False), (False, True))
)


@dataclass(frozen=True, slots=True)
class Lag:
    """What was measured, and what is the best that the quota, or the minute of the sweep, allows."""

    case: Case
    spans: tuple[float, ...]
    floor: tuple[float, ...]
    throttled: int

    @property
    def quantiles(self) -> Quantiles:
        return Quantiles.of(self.spans)

    @property
    def floor_quantiles(self) -> Quantiles:
        return Quantiles.of(self.floor)


def measure(case: Case) -> Lag:
    """Have ``case`` happen."""
    return run(_measure(case))


async def _measure(case: Case) -> Lag:
    hosts = Hosts(case.hosts, quota=case.quota)
    hosts.bus.lose_scheduled = case.lose_scheduled
    await asyncio.sleep(1)
    # A second after a sweep, so that where the messages are lost nearly a minute passes until the next one.
    due_at = _next_minute(hosts.clock.now() + seeding.HELD_FOR) + timedelta(seconds=1)
    everybody = [Held(number, due_at) for number in range(case.due)]
    await _write(everybody, hosts)
    ended: dict[str, datetime] = {}
    done = asyncio.Event()

    def wrote(operations: Sequence[Operation]) -> None:
        for operation in operations:
            match operation:
                case Insert(row) if row.values.get("event") == Event.REMOVAL_PROVEN:
                    ended[row.partition] = hosts.clock.exactly()
        if len(ended) == len(everybody):
            done.set()

    hosts.tables.wrote = wrote
    hosts.directory.fail_first = case.fail_first
    await asyncio.sleep((due_at - hosts.clock.exactly()).total_seconds() - 120)
    async with hosts:
        await asyncio.wait_for(done.wait(), PATIENCE.total_seconds())
    assert not any(hosts.directory.holds(held.target.id, held.principal) for held in everybody)  # noqa: S101
    writes = 2 if case.fail_first else 1
    floor = best(case.due * writes, case.quota)[writes - 1 :: writes]
    wait = 59.0 if case.lose_scheduled else 0.0
    return Lag(
        case,
        tuple((ended[held.activation] - due_at).total_seconds() for held in everybody),
        tuple(wait + span for span in floor),
        hosts.directory.throttled,
    )


async def _write(everybody: Sequence[Held], hosts: Hosts) -> None:
    timing = hosts.tenants[0].ports.timing
    store = Ledger(hosts.tables, hosts.bus, timing)
    for held in everybody:
        if held.target.id not in hosts.directory.groups:
            hosts.directory.add_group(held.target.id, held.target.id)
        hosts.directory.put_member(held.target.id, held.principal)
        await seeding.write(held, ADA.id, store, timing=timing)
    seeding.forget_first_looks(hosts.tables)


def _next_minute(instant: datetime) -> datetime:
    return instant.replace(second=0) + timedelta(minutes=1)
