"""The outside, with chance between its calls: the fakes of tests/fakes on the line, and a directory that lags."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from access.adapters.tables import Insert, Operation, Replace, Row
from access.errors import AlreadyAssigned, Conflict, DirectoryRefused, NotAssigned, TryAgain
from access.hold import Presence
from access.model import Account, Target
from access.ports import Mail
from tests.fakes.blobs import FakeBlobs
from tests.fakes.bus import FakeBus, FakeDeadLetter
from tests.fakes.directory import FakeDirectory
from tests.fakes.outside import FakeMailer
from tests.fakes.tables import FakeTables
from tests.simulation.chance import CALL_LIMIT, LAG, TAIL, Fault, Gate
from tests.simulation.line import Line

Key = tuple[str, str]
"""Group and member."""


class GatedTables(FakeTables):
    """Tables that tell ``wrote`` of every write that took effect, and ``got`` of every row that somebody has read."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self.wrote: Callable[[str, Sequence[Operation]], None] = lambda _table, _operations: None
        self.got: Callable[[str, Row | None], None] = lambda _table, _row: None

    async def _called(self, what: str, table: str) -> None:
        """Nothing: the line counts, and lets others run."""

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        row = await self._line.call(f"get {table}", super().get(table, partition, key))
        self.got(table, row)
        return row

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        rows = self.rows.get((table, partition), {})
        found = [rows[key] for key in sorted(rows) if start <= key < end][:limit]
        if found or table != "due":  # nothing hangs on when it is seen that nothing is due
            what = f"query {table}"
            await self._line.before(what)
            found = [rows[key] for key in sorted(rows) if start <= key < end][:limit]
            await self._line.after(what)
        for row in found:
            yield row

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        what = f"write {table}"
        await self._line.before(what)
        etags = await super().write(table, operations)
        self.wrote(table, operations)
        await self._line.after(what)
        worker = self._line.current
        alone = len(operations) == 1 and isinstance(operations[0], Insert | Replace)
        if worker and alone and self._line.chance.strikes(Fault.FALSE_CONFLICT, worker.dice, worker):
            self._line.say("is told of a conflict with its own write to {}", table)
            raise Conflict("the SDK's own retry met its own write")
        return etags


class GatedBus(FakeBus):
    """A bus whose sends may fail, before they took effect or after."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.clock)
        self._line = line

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        sent = super().send(queue, body, message_id=message_id, correlation_id=correlation_id, at=at)
        await self._line.call(f"send {queue}", sent)

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
        sent = super().send_again(
            queue, raw, properties=properties, message_id=message_id, correlation_id=correlation_id, at=at
        )
        await self._line.call(f"send {queue}", sent)

    async def dead_letters(self, queues: Sequence[str], *, limit: int) -> tuple[FakeDeadLetter, ...]:
        if not self.dead:  # nothing hangs on when it is seen that there are none
            return ()
        return await self._line.call("dead letters", super().dead_letters(queues, limit=limit))


class GatedMailer(FakeMailer):
    """A mailer that may take a mail and lose its answer. ``took`` is told of every mail that it took."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.clock)
        self._line = line
        self.took: Callable[[Mail], None] = lambda _mail: None

    async def send(self, mail: Mail, *, deadline: float) -> None:
        await self._line.before("mail")
        await super().send(mail, deadline=deadline)
        self._line.say("mails {}: {}", mail.to, mail.subject)
        self.took(mail)
        await self._line.after("mail")


class GatedBlobs(FakeBlobs):
    """Blobs that can fail, as everything can: what is set aside needs them."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    async def put(self, name: str, content: bytes) -> None:
        await self._line.call("blob put", super().put(name, content))

    async def get(self, name: str) -> bytes | None:
        return await self._line.call("blob get", super().get(name))


class LaggingDirectory(FakeDirectory):
    """Reads are as old as chance has it; a write that timed out may land until the tail of the call is over.

    ``ours`` are the assignments that we gave. ``given`` and ``took`` are told when a call of ours took effect, ``called``
    when one begins, ``said_there`` when one heard that it is there already.
    """

    def __init__(self, line: Line, later: Callable[[float, Callable[[], None]], None]) -> None:
        super().__init__(line.clock)
        self._line, self._later = line, later
        self._real, self._chance = line.clock, line.chance
        self.ours: set[Key] = set()
        self.touched: dict[Key, float] = {}
        """When somebody last put or took a member by hand."""
        self.lost: dict[Key, float] = {}
        """When each assignment was last lost, by whomever."""
        self.given: Callable[[Key], None] = lambda _key: None
        self.took: Callable[[Key, bool], None] = lambda _key, _ours: None
        self.called: Callable[[str, Key], None] = lambda _call, _key: None
        self.read: Callable[[Key], None] = lambda _key: None
        self.said_there: Callable[[Key], None] = lambda _key: None
        self._states: dict[Key, list[tuple[float, bool]]] = {}
        self._seems_gone: dict[str, tuple[float, float]] = {}

    def remember(self, key: Key) -> None:
        self._states.setdefault(key, []).append((self._real.seconds, self.holds(*key)))
        if not self.holds(*key):
            self.ours.discard(key)
            self.lost[key] = self._real.seconds

    def put_by_hand(self, key: Key) -> None:
        """Somebody puts a member in."""
        self.put_member(*key)
        self.touched[key] = self._real.seconds
        self.remember(key)

    def take_by_hand(self, key: Key) -> None:
        """Somebody takes a member out, whoever gave it."""
        self.take_member(*key)
        self.touched[key] = self._real.seconds
        self.remember(key)

    def seem_gone(self, group: str, span: float) -> None:
        """Some replica doesn't know the group for a while, and says 404."""
        self._seems_gone[group] = self._real.seconds, self._real.seconds + span

    def delete_group(self, group: str) -> None:
        """Somebody deletes the group, and with it whatever was given."""
        for member in sorted(self.groups[group]):
            self.take_by_hand((group, member))
        self.remove_group(group)

    def delete_user(self, account: str) -> None:
        """Somebody deletes an account, and with it whatever it was given."""
        for group in sorted(group for group, members in self.groups.items() if account in members):
            self.take_by_hand((group, account))
        self.remove_account(account)

    def disable(self, account: str) -> None:
        """Somebody disables an account; it stays a member of what it was."""
        if account in self.accounts:
            self.accounts[account] = replace(self.accounts[account], enabled=False)

    async def account(self, reference: str) -> Account | None:
        return await self._line.call("look up", super().account(reference))

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        return await self._line.call("look up", super().linked_accounts(employee_id))

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        return await self._line.call("look up", super().groups_among(account, groups))

    async def people_in(self, group: str) -> tuple[str, ...]:
        return await self._line.call("look up", super().people_in(group))

    async def target_exists(self, target: Target) -> bool:
        return await self._line.call("look up", super().target_exists(target))

    async def presence(self, principal: str, target: Target) -> Presence:
        await self._line.before("presence")
        key = (target.id, principal)
        presence = self._seen_by_a_replica(key)
        self.read(key)
        self._line.say("reads {} of {}; in truth {}", presence.value, _short(key), self._truth(key))
        await self._line.after("presence")
        return presence

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        await self._line.before("holders")
        seen = [(account, self._seen_by_a_replica((target.id, account))) for account in sorted(self.accounts)]
        await self._line.after("holders")
        if target.id not in self.groups:
            return None
        return tuple(account for account, presence in seen if presence is Presence.HELD)

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        key = (target.id, principal)
        await self._line.before("assign")
        worker = self._line.current
        if worker and self._chance.strikes(Fault.REFUSE, worker.dice, worker):
            self._line.say("assign: refused for good")
            raise DirectoryRefused("Authorization_RequestDenied")
        await self._act("assign", key, deadline, self._give)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        await self._line.before("remove")
        await self._act("remove", (target.id, principal), deadline, self._take)

    async def _act(self, call: str, key: Key, deadline: float, effect: Callable[[Key], None]) -> None:
        if self._real.seconds >= deadline:
            self._line.say("{}: too late to be sent", call)
            raise TryAgain("the directory (deadline)", after=timedelta(seconds=5), fault=True)
        self.called(call, key)
        worker = self._line.current
        if worker and self._chance.strikes(Fault.LAND_LATE, worker.dice, worker):
            at_most = min(deadline - self._real.seconds, CALL_LIMIT) + TAIL - 0.1
            after = worker.dice.uniform(worker.dice.choice([0, at_most - 3]), at_most)
            self._line.say("{}: no answer, lands {:.0f} s later", call, after)
            self._later(after, lambda: self._land(key, effect))
            await Gate(call, takes=min(CALL_LIMIT, deadline - self._real.seconds))
            raise TryAgain("the directory (timeout)", after=timedelta(), fault=True)
        try:
            self._meet_an_old_replica(call, key)
            effect(key)
        except AlreadyAssigned:
            await self._line.after(call)
            self.said_there(key)
            raise
        except (NotAssigned, DirectoryRefused):
            await self._line.after(call)
            raise
        await self._line.after(call)

    def _land(self, key: Key, effect: Callable[[Key], None]) -> None:
        with contextlib.suppress(AlreadyAssigned, NotAssigned, DirectoryRefused):
            effect(key)

    def _meet_an_old_replica(self, call: str, key: Key) -> None:
        """A write may be answered by a replica that still shows what was before: nothing is changed then."""
        worker, held = self._line.current, self.holds(*key)
        if worker is None or held is (call == "assign") or self._was_held(key, worker.dice.uniform(0, LAG)) is held:
            return
        if self._chance.strikes(Fault.STALE_WRITE, worker.dice, worker):
            self._line.say("{}: {}, says an old replica", call, "nothing there" if held else "already there")
            raise NotAssigned if held else AlreadyAssigned

    def _give(self, key: Key) -> None:
        if key[0] not in self.groups or key[1] not in self.accounts:
            self._line.say("assign: no such group or account")
            raise DirectoryRefused("Request_ResourceNotFound")
        if self.holds(*key):
            self._line.say("assign: already there")
            raise AlreadyAssigned
        self.put_member(*key)
        self.ours.add(key)
        self.remember(key)
        self._line.say("assign: GIVEN {}", _short(key))
        self.given(key)

    def _take(self, key: Key) -> None:
        if not self.holds(*key):
            self._line.say("remove: nothing there")
            raise NotAssigned
        was_ours = key in self.ours
        self.take_member(*key)
        self.remember(key)
        self._line.say("remove: TAKEN {}", _short(key))
        self.took(key, was_ours)

    def _seen_by_a_replica(self, key: Key) -> Presence:
        """Return what a replica says, whose state may be old."""
        held, worker = self.holds(*key), self._line.current
        if worker is not None:
            begins, ends = self._seems_gone.get(key[0], (0.0, 0.0))
            lag = worker.dice.uniform(worker.dice.choice([0, 0, 0.9 * LAG]), LAG)
            in_it = begins <= self._real.seconds < ends
            if in_it and self._chance.strikes(Fault.SEEM_GONE, worker.dice, worker):
                return Presence.GONE
            old = self._was_held(key, lag)
            if old is not held and self._chance.strikes(Fault.LAG, worker.dice, worker):
                held = old
        if held:
            return Presence.HELD
        return Presence.NOT_HELD if key[0] in self.groups and key[1] in self.accounts else Presence.GONE

    def _was_held(self, key: Key, lag: float) -> bool:
        """Whether it was held ``lag`` seconds ago."""
        then, held = self._real.seconds - lag, False
        for at, was in self._states.get(key, ()):
            held = was if at <= then else held
        return held

    def _truth(self, key: Key) -> str:
        return "ours" if key in self.ours else "theirs" if self.holds(*key) else "not held"

    def _remember(self, group: str) -> None:
        """Keep nothing here: the states of each member are kept in ``remember``."""


def _short(key: Key) -> str:
    return f"{key[1][-4:]} in {key[0][-4:]}"
