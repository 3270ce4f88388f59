"""The outside in memory, for figures: it counts every call, delivers on time, and throttles as Graph does."""

import asyncio
import json
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

from access.adapters.tables import Operation, Row
from access.errors import Throttled, TryAgain
from access.hold import Presence
from access.model import Account, Target
from access.pace import Quota
from access.ports import Mail
from bench.calls import PEEK, Call, note, read, written
from bench.virtual_time import VirtualClock
from tests.fakes.bus import FakeBus, FakeDeadLetter, FakeMessage
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.outside import FakeMailer
from tests.fakes.tables import FakeTables

TOPIC = "activation-events"


class CountedTables(FakeTables):
    """Tables that count; ``wrote`` is told of each write that took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.wrote: Callable[[Sequence[Operation]], None] = lambda _: None

    def rows_of(self, table: str) -> list[Row]:
        """Return every row of a table."""
        return [row for (name, _), rows in self.rows.items() if name == table for row in rows.values()]

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Count, and read."""
        row = await super().get(table, partition, key)
        found = (row,) if row is not None else ()
        note(lambda: Call("tables", read("get", table, key), table, partition, key, found=found))
        return row

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        """Count, and read."""
        found = [row async for row in super().query(table, partition, start=start, end=end, limit=limit)]
        note(lambda: Call("tables", read("query", table, start), table, partition, start, end, found=tuple(found)))
        for row in found:
            yield row

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        """Count, write, and tell of it."""
        note(lambda: Call("tables", written(table, operations), table, operations=tuple(operations)))
        etags = await super().write(table, operations)
        self.wrote(operations)
        return etags

    async def _called(self, what: str, table: str) -> None:  # noqa: ARG002 - the fake's signature
        self.count[what] += 1
        await asyncio.sleep(0)


class TimedBus(FakeBus):
    """A bus that delivers each message at its instant; with ``lose_scheduled``, none of those sent for later."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.sends = 0
        self.lose_scheduled = False
        self._queues: dict[str, asyncio.Queue[FakeMessage]] = {}

    async def next(self, queue: str) -> FakeMessage:
        """Wait for a message of a queue."""
        return await self._queue(queue).get()

    def again(self, message: FakeMessage) -> None:
        """An abandoned message comes back at once."""
        self._queue(message.queue).put_nowait(message)

    async def dead_letters(self, queues: Sequence[str], *, limit: int) -> tuple[FakeDeadLetter, ...]:
        for queue in queues:
            note(partial(Call, "bus", f"{PEEK}: {queue}", queue=queue))
        return await super().dead_letters(queues, limit=limit)

    def put(self, queue: str, body: bytes, *, message_id: str | None = None, correlation_id: str = "") -> FakeMessage:
        """Put a message as a sender outside does."""
        self._put(queue, body, message_id, correlation_id, None, {})
        return self._newest

    def _queue(self, name: str) -> asyncio.Queue[FakeMessage]:
        return self._queues.setdefault(name, asyncio.Queue())

    def _put(
        self,
        queue: str,
        raw: bytes,
        message_id: str | None,
        correlation_id: str,
        at: datetime | None,
        properties: dict[str, str],
    ) -> None:
        self.sends += 1
        note(lambda: Call("bus", f"send {queue}" + (", for later" if at else ""), queue=queue, body=raw))
        now = self._clock.now()
        message = FakeMessage(
            queue=queue,
            body=raw,
            message_id=message_id,
            correlation_id=correlation_id or None,
            sequence_number=self.sends,
            enqueued_time_utc=now,
            application_properties=properties,
            at=at or now,
        )
        self._newest = message
        if queue == TOPIC:
            return
        if at is None or at <= now:
            self._queue(queue).put_nowait(message)
        elif not self.lose_scheduled:
            loop = asyncio.get_running_loop()
            left = at.timestamp() - _exactly(self._clock)
            loop.call_later(max(0.0, left), self._queue(queue).put_nowait, message)


def _exactly(clock: FakeClock) -> float:
    return clock.exactly().timestamp() if isinstance(clock, VirtualClock) else clock.now().timestamp()


class QuotaDirectory(FakeDirectory):
    """A directory with a quota of writes in a sliding window, as Graph has; None: without.

    ``fail_first``: the first removal of each assignment fails. A write that is turned away doesn't count.
    """

    def __init__(self, clock: FakeClock, quota: Quota | None = None) -> None:
        super().__init__(clock)
        self.quota = quota
        self.fail_first = False
        self.reads = self.writes = self.throttled = 0
        self._failed: set[tuple[str, str]] = set()
        self._written: deque[datetime] = deque()

    async def account(self, reference: str) -> Account | None:
        self._read("account", reference)
        return await super().account(reference)

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        self._read("linked_accounts", employee_id)
        return await super().linked_accounts(employee_id)

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        self._read("groups_among", account, *groups)
        return await super().groups_among(account, groups)

    async def people_in(self, group: str) -> tuple[str, ...]:
        self._read("people_in", group)
        return await super().people_in(group)

    async def target_exists(self, target: Target) -> bool:
        self._read("target_exists", target.id)
        return await super().target_exists(target)

    async def presence(self, principal: str, target: Target) -> Presence:
        self._read("presence", principal, target.id)
        return await super().presence(principal, target)

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        self._write("assign", principal, target)
        await super().assign(principal, target, deadline=deadline)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        self._write("remove", principal, target)
        if self.fail_first and (principal, target.id) not in self._failed:
            self._failed.add((principal, target.id))
            raise TryAgain("the directory (503)", after=timedelta(), fault=True)
        await super().remove(principal, target, deadline=deadline)

    def _read(self, what: str, *arguments: str) -> None:
        self.reads += 1
        note(lambda: Call("directory", what, arguments=arguments))

    def _write(self, what: str, principal: str, target: Target) -> None:
        note(lambda: Call("directory", what, arguments=(principal, target.id)))
        if self.quota is not None:
            now = self._clock.now()
            while self._written and now >= self._written[0] + self.quota.window:
                self._written.popleft()
            if len(self._written) >= self.quota.writes:
                self._turn_away(self._written[0] + self.quota.window - now)
            self._written.append(now)
        self.writes += 1

    def _turn_away(self, left: timedelta) -> NoReturn:
        self.throttled += 1
        raise Throttled("the directory (429)", after=timedelta(seconds=math.ceil(left.total_seconds())), fault=True)

    def _remember(self, group: str) -> None:
        """Keep no history: reads don't lag here."""


class CountedMailer(FakeMailer):
    """A mailer whose calls are calls to Graph."""

    async def send(self, mail: Mail, *, deadline: float) -> None:
        note(lambda: Call("directory", "send mail", body=json.dumps({"to": mail.to, "html": mail.html}).encode()))
        await super().send(mail, deadline=deadline)
