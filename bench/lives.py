"""What one activation costs over its whole life, in calls at the seams: each with the sentence it serves."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.calls import SWEEP, TICKS, Delivery, begin
from bench.hosts import Hosts
from bench.virtual_time import run
from tests.fakes.tenant import BO
from tests.story.acts import press

PRESS = "card press"
SERVES: Mapping[str, str] = json.loads((Path(__file__).parent / "laws.json").read_text(encoding="utf-8"))
"""Which sentence each call serves: a law of the design, or a step of the protocol. What serves none is not made."""

LASTS = timedelta(minutes=30)
LAST_LOOK = 26
"""Hours until the last row is gone: a look after the proof, and the lapse that never came."""

IDLE = timedelta(minutes=5, seconds=10)
SWEEPS = frozenset({SWEEP, TICKS})


@dataclass(frozen=True, slots=True)
class Life:
    """Everything that was done for one activation, by message; ``sweeps`` has only what it added to an empty one."""

    name: str
    deliveries: tuple[Delivery, ...]
    sweeps: Counter[tuple[str, str]]

    @property
    def count(self) -> Counter[tuple[str, str]]:
        """How often each call was made: (to what, which)."""
        found = Counter((call.to, call.what) for delivery in self.deliveries for call in delivery.calls)
        return found + self.sweeps

    @property
    def receives(self) -> int:
        """How many messages were taken from queues, each received and completed."""
        return sum(delivery.queue != PRESS for delivery in self.deliveries)

    def total(self, to: str) -> int:
        """Return how many calls went to the tables, the bus or the directory."""
        return sum(times for (where, _), times in self.count.items() if where == to)


def measure() -> tuple[Life, Life]:
    """Return the life of an activation that is given at once, and of one that is approved by a card."""
    return run(_live("auto-approved", approval=False)), run(_live("approved", approval=True))


async def _live(name: str, *, approval: bool) -> Life:
    """Ada asks for half an hour; where it is wanted, Bo approves a minute later. It ends by itself."""
    async with Hosts(keep=True) as hosts:
        tenant = hosts.tenants[0]
        await tenant.open(**({} if approval else {"approval": None}))
        await asyncio.sleep(IDLE.total_seconds())
        empty: Counter[tuple[str, str]] = Counter()
        for delivery in hosts.deliveries:
            empty |= _count(delivery)
        hosts.deliveries.clear()
        tenant.ask(duration="PT30M")
        if approval:
            await asyncio.sleep(65)
            pressed = Delivery(PRESS)
            begin(pressed)
            await press(tenant, BO.id, tenant.card_of(BO))
            begin(None)
            hosts.deliveries.append(pressed)
        await asyncio.sleep(LASTS.total_seconds())
        for _ in range(LAST_LOOK):
            if not hosts.tables.rows_of("due"):
                break
            await asyncio.sleep(3600)
    sweeps: Counter[tuple[str, str]] = Counter()
    for delivery in hosts.deliveries:
        if delivery.queue in SWEEPS:
            sweeps += _count(delivery) - empty
    handled = tuple(delivery for delivery in hosts.deliveries if delivery.queue not in SWEEPS)
    return Life(name, handled, sweeps)


def _count(delivery: Delivery) -> Counter[tuple[str, str]]:
    return Counter((call.to, call.what) for call in delivery.calls)
