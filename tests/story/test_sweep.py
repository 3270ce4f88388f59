"""The sweep: it costs what is due, does the most overdue first, stops at nothing, and is started by more than one thing."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from access.adapters import keys
from access.adapters.tables import Delete, Insert, Operation, Put, Row
from access.change import begin
from access.errors import Conflict, TryAgain
from access.events import Event, Happened
from access.lifecycle import is_final
from access.model import State
from access.ports import Beat
from expiry_timer import sweep as sweeping
from expiry_timer.health import sweep_is_fresh
from expiry_timer.sweep import NUDGES, TIME_LIMIT, Starter, sweep
from expiry_timer.tick import call_for_sweep
from tests.fakes.bus import FakeBus, FakeMessage
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import FakeTenant
from tests.promises.samples import asked_for

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
OUT = TryAgain("the tables", after=5 * SECOND, fault=True)


async def due_together(tenant: FakeTenant, count: int, *, apart: timedelta = timedelta()) -> list[str]:
    """Record activations whose end has come, one ``apart`` from the next; the messages that say so are lost."""
    now = tenant.clock.now()
    found = [f"{number:032x}" for number in range(count)]
    for number, key in enumerate(found):
        wanted = replace(asked_for(key, ends_at=now + HOUR + number * apart), principal=f"account-{number}")
        happened = Happened(event=Event.ACCEPTED, at=now)
        await tenant.store.commit(begin(wanted, happened, command="run"), now=now)
    tenant.clock.advance(HOUR + count * apart)
    tenant.bus.messages.clear()
    tenant.bus.sent.clear()
    return found


def nudged(tenant: FakeTenant) -> list[str]:
    return [json.loads(message.body)["activation"] for message in tenant.bus.sent if message.queue == "expirations"]


async def beat(tenant: FakeTenant) -> Beat | None:
    return await tenant.ports.pulse.last_beat()


class TestWhatItDoesAtOnce:
    async def test_a_storm_is_worked_off_by_sweeps_that_each_send_no_more_than_can_be_done(
        self, tenant: FakeTenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "NUDGES", 60)
        activations = await due_together(tenant, 250)
        sent = []
        for _ in range(15):
            sent.append((await tenant.sweep()).sent)
            await run_all(tenant)
            tenant.clock.advance(MINUTE)

        assert max(sent) == 60
        found = [await tenant.store.activation(key) for key in activations]
        assert {activation.state for activation in found if activation} == {State.ENDED}
        assert max(Counter(nudged(tenant)).values()) <= 3

    async def test_the_most_overdue_of_all_shards_come_first(self, tenant: FakeTenant) -> None:
        activations = await due_together(tenant, NUDGES + 100, apart=SECOND)

        swept = await tenant.sweep()

        assert (swept.sent, swept.left) == (NUDGES, True)
        assert nudged(tenant) == activations[:NUDGES]

    async def test_while_nobody_works_each_is_sent_again_at_two_four_eight_and_then_fifteen_minutes(
        self, tenant: FakeTenant
    ) -> None:
        activations = await due_together(tenant, 20)
        for _ in range(60):
            await tenant.sweep()
            tenant.clock.advance(MINUTE)

        alarms_and_now_rows = 2
        assert set(nudged(tenant)) == set(activations)
        assert max(Counter(nudged(tenant)).values()) <= 7 * alarms_and_now_rows

    async def test_it_stops_in_time_for_the_host_and_the_next_one_goes_on(self) -> None:
        clock = FakeClock()
        tenant = FakeTenant(clock=clock, bus=SlowBus(clock))
        activations = await due_together(tenant, 10)
        tenant.bus.sent.clear()

        first = await tenant.sweep()
        second = await tenant.sweep()

        assert (first.sent, first.left) == (TIME_LIMIT // MINUTE, True)
        assert nudged(tenant)[: first.sent + second.sent] == activations[: first.sent + second.sent]

    async def test_where_nothing_is_due_it_costs_sixteen_queries_and_four_rows(self, tenant: FakeTenant) -> None:
        await tenant.sweep()
        tenant.clock.advance(MINUTE)
        tenant.tables.calls.clear()

        await tenant.sweep()

        assert Counter(tenant.tables.calls) == {
            ("query", "due"): 16,
            ("write", "control"): 3,
            ("get", "control"): 1,
        }


class TestWhatStopsIt:
    @pytest.mark.parametrize("fault", [OUT, Conflict("the row"), RuntimeError("a bug"), KeyError("a field")], ids=repr)
    async def test_whatever_goes_wrong_with_one_row_the_others_go_on(
        self, tenant: FakeTenant, fault: Exception
    ) -> None:
        activations = await due_together(tenant, 3, apart=SECOND)
        faulty(tenant).faults["get", "activations", activations[0]] = fault

        swept = await tenant.sweep()

        assert set(nudged(tenant)) == set(activations[1:])
        assert swept.failed >= 1
        assert await beat(tenant) is not None

    async def test_an_activation_that_can_not_be_read_stops_no_other_and_waits_its_turn(
        self, tenant: FakeTenant
    ) -> None:
        activations = await due_together(tenant, 2)
        row = tenant.tables.rows["activations", activations[0]][keys.ACTIVATION]
        broken = replace(row, values={**row.values, "state": "unheard of"})
        await tenant.tables.write("activations", [Put(broken)])

        first = await tenant.sweep()
        second = await tenant.sweep()

        assert set(nudged(tenant)) == {activations[1]}
        assert (first.failed > 0, second.failed) == (True, 0)

    async def test_a_due_row_that_can_not_be_read_stops_no_other(self, tenant: FakeTenant) -> None:
        (activation,) = await due_together(tenant, 1)
        for shard in keys.shards():
            await tenant.tables.write("due", [Insert(Row(partition=shard, key="20260302-of-another-make"))])

        await tenant.sweep()

        assert set(nudged(tenant)) == {activation}

    async def test_where_a_shard_can_not_be_read_the_rest_is_done_and_the_sweep_is_not_called_finished(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        activations = await due_together(tenant, 40)
        lost = keys.shard(activations[0])
        faulty(tenant).faults["query", "due", lost] = OUT

        swept = await tenant.sweep()

        assert set(nudged(tenant)) == {key for key in activations if keys.shard(key) != lost}
        assert (swept.whole, await beat(tenant)) == (False, None)
        assert "sweep.unfinished" in [record.message for record in caplog.records]

    async def test_shards_that_hang_keep_nobody_in_the_others_waiting(
        self, tenant: FakeTenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        activations = await due_together(tenant, 40)
        hung, query = keys.shards()[:8], tenant.tables.query

        async def hangs(table: str, partition: str, **limits: Any) -> AsyncIterator[Row]:
            if table == "due" and partition in hung:
                tenant.clock.advance(80 * SECOND)
                raise TryAgain("the tables", after=5 * SECOND, fault=True)
            async for row in query(table, partition, **limits):
                yield row

        monkeypatch.setattr(tenant.tables, "query", hangs)

        for _ in range(16):
            await tenant.sweep()
            tenant.clock.advance(MINUTE)

        others = {activation for activation in activations if keys.shard(activation) not in hung}
        assert others
        assert set(nudged(tenant)) == others

    async def test_an_outage_of_the_bus_keeps_nobody_from_their_end_and_what_is_to_be_told_for_later(
        self, tenant: FakeTenant
    ) -> None:
        activations = await due_together(tenant, 5)
        tenant.bus.down = True
        for _ in range(2):
            await tenant.sweep()
            tenant.clock.advance(MINUTE)
        found = [await tenant.store.activation(activation) for activation in activations]
        assert {one.state for one in found if one is not None} == {State.ENDED}
        assert tenant.bus.sent == []
        tenant.bus.down = False

        await tenant.run_for(20 * MINUTE)

        told = [message for message in tenant.bus.sent if message.queue == "notifications"]
        assert {json.loads(message.body)["activation"] for message in told} == set(activations)

    async def test_a_heartbeat_that_can_not_be_written_undoes_nothing(self, tenant: FakeTenant) -> None:
        (activation,) = await due_together(tenant, 1)

        faulty(tenant).faults["write", "control", keys.HEARTBEAT] = OUT

        await tenant.sweep()

        assert set(nudged(tenant)) == {activation}
        assert not await sweep_is_fresh(ports=tenant.ports)


class TestItsSignOfLife:
    async def test_it_says_when_it_began_and_ended_and_what_it_did(self, tenant: FakeTenant) -> None:
        await due_together(tenant, 2)

        swept = await tenant.sweep()

        now = tenant.clock.now()
        counts = {"due": swept.due, "sent": swept.sent, "dropped": swept.dropped, "failed": 0, "dead_letters": 0}
        assert await beat(tenant) == Beat(began=now, ended=now, started_by="timer", **counts)

    async def test_it_is_fresh_for_three_minutes(self, tenant: FakeTenant) -> None:
        assert not await sweep_is_fresh(ports=tenant.ports)
        await tenant.sweep()
        assert await sweep_is_fresh(ports=tenant.ports)

        tenant.clock.advance(3 * MINUTE)

        assert not await sweep_is_fresh(ports=tenant.ports)


async def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


class TestTheTick:
    async def test_where_the_timer_stands_still_for_good_ticks_go_on_and_end_what_is_due(
        self, ticking: FakeTenant
    ) -> None:
        await ticking.sweep()  # the last one that the timer ever started
        activations = await due_again(ticking, 3)

        await ticking.run_for(HOUR, sweeping=False)

        found = [await ticking.store.activation(key) for key in activations]
        assert all(activation is not None and is_final(activation.state) for activation in found)
        last = await beat(ticking)
        assert last is not None
        assert last.started_by == "tick"
        assert len(ticks(ticking)) in range(58, 62)

    async def test_where_both_run_there_is_one_tick_a_minute_all_the_same(self, ticking: FakeTenant) -> None:
        await ticking.run_for(HOUR)

        assert len(ticks(ticking)) <= 61

    async def test_a_tick_that_comes_just_after_a_sweep_does_nothing_but_see_to_the_next(
        self, ticking: FakeTenant
    ) -> None:
        await ticking.sweep()
        ticking.bus.messages.clear()
        ticking.clock.advance(29 * SECOND)
        assert await sweep(Starter.TICK, ports=ticking.ports) is None

        ticking.clock.advance(SECOND)

        assert await sweep(Starter.TICK, ports=ticking.ports) is not None

    async def test_ticks_that_are_delivered_many_times_do_not_breed(self, ticking: FakeTenant) -> None:
        await ticking.sweep()
        for _ in range(60):
            ticking.clock.advance(MINUTE)
            message = ticking.bus.take()
            assert message is not None
            for _ in range(10):
                await ticking.deliver(message)
            assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_a_tick_that_is_read_by_a_slow_clock_is_renewed(self, ticking: FakeTenant) -> None:
        await ticking.sweep()  # by a worker whose clock is five seconds fast
        message = ticking.bus.messages.pop()
        ticking.clock.advance_to(message.at - 10 * SECOND)  # delivered on time, to a worker whose clock is as slow

        await ticking.deliver(message)

        assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_a_lost_tick_is_replaced_by_the_next_sweep_of_the_timer(self, ticking: FakeTenant) -> None:
        await ticking.sweep()
        ticking.bus.messages.clear()  # lost, or the worker died between recording it and sending it
        ticking.clock.advance(MINUTE)

        await ticking.sweep()

        assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_a_worker_that_dies_between_its_claim_and_the_next_tick_leaves_that_to_its_own_redelivery(
        self, ticking: FakeTenant
    ) -> None:
        await ticking.sweep()
        message = ticking.bus.messages.pop()
        ticking.clock.advance_to(message.at)
        send, ticking.bus.send = ticking.bus.send, killed  # type: ignore[method-assign] # the process dies here
        with pytest.raises(KeyboardInterrupt):
            await ticking.deliver(message)
        ticking.bus.send = send  # type: ignore[method-assign] # another process

        ticking.clock.advance(31 * SECOND)
        await ticking.deliver(message)

        assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_a_claim_whose_answer_got_lost_does_not_end_the_chain(self, ticking: FakeTenant) -> None:
        await ticking.sweep()
        message = ticking.bus.messages.pop()
        ticking.clock.advance_to(message.at)
        claim = ticking.ports.pulse.claim_tick

        async def lost(at: datetime, *, now: datetime) -> str | None:
            await claim(at, now=now)
            raise TryAgain("the tables", after=SECOND, fault=True)

        ticking.ports.pulse.claim_tick = lost  # type: ignore[method-assign] # its answer gets lost
        await ticking.deliver(message)
        ticking.ports.pulse.claim_tick = claim  # type: ignore[method-assign] # the next one doesn't

        await ticking.run_for(2 * MINUTE, sweeping=False)

        assert len(ticks(ticking)) >= 3

    async def test_a_tick_that_can_not_send_the_next_one_comes_again_and_does(self, ticking: FakeTenant) -> None:
        await ticking.sweep()
        ticking.clock.advance(MINUTE)
        message = ticking.bus.take()
        assert message is not None
        ticking.bus.down = True
        with pytest.raises(TryAgain):
            await ticking.deliver(message)  # not completed: the broker delivers it again

        ticking.bus.down = False
        await ticking.deliver(message)

        assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_after_an_outage_of_the_tables_ticks_go_on_within_a_minute_though_the_timer_stands_still(
        self, ticking: FakeTenant
    ) -> None:
        await ticking.sweep()
        tables = faulty(ticking)
        tables.faults = {(call, "control", keys.HEARTBEAT): OUT for call in ("get", "write")}
        await ticking.run_for(HOUR, sweeping=False)

        tables.faults.clear()
        back = ticking.clock.now()
        await ticking.run_for(MINUTE, sweeping=False)

        last = await beat(ticking)
        assert last is not None
        assert last.ended >= back
        assert [left.queue for left in ticking.bus.messages] == ["ticks"]

    async def test_whoever_calls_for_a_sweep_gets_one_by_a_message(self, ticking: FakeTenant) -> None:
        (activation,) = await due_together(ticking, 1)

        await call_for_sweep(ports=ticking.ports)
        assert (ticks(ticking)[0].body, nudged(ticking)) == (b'{"version": 1}', [])
        await ticking.run()

        assert set(nudged(ticking)) == {activation}

    async def test_calls_by_the_dozen_are_one_sweep(self, ticking: FakeTenant) -> None:
        for _ in range(12):
            await call_for_sweep(ports=ticking.ports)
        ticking.tables.calls.clear()

        await ticking.run()

        assert ticking.tables.calls.count(("query", "due")) == 16


class TestDeadLetters:
    def dead(self, tenant: FakeTenant, queue: str = "notifications", *, body: bytes = b"\xff{not ours") -> FakeMessage:
        message = tenant.bus.put(queue, body, message_id=f"m-{len(tenant.bus.dead)}", correlation_id="flow-run-1")
        tenant.bus.kill(message)
        return message

    async def test_each_is_set_aside_with_its_bytes_and_the_brokers_reason(self, tenant: FakeTenant) -> None:
        message = self.dead(tenant)

        swept = await tenant.sweep()

        assert tenant.quarantine.kept == {("notifications", "m-0"): ("HG-DEAD-LETTERED", message.body)}
        assert "MaxDeliveryCountExceeded" in str(quarantined(tenant)["what"])
        assert (swept.dead_letters, tenant.bus.dead) == (1, [])

    async def test_those_of_every_queue_are_collected(self, tenant: FakeTenant) -> None:
        queues = ("activation-requests", "signed-in-requests", "approvals", "provisioning", "expirations", "ticks")
        for queue in queues:
            self.dead(tenant, queue)

        assert (await tenant.sweep()).dead_letters == len(queues)

    async def test_one_sweep_collects_a_limited_number_and_the_next_goes_on(self, tenant: FakeTenant) -> None:
        for _ in range(70):
            self.dead(tenant)

        assert [(await tenant.sweep()).dead_letters for _ in range(3)] == [50, 20, 0]

    @pytest.mark.parametrize("fault", [OUT, RuntimeError("a bug")], ids=repr)
    async def test_one_that_can_not_be_set_aside_stays_where_it_is_and_keeps_no_other(
        self, tenant: FakeTenant, fault: Exception
    ) -> None:
        self.dead(tenant)
        tenant.clock.advance(24 * HOUR)
        other = self.dead(tenant)
        day = keys.day(ARBITRARY_MORNING)
        faulty(tenant).faults["write", "quarantine", day] = fault

        first = await tenant.sweep()
        faulty(tenant).faults.clear()
        second = await tenant.sweep()

        assert (first.dead_letters, second.dead_letters) == (1, 1)
        assert list(tenant.quarantine.kept) == [("notifications", other.message_id), ("notifications", "m-0")]

    async def test_one_that_was_set_aside_and_not_taken_out_is_set_aside_once(self, tenant: FakeTenant) -> None:
        self.dead(tenant)
        (letter,) = await tenant.bus.dead_letters(["notifications"], limit=1)
        await tenant.sweep()
        tenant.bus.dead.append((letter.message, letter.reason))  # the worker died in between

        await tenant.sweep()

        assert (len(tenant.quarantine.kept), tenant.bus.dead) == (1, [])

    async def test_a_bus_that_is_out_keeps_no_due_row_from_being_looked_at(self, tenant: FakeTenant) -> None:
        await due_together(tenant, 3)
        tenant.bus.down = True

        swept = await tenant.sweep()

        assert (swept.due > 0, swept.dead_letters) == (True, 0)


@pytest.fixture
def tenant() -> FakeTenant:
    return FakeTenant(tables=FaultyTables())


@pytest.fixture
def ticking(tenant: FakeTenant) -> FakeTenant:
    tenant.bus.unheard.clear()
    return tenant


class FaultyTables(FakeTables):
    """Tables that raise ``faults`` for a call, a table and a partition."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[tuple[str, str, str], Exception] = {}

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        self._may("get", table, partition)
        return await super().get(table, partition, key)

    def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        self._may("query", table, partition)
        return super().query(table, partition, start=start, end=end, limit=limit)

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        first = operations[0]
        self._may("write", table, first.partition if isinstance(first, Delete) else first.row.partition)
        return await super().write(table, operations)

    def _may(self, call: str, table: str, partition: str) -> None:
        if fault := self.faults.get((call, table, partition)):
            raise fault


def faulty(tenant: FakeTenant) -> FaultyTables:
    assert isinstance(tenant.tables, FaultyTables)
    return tenant.tables


class SlowBus(FakeBus):
    """A bus that takes a minute for each message."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._slow = clock

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        await super().send(queue, body, message_id=message_id, correlation_id=correlation_id, at=at)
        if self._slow.now() >= ARBITRARY_MORNING + HOUR:
            self._slow.advance(MINUTE)


async def due_again(tenant: FakeTenant, count: int) -> list[str]:
    """Have activations end in ten minutes, whose messages are lost; the tick is not."""
    now, found = tenant.clock.now(), [f"{number:032x}" for number in range(count)]
    kept = list(tenant.bus.messages)
    for number, key in enumerate(found):
        wanted = replace(asked_for(key, ends_at=now + 10 * MINUTE), principal=f"account-{number}")
        await tenant.store.commit(begin(wanted, Happened(event=Event.ACCEPTED, at=now), command="run"), now=now)
    tenant.bus.messages[:] = kept
    return found


async def run_all(tenant: FakeTenant) -> None:
    """Deliver what may be delivered now, by the thousand: ``run`` looks through all messages for each."""
    while batch := [message for message in tenant.bus.messages if message.at <= tenant.clock.now()]:
        tenant.bus.messages = [message for message in tenant.bus.messages if message.at > tenant.clock.now()]
        for message in batch:
            if message.queue != "activation-events":
                await tenant.deliver(message)


def ticks(tenant: FakeTenant) -> list[FakeMessage]:
    return [message for message in tenant.bus.sent if message.queue == "ticks"]


def quarantined(tenant: FakeTenant) -> Mapping[str, object]:
    rows = [row for (table, _), found in tenant.tables.rows.items() if table == "quarantine" for row in found.values()]
    return next(row.values for row in rows if "queue" in row.values)
