"""Hosts in memory: the real use cases behind the real triggers, on the outside of ``outside.py`` and on virtual time.

As the deployed ones do, each host takes as many messages of a queue at once as host.json says, and one host at a time sweeps.
"""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from access.errors import Conflict, TryAgain
from access.pace import Quota
from bench.calls import SWEEP, Delivery, begin
from bench.outside import CountedMailer, CountedTables, QuotaDirectory, TimedBus
from bench.virtual_time import VirtualClock
from tests.fakes.tenant import FakeTenant

ROOT = Path(__file__).parents[1]
AT_ONCE = int(json.loads((ROOT / "host.json").read_text())["extensions"]["serviceBus"]["maxConcurrentCalls"])
QUEUES = tuple(
    str(queue["Name"])
    for queue in json.loads((ROOT / "local" / "topology.json").read_text())["UserConfig"]["Namespaces"][0]["Queues"]
)
SWEEP_EVERY = 60.0


class Hosts:
    """``count`` hosts on one outside; ``async with`` starts and stops them. With ``keep`` each delivery is recorded."""

    def __init__(self, count: int = 1, *, quota: Quota | None = None, keep: bool = False) -> None:
        self.clock = VirtualClock()
        self.tables = CountedTables()
        self.bus = TimedBus(self.clock)
        self.directory = QuotaDirectory(self.clock, quota)
        self.mailer = CountedMailer()
        self.tenants = [
            FakeTenant(
                clock=self.clock,
                tables=self.tables,
                bus=self.bus,
                directory=self.directory,
                mailer=self.mailer,
                quota=quota,
            )
            for _ in range(count)
        ]
        self.deliveries: list[Delivery] = []
        self.handled = 0
        self._keep = keep
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start listening, and sweeping."""
        for tenant in self.tenants:
            for queue in QUEUES:
                self._running += [asyncio.create_task(self._listen(tenant, queue)) for _ in range(AT_ONCE)]
        self._running.append(asyncio.create_task(self._sweep_for_ever()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; a host that failed says so here."""
        failed = [fault for task in self._running if task.done() and (fault := task.exception()) is not None]
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if failed:
            raise failed[0] from error

    async def sweep(self) -> None:
        """Sweep once."""
        await self._done(SWEEP, self.tenants[0].sweep())

    async def _listen(self, tenant: FakeTenant, queue: str) -> None:
        while True:
            message = await self.bus.next(queue)
            try:
                await self._done(queue, tenant.deliver(message))
            except (TryAgain, Conflict):
                self.bus.again(message)

    async def _sweep_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_EVERY - loop.time() % SWEEP_EVERY)
            await self.sweep()

    async def _done(self, queue: str, work: Coroutine[Any, Any, object]) -> None:
        self.handled += 1
        delivery = Delivery(queue) if self._keep else None
        begin(delivery)
        if delivery is not None:
            self.deliveries.append(delivery)
        try:
            await work
        finally:
            begin(None)
