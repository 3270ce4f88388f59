"""The outside, with chance between its calls: the fakes of tests/fakes behind gates, and a directory that lags.

Each call passes a gate before it takes effect and another before it answers; there the scheduler lets a worker go on, die,
freeze, or fail. What a failed call did before it failed, stays done.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from access.adapters.tables import Insert, Operation, Replace, Row
from access.errors import AlreadyAssigned, Conflict, DirectoryRefused, NotAssigned, TryAgain
from access.hold import Presence
from access.model import Account, Target
from access.ports import Mail
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.outside import FakeMailer
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import TIMING
from tests.simulation.chance import LAG, Chance, Gate

Key = tuple[str, str]
"""Group and member."""


class SkewedClock(FakeClock):
    """The worker whose turn it is reads its own clock, which is off by ``skew``."""

    def __init__(self) -> None:
        super().__init__()
        self.skew = timedelta()

    def now(self) -> datetime:
        return (self._now + self.skew).replace(microsecond=0)

    @property
    def true(self) -> datetime:
        return self._now


class GatedTables(FakeTables):
    """Tables that tell ``wrote`` of every write that took effect."""

    def __init__(self, chance: Chance) -> None:
        super().__init__()
        self._chance = chance
        self.wrote: Callable[[str, Sequence[Operation]], None] = lambda _table, _operations: None

    async def _called(self, what: str, table: str) -> None:
        await Gate(f"{what} {table}")

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        found = await super().get(table, partition, key)
        await Gate(f"get {table}", answered=True)
        return found

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        await self._called("query", table)
        rows = self.rows.get((table, partition), {})
        for row in [rows[key] for key in sorted(rows) if start <= key < end][:limit]:
            yield row

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        etags = await super().write(table, operations)
        self.wrote(table, operations)
        await Gate(f"write {table}", answered=True)
        alone = len(operations) == 1 and isinstance(operations[0], Insert | Replace)
        if alone and self._chance.happens(self._chance.rates.false_conflict):
            raise Conflict("the SDK's own retry met its own write")
        return etags


class GatedBus(FakeBus):
    """A bus whose sends may fail, before they took effect or after."""

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        await Gate(f"send {queue}")
        await super().send(queue, body, message_id=message_id, correlation_id=correlation_id, at=at)
        await Gate(f"send {queue}", answered=True)

    async def send_again(
        self,
        queue: str,
        raw: bytes,
        *,
        properties: Mapping[str, str],
        message_id: str,
        correlation_id: str,
        at: datetime,
    ) -> None:
        await Gate(f"send {queue}")
        await super().send_again(
            queue, raw, properties=properties, message_id=message_id, correlation_id=correlation_id, at=at
        )
        await Gate(f"send {queue}", answered=True)


class GatedMailer(FakeMailer):
    """A mailer that may take a mail and lose its answer."""

    async def send(self, mail: Mail) -> None:
        await Gate("mail")
        await super().send(mail)
        await Gate("mail", answered=True)


class LaggingDirectory(FakeDirectory):
    """Reads are as old as chance has it; a write that timed out may land until the tail of the call is over.

    ``ours`` are the assignments that we gave. ``took`` is called when a call of ours takes one away.
    """

    def __init__(self, clock: SkewedClock, chance: Chance, say: Callable[[str], None]) -> None:
        super().__init__(clock)
        self._true, self._chance, self._say = clock, chance, say
        self.ours: set[Key] = set()
        self.late: list[tuple[datetime, Callable[[], None]]] = []
        self.touched: dict[Key, datetime] = {}
        self.took: Callable[[Key, bool], None] = lambda _key, _ours: None
        self._states: dict[Key, list[tuple[datetime, bool]]] = {}
        self._seems_gone: tuple[datetime, datetime] | None = None

    def remember(self, key: Key) -> None:
        self._states.setdefault(key, []).append((self._true.true, self.holds(*key)))

    def by_hand(self, group: str, member: str) -> None:
        """Somebody takes a member out, whoever gave it."""
        self.take_member(group, member)
        self.ours.discard((group, member))
        self.touched[group, member] = self._true.true
        self.remember((group, member))

    def seem_gone(self, span: timedelta) -> None:
        """Some replica doesn't know the group for a while, and says 404."""
        self._seems_gone = self._true.true, self._true.true + span

    def delete_group(self, group: str) -> None:
        """Somebody deletes the group, and with it whatever was given."""
        for member in sorted(self.groups[group]):
            self.by_hand(group, member)
        self.remove_group(group)

    def land(self) -> None:
        """Let the calls land whose time has come."""
        for entry in [entry for entry in self.late if entry[0] <= self._true.true]:
            self.late.remove(entry)
            with contextlib.suppress(AlreadyAssigned, NotAssigned, DirectoryRefused):
                entry[1]()

    async def account(self, reference: str) -> Account | None:
        await Gate("look up")
        return await super().account(reference)

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        await Gate("look up")
        return await super().linked_accounts(employee_id)

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        await Gate("look up")
        return await super().groups_among(account, groups)

    async def people_in(self, group: str) -> tuple[str, ...]:
        await Gate("look up")
        return await super().people_in(group)

    async def target_exists(self, target: Target) -> bool:
        await Gate("look up")
        return await super().target_exists(target)

    async def presence(self, principal: str, target: Target) -> Presence:
        await Gate("presence")
        key = (target.id, principal)
        presence = self._read(key)
        self._say(f"reads {presence.value}; in truth {self._truth(key)}")
        await Gate("presence", answered=True)
        return presence

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        await Gate("assign")
        if self._chance.happens(self._chance.rates.refuse):
            self._say("assign: refused for good")
            raise DirectoryRefused("Authorization_RequestDenied")
        await self._act("assign", deadline, lambda: self._give((target.id, principal)))

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        await Gate("remove")
        await self._act("remove", deadline, lambda: self._take((target.id, principal)))

    async def _act(self, call: str, deadline: float, effect: Callable[[], None]) -> None:
        if self._true.true.timestamp() >= deadline:
            self._say(f"{call}: too late to be sent")
            raise TryAgain("the directory (deadline)", after=timedelta(seconds=5), fault=True)
        if self._chance.happens(self._chance.rates.land_late):
            tail = TIMING.tail.total_seconds()
            after = self._chance.seconds(self._chance.random.choice([0, tail - 3]), tail)
            self.late.append((self._true.true + after, effect))
            self._say(f"{call}: no answer, lands {after.total_seconds():.0f} s later")
            raise TryAgain("the directory (timeout)", after=timedelta(), fault=True)
        try:
            effect()
        finally:
            await Gate(call, answered=True)

    def _give(self, key: Key) -> None:
        if key[0] not in self.groups:
            self._say("assign: no such group")
            raise DirectoryRefused("Request_ResourceNotFound")
        if self.holds(*key):
            self._say("assign: already there")
            raise AlreadyAssigned
        self.put_member(*key)
        self.ours.add(key)
        self.remember(key)
        self._say("assign: given")

    def _take(self, key: Key) -> None:
        if not self.holds(*key):
            self._say("remove: nothing there")
            raise NotAssigned
        if self._chance.happens(self._chance.rates.stale_removal) and not self._was_held(key, LAG):
            self._say("remove: nothing there, says an old replica")
            raise NotAssigned
        was_ours = key in self.ours
        self.take_member(*key)
        self.ours.discard(key)
        self.remember(key)
        self._say("remove: taken")
        self.took(key, was_ours)

    def _read(self, key: Key) -> Presence:
        """Return what a replica says, whose state may be old."""
        span = self._seems_gone
        in_it = span is not None and span[0] <= self._true.true < span[1]
        if in_it and self._chance.happens(self._chance.rates.seem_gone):
            return Presence.GONE
        if self._was_held(key, LAG):
            return Presence.HELD
        return Presence.NOT_HELD if key[0] in self.groups else Presence.GONE

    def _was_held(self, key: Key, lag: float) -> bool:
        """Whether it was held, some random span of at most ``lag`` seconds ago."""
        then = self._true.true - (timedelta() if self._chance.is_calm else self._chance.seconds(0, lag))
        held = False
        for at, was in self._states.get(key, []):
            held = was if at <= then else held
        return held

    def _truth(self, key: Key) -> str:
        return "ours" if key in self.ours else "theirs" if self.holds(*key) else "not held"

    def _remember(self, group: str) -> None:
        """Keep nothing here: the states of each member are kept in ``remember``."""
