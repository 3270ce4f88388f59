"""What the store promises about leases, holds, due rows and mails that are told once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.adapters import keys
from access.adapters.ledger import DUE_LIMIT, TELLING_LEASE, TRANSACTION, Ledger
from access.adapters.tables import Insert, Operation, Row, Tables, Value
from access.change import begin, move
from access.errors import Conflict, TryAgain
from access.events import Event, Happened
from access.hold import Before, Hold, Phase
from access.model import Activation, Due, Timing
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables
from tests.promises.samples import ACTIVATION, ADA_ADMIN, NOW, TARGET, WatchedTables, asked_for

HOUR = timedelta(hours=1)
OTHER_SHARD = next(key for key in (f"{n:032x}" for n in range(99)) if keys.shard(key) != keys.shard(ACTIVATION))
LEASE = timedelta(seconds=50)
"""Twice the call limit, and what clocks may differ by."""


@pytest.fixture
def store(tables: Tables, clock: FakeClock) -> Ledger:
    return Ledger(tables, FakeBus(clock), Timing())


async def given(store: Ledger, key: str = ACTIVATION) -> Activation:
    accepted = Happened(event=Event.ACCEPTED, at=NOW)
    return await store.commit(begin(asked_for(key), accepted, command="run-1"), now=NOW)


class TestTheLease:
    async def test_one_worker_at_a_time_drives_an_activation(self, store: Ledger) -> None:
        activation = await given(store)

        async with store.drive(activation, now=NOW):
            found = await store.activation(ACTIVATION)
            assert found is not None
            with pytest.raises(TryAgain) as busy:
                async with store.drive(found, now=NOW + timedelta(seconds=20)):
                    pass

        assert (busy.value.after, busy.value.fault) == (LEASE - timedelta(seconds=20), False)

    async def test_who_read_it_before_the_lease_was_taken_does_not_get_it(self, store: Ledger) -> None:
        activation = await given(store)

        async with store.drive(activation, now=NOW):
            with pytest.raises(TryAgain):
                async with store.drive(activation, now=NOW):
                    pass

    async def test_it_is_given_back_when_the_work_is_done(self, store: Ledger) -> None:
        async with store.drive(await given(store), now=NOW):
            pass

        found = await store.activation(ACTIVATION)
        assert found is not None
        assert found.leased_until is None

    async def test_it_is_given_back_when_the_work_fails(self, store: Ledger) -> None:
        with pytest.raises(ZeroDivisionError):
            async with store.drive(await given(store), now=NOW):
                raise ZeroDivisionError

        found = await store.activation(ACTIVATION)
        assert found is not None
        assert found.leased_until is None

    async def test_one_that_could_not_be_given_back_fails_nothing_and_runs_out(
        self, tables: Tables, clock: FakeClock
    ) -> None:
        watched = WatchedTables(tables)
        store = Ledger(watched, FakeBus(clock), Timing())
        async with store.drive(await given(store), now=NOW):
            watched.fault = lambda _table, _operations: TryAgain("the tables", after=LEASE, fault=True)
        watched.fault = lambda _table, _operations: None
        kept = await store.activation(ACTIVATION)
        assert kept is not None
        assert kept.leased_until == NOW + LEASE

        async with store.drive(kept, now=NOW + LEASE) as driven:
            assert driven.leased_until == NOW + 2 * LEASE

    async def test_a_commit_inside_gives_it_back(self, store: Ledger) -> None:
        async with store.drive(await given(store), now=NOW) as driven:
            written = await store.commit(move(driven, Happened(event=Event.PROVISIONED, at=NOW)), now=NOW)

        assert written.leased_until is None
        assert await store.activation(ACTIVATION) == written

    async def test_a_commit_can_take_it_and_only_who_committed_drives(self, store: Ledger) -> None:
        accepted = Happened(event=Event.ACCEPTED, at=NOW)
        written = await store.commit(begin(asked_for(), accepted, command="run-1"), now=NOW, lease=True)
        found = await store.activation(ACTIVATION)
        assert found == written
        assert found.leased_until == NOW + LEASE

        with pytest.raises(TryAgain):
            async with store.drive(found, now=NOW):
                pass
        async with store.drive(written, now=NOW) as driven:
            assert driven == written

        left = await store.activation(ACTIVATION)
        assert left is not None
        assert left.leased_until is None

    async def test_one_that_somebody_else_wrote_over_is_not_given_back(self, store: Ledger) -> None:
        async with store.drive(await given(store), now=NOW):
            found = await store.activation(ACTIVATION)
            assert found is not None
            other = await store.commit(move(found, Happened(event=Event.PROVISIONED, at=NOW)), now=NOW, lease=True)

        assert await store.activation(ACTIVATION) == other

    async def test_it_changes_nothing_that_counts(self, store: Ledger) -> None:
        before = await given(store)

        async with store.drive(before, now=NOW) as driven:
            assert replace(driven, leased_until=None, etag=before.etag) == before


class TestHolds:
    async def test_one_that_was_never_written_is_free_and_new(self, store: Ledger) -> None:
        assert await store.hold(ADA_ADMIN, TARGET) == Hold(principal=ADA_ADMIN, target=TARGET)

    async def test_it_is_read_as_it_was_written(self, store: Ledger) -> None:
        hold = replace(
            await store.hold(ADA_ADMIN, TARGET),
            phase=Phase.HELD,
            live={"a": NOW, "b": NOW + timedelta(hours=1)},
            roles={"a": "backup-operators"},
            released={"c": NOW},
            before=Before.NO,
            asked=1,
            until=NOW,
            by="a",
        )

        written = await store.write_hold(hold)

        assert await store.hold(ADA_ADMIN, TARGET) == written
        assert replace(written, etag="") == hold

    async def test_two_spellings_of_a_principal_are_one_hold(self, store: Ledger) -> None:
        written = await store.write_hold(Hold(principal="ada-0001", target=TARGET))

        assert await store.hold("ADA-0001", TARGET) == written

    async def test_of_two_who_make_it_one_conflicts(self, store: Ledger) -> None:
        free = await store.hold(ADA_ADMIN, TARGET)
        await store.write_hold(replace(free, asked=1))

        with pytest.raises(Conflict):
            await store.write_hold(replace(free, asked=2))

        assert (await store.hold(ADA_ADMIN, TARGET)).asked == 1

    async def test_of_two_who_change_it_one_conflicts(self, store: Ledger) -> None:
        read = await store.write_hold(await store.hold(ADA_ADMIN, TARGET))
        await store.write_hold(replace(read, asked=1))

        with pytest.raises(Conflict):
            await store.write_hold(replace(read, asked=2))

        assert (await store.hold(ADA_ADMIN, TARGET)).asked == 1


class TestDueRows:
    async def due(self, store: Ledger, minutes: float) -> list[Due]:
        return [row async for row in store.due(now=NOW + timedelta(minutes=minutes))]

    async def remind(self, store: Ledger, key: str, minutes: float) -> None:
        await store.remind(asked_for(key), NOW + timedelta(minutes=minutes))

    async def test_what_is_due_by_now_is_found_and_what_is_later_is_not(self, store: Ledger) -> None:
        for key, minutes in (("a1" * 16, 9.0), ("a2" * 16, 10.0), ("a3" * 16, 10 + 1 / 60)):
            await self.remind(store, key, minutes)

        assert [row.activation for row in await self.due(store, 10)] == ["a1" * 16, "a2" * 16]

    async def test_the_most_overdue_comes_first_whatever_its_shard(self, store: Ledger) -> None:
        keys_by_minute = [(f"{number:032x}", float(number * 7 % 20)) for number in range(20)]
        for key, minutes in keys_by_minute:
            await self.remind(store, key, minutes)

        found = await self.due(store, 60)

        assert len({row.shard for row in found}) > 1
        assert [row.activation for row in found] == [key for key, _ in sorted(keys_by_minute, key=lambda pair: pair[1])]

    async def test_a_row_says_which_activation_at_which_version(self, store: Ledger) -> None:
        activation = await given(store)

        await store.remind(activation, NOW + timedelta(minutes=1))

        row = next(row for row in await self.due(store, 1) if row.kind == "retry")
        assert (row.activation, row.version, row.at, row.since, row.tries) == (
            ACTIVATION,
            1,
            NOW + timedelta(minutes=1),
            NOW + timedelta(minutes=1),
            0,
        )
        assert row.shard == keys.shard(ACTIVATION)

    async def test_two_reminders_for_one_instant_are_two_rows(self, store: Ledger) -> None:
        await self.remind(store, ACTIVATION, 1)
        await self.remind(store, ACTIVATION, 1)

        assert len(await self.due(store, 1)) == 2

    async def test_a_row_that_is_armed_again_counts_its_tries_and_keeps_since_when_it_is_due(
        self, store: Ledger
    ) -> None:
        await self.remind(store, ACTIVATION, 1)
        (first,) = await self.due(store, 1)

        await store.rearm(first, NOW + timedelta(minutes=5))

        assert await self.due(store, 4) == []
        (again,) = await self.due(store, 5)
        assert (again.at, again.since, again.tries) == (NOW + timedelta(minutes=5), first.since, 1)
        assert (again.kind, again.version, again.shard) == (first.kind, first.version, first.shard)

    async def test_of_two_sweeps_that_meet_at_a_row_one_puts_it_off(self, store: Ledger) -> None:
        await self.remind(store, ACTIVATION, 1)
        (met,) = await self.due(store, 1)

        await store.rearm(met, NOW + timedelta(minutes=5))
        await store.rearm(met, NOW + timedelta(minutes=6))

        assert [row.at for row in await self.due(store, 10)] == [NOW + timedelta(minutes=5)]

    async def test_a_row_that_was_dropped_meanwhile_is_not_armed_again(self, store: Ledger) -> None:
        await self.remind(store, ACTIVATION, 1)
        (met,) = await self.due(store, 1)

        await store.drop([met])
        await store.rearm(met, NOW + timedelta(minutes=5))

        assert await self.due(store, 10) == []

    async def test_what_has_waited_longest_comes_first_though_it_was_armed_again(self, store: Ledger) -> None:
        await self.remind(store, "a1" * 16, 1)
        (old,) = await self.due(store, 1)
        await self.remind(store, "a2" * 16, 2)
        await store.rearm(old, NOW + timedelta(minutes=5))

        assert [row.activation for row in await self.due(store, 5)] == ["a1" * 16, "a2" * 16]

    async def test_rows_that_are_dropped_are_gone_and_dropping_them_again_is_fine(self, store: Ledger) -> None:
        for activation in (ACTIVATION, ACTIVATION, OTHER_SHARD):
            await self.remind(store, activation, 1)
        rows = await self.due(store, 1)
        assert len(rows) == 3

        await store.drop(rows[:1])
        await store.drop(rows)
        await store.drop(rows)

        assert await self.due(store, 1) == []

    async def test_rows_of_one_shard_are_dropped_together(self, tables: Tables, clock: FakeClock) -> None:
        watched = WatchedTables(tables)
        store = Ledger(watched, FakeBus(clock), Timing())
        await fill(watched, TRANSACTION + 10, since=NOW)
        rows = await self.due(store, TRANSACTION + 10)
        written: list[int] = []

        def count(_: str, operations: Sequence[Operation]) -> None:
            written.append(len(operations))

        watched.fault = count
        await store.drop(rows)

        assert written == [TRANSACTION, 10]

    async def test_one_look_takes_the_most_overdue_of_all_however_many_pages_are_due(
        self, store: Ledger, tables: Tables
    ) -> None:
        await fill(tables, DUE_LIMIT + 10, since=NOW)
        await self.remind(store, OTHER_SHARD, -60.0)

        found = [row async for row in store.due(now=NOW + HOUR, limit=20)]

        assert len(found) == 20
        assert found[0].activation == OTHER_SHARD
        assert max(row.at for row in found) == NOW + timedelta(seconds=10)

    async def test_a_row_that_rests_stays_where_it_is_counted_and_is_not_yielded_before_its_time(
        self, store: Ledger
    ) -> None:
        await self.remind(store, ACTIVATION, 1)
        (first,) = await self.due(store, 1)

        await store.rest(first, NOW + timedelta(minutes=5))

        assert await self.due(store, 4) == []
        assert await self.due(store, 5) == [replace(first, tries=1)]

    async def test_rows_that_rest_hide_nothing_that_is_due_after_them(self, store: Ledger, tables: Tables) -> None:
        await fill(tables, DUE_LIMIT + 10, since=NOW, rests_until=keys.instant(NOW + 2 * HOUR))
        await self.remind(store, ACTIVATION, 50)

        assert [row.activation for row in await self.due(store, 60)] == [ACTIVATION]

    async def test_a_row_that_can_not_be_read_is_said_and_hides_no_other(
        self, store: Ledger, tables: Tables, caplog: pytest.LogCaptureFixture
    ) -> None:
        shard = keys.shard(ACTIVATION)
        named = keys.due(NOW, ACTIVATION, 1, "0a")
        for key, values in (("20260302", {}), (f"{named}1", {"tries": "many"}), (f"{named}2", {"since": "never"})):
            await tables.write("due", [Insert(Row(partition=shard, key=key, values=dict(values)))])
        await self.remind(store, ACTIVATION, 50)

        assert [row.kind for row in await self.due(store, 60)] == ["retry"]
        assert [record.message for record in caplog.records] == ["due.row_unreadable"] * 3

    async def test_a_row_that_lost_its_values_still_says_what_to_look_at(self, store: Ledger, tables: Tables) -> None:
        bare = Row(partition=keys.shard(ACTIVATION), key=keys.due(NOW, ACTIVATION, 7, "0a"))
        await tables.write("due", [Insert(bare)])

        (row,) = await self.due(store, 1)

        assert (row.activation, row.version, row.since, row.tries) == (ACTIVATION, 7, NOW, 0)

    async def test_a_shard_that_can_not_be_read_keeps_no_other_from_being_read_and_is_not_kept_quiet(
        self, tables: Tables, clock: FakeClock
    ) -> None:
        watched = WatchedTables(tables)
        store = Ledger(watched, FakeBus(clock), Timing())
        for key in (ACTIVATION, OTHER_SHARD):
            await self.remind(store, key, 1)
        watched.unread = keys.shard(ACTIVATION)
        rows = store.due(now=NOW + HOUR)

        assert (await anext(rows)).activation == OTHER_SHARD
        with pytest.raises(TryAgain):
            await anext(rows)

    async def test_a_look_where_nothing_is_due_costs_one_query_for_each_shard(self, clock: FakeClock) -> None:
        tables = FakeTables()
        store = Ledger(tables, FakeBus(clock), Timing())
        await self.remind(store, ACTIVATION, 90)
        tables.calls.clear()

        assert await self.due(store, 60) == []
        assert tables.calls == [("query", "due")] * 16


async def fill(tables: Tables, count: int, *, since: datetime, **more: Value) -> None:
    """Write due rows of one activation, ten for each second."""
    shard = keys.shard(ACTIVATION)
    values: dict[str, Value] = {"kind": "now", "version": 1, "since": keys.instant(since), "tries": 0}
    for start in range(0, count, 10):
        at = NOW + timedelta(seconds=start)
        written = [keys.due(at, ACTIVATION, 1, f"{number:08x}") for number in range(10)]
        rows = [Row(partition=shard, key=key, values={**values, **more}) for key in written]
        await tables.write("due", [Insert(row) for row in rows])


class TestAMailThatIsToldOnce:
    async def test_the_first_may_tell_and_nobody_after_it_was_told(self, store: Ledger) -> None:
        assert await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)
        await store.told(ACTIVATION, "activated-ada", now=NOW)

        assert not await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)
        assert not await store.begin_telling(ACTIVATION, "activated-ada", now=NOW + timedelta(days=30))

    async def test_another_mail_is_another_matter(self, store: Ledger) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

        assert await store.begin_telling(ACTIVATION, "ended-ada", now=NOW)

    async def test_a_second_worker_waits_while_the_first_is_at_it(self, store: Ledger) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

        with pytest.raises(TryAgain) as busy:
            await store.begin_telling(ACTIVATION, "activated-ada", now=NOW + timedelta(seconds=1))

        assert not busy.value.fault

    async def test_after_a_crash_in_between_the_next_one_tells_once_the_first_has_had_its_time(
        self, store: Ledger
    ) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

        assert await store.begin_telling(ACTIVATION, "activated-ada", now=NOW + TELLING_LEASE)

    async def test_the_wait_is_for_what_is_left_of_the_first_ones_time(self, store: Ledger) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

        with pytest.raises(TryAgain) as busy:
            await store.begin_telling(ACTIVATION, "activated-ada", now=NOW + timedelta(seconds=50))

        assert busy.value.after == TELLING_LEASE - timedelta(seconds=50)

    async def test_who_could_not_send_leaves_it_to_the_next_one_at_once(self, store: Ledger) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)
        await store.stop_telling(ACTIVATION, "activated-ada", began=NOW)

        assert await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

    async def test_who_gives_up_late_takes_nothing_from_who_took_over(self, store: Ledger) -> None:
        late = NOW + TELLING_LEASE
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)
        await store.begin_telling(ACTIVATION, "activated-ada", now=late)
        await store.stop_telling(ACTIVATION, "activated-ada", began=NOW)

        with pytest.raises(TryAgain):
            await store.begin_telling(ACTIVATION, "activated-ada", now=late)

        await store.told(ACTIVATION, "activated-ada", now=late)
        await store.stop_telling(ACTIVATION, "activated-ada", began=late)
        assert not await store.begin_telling(ACTIVATION, "activated-ada", now=late)

    async def test_nothing_is_given_back_that_nobody_took(self, store: Ledger) -> None:
        await store.stop_telling(ACTIVATION, "activated-ada", began=NOW)

        assert await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)

    async def test_of_two_who_take_over_after_a_crash_one_tells(self, store: Ledger) -> None:
        await store.begin_telling(ACTIVATION, "activated-ada", now=NOW)
        late = NOW + TELLING_LEASE

        tries = [store.begin_telling(ACTIVATION, "activated-ada", now=late) for _ in range(8)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)

        assert outcomes.count(True) == 1
        assert sum(isinstance(outcome, TryAgain) for outcome in outcomes) == 7
