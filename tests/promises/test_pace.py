"""What the pace promises: all hosts together keep to the quota, removals first, and nobody is stopped by the row itself."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from access import pace
from access.adapters import keys
from access.adapters.pace import PATIENCE, TablePace
from access.adapters.tables import Operation, Row, Tables
from access.errors import Conflict, Throttled, TryAgain
from access.pace import HELD_AT_MOST, REMOVALS_FIRST, Lane, Quota
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables

QUOTA = Quota(writes=20, window=timedelta(seconds=30))
SECOND = timedelta(seconds=1)


def host(tables: Tables, clock: FakeClock, quota: Quota = QUOTA) -> TablePace:
    return TablePace(tables, clock, quota)


async def turns(one: TablePace, lane: Lane, count: int, clock: FakeClock) -> list[datetime]:
    """Take turns one after the other, put off where it must be; return when each came."""
    times: list[datetime] = []
    while len(times) < count:
        try:
            await one.turn(lane)
            times.append(clock.now())
        except TryAgain as later:
            await clock.sleep(later.after)
    return times


def overruns(times: Sequence[datetime], quota: Quota = QUOTA) -> list[datetime]:
    """Return where a window begins that holds more than the quota."""
    return [at for at in times if sum(at <= other < at + quota.window for other in times) > quota.writes]


class TestTheQuota:
    async def test_a_burst_is_let_through_at_once_up_to_the_quota(self, tables: Tables, clock: FakeClock) -> None:
        began = clock.now()

        times = await turns(host(tables, clock), Lane.REMOVAL, QUOTA.writes, clock)

        assert set(times) == {began}

    async def test_what_is_beyond_it_waits_in_place_until_the_window_frees(
        self, tables: Tables, clock: FakeClock
    ) -> None:
        began = clock.now()

        times = await turns(host(tables, clock), Lane.REMOVAL, QUOTA.writes * 3, clock)

        assert times[QUOTA.writes] == began + QUOTA.counted_for
        assert times[-1] == began + QUOTA.counted_for * 2
        assert overruns(times) == []

    async def test_hosts_that_take_turns_share_one_quota(self, tables: Tables, clock: FakeClock) -> None:
        hosts = [host(tables, clock) for _ in range(3)]

        times = [(await turns(one, Lane.REMOVAL, 1, clock))[0] for one in itertools.islice(itertools.cycle(hosts), 70)]

        assert overruns(times) == []

    async def test_hosts_that_race_on_the_row_share_one_quota(self, tables: Tables, clock: FakeClock) -> None:
        found = await asyncio.gather(*(turns(host(tables, clock), Lane.REMOVAL, 20, clock) for _ in range(4)))

        times = [at for some in found for at in some]
        assert len(times) == 80
        assert overruns(times) == []

    async def test_what_a_host_took_and_did_not_use_in_time_is_lost_not_used_later(
        self, tables: Tables, clock: FakeClock
    ) -> None:
        one, other = host(tables, clock), host(tables, clock)
        began = clock.now()
        await turns(one, Lane.REMOVAL, 9, clock)  # blocks of 1, 2, 4 and 3, a quarter of what is left: one is left
        clock.advance(pace.SLOT_LIFE)

        times = await turns(one, Lane.REMOVAL, 1, clock) + await turns(other, Lane.REMOVAL, 10, clock)

        assert times[:10] == [began + pace.SLOT_LIFE] * 10
        assert times[10] == began + QUOTA.counted_for

    async def test_no_slot_within_a_minute_puts_the_work_off_until_there_is_one(
        self, tables: Tables, clock: FakeClock
    ) -> None:
        slow = Quota(writes=1, window=timedelta(minutes=10))
        one, began = host(tables, clock, slow), clock.now()
        await one.turn(Lane.REMOVAL)

        with pytest.raises(TryAgain) as later:
            await one.turn(Lane.REMOVAL)

        assert clock.now() == began + PATIENCE
        assert not later.value.fault
        assert clock.now() + later.value.after == began + slow.counted_for


class TestTheLanes:
    async def test_a_flood_of_grants_leaves_removals_their_turn_at_once(self, tables: Tables, clock: FakeClock) -> None:
        began = clock.now()
        grants = await turns(host(tables, clock), Lane.GRANT, 16, clock)

        removals = await turns(host(tables, clock), Lane.REMOVAL, 4, clock)

        assert set(grants) | set(removals) == {began}

    async def test_grants_wait_for_removals_of_another_host(self, tables: Tables, clock: FakeClock) -> None:
        began = clock.now()
        await turns(host(tables, clock), Lane.REMOVAL, QUOTA.writes + 1, clock)

        (grant,) = await turns(host(tables, clock), Lane.GRANT, 1, clock)

        assert grant == began + QUOTA.counted_for + REMOVALS_FIRST


class TestTheVendorsWord:
    @pytest.mark.parametrize("lane", Lane)
    async def test_every_host_waits_where_one_was_told_to(self, tables: Tables, clock: FakeClock, lane: Lane) -> None:
        told, other, began = host(tables, clock), host(tables, clock), clock.now()
        await turns(told, lane, 3, clock)

        await told.heed(Throttled("the directory (429)", after=20 * SECOND, fault=True))

        assert await turns(told, lane, 1, clock) == await turns(other, lane, 1, clock) == [began + 20 * SECOND]

    async def test_days_are_minutes(self, tables: Tables, clock: FakeClock) -> None:
        one, began = host(tables, clock), clock.now()
        await one.heed(Throttled("the directory (503)", after=timedelta(days=2), fault=True))

        with pytest.raises(TryAgain) as later:
            await one.turn(Lane.REMOVAL)

        assert clock.now() + later.value.after == began + HELD_AT_MOST

    async def test_a_fault_that_is_no_demand_to_wait_holds_nobody_back(self, tables: Tables, clock: FakeClock) -> None:
        one, began = host(tables, clock), clock.now()
        await one.turn(Lane.REMOVAL)

        await one.heed(TryAgain("the directory (no answer)", after=20 * SECOND, fault=True))

        assert await turns(one, Lane.REMOVAL, 1, clock) == [began]

    async def test_a_shorter_word_after_a_longer_one_changes_nothing(self, tables: Tables, clock: FakeClock) -> None:
        one, began = host(tables, clock), clock.now()
        for seconds in (20, 5):
            await one.heed(Throttled("the directory (429)", after=seconds * SECOND, fault=True))

        assert await turns(one, Lane.REMOVAL, 1, clock) == [began + 20 * SECOND]


class TroubledTables(FakeTables):
    """Tables whose writes, or reads and writes, of one table fail as told, from the beginning or after so many."""

    def __init__(self, fault: Exception, *, well_for: int = 0) -> None:
        super().__init__()
        self.fault, self.well_for = fault, well_for

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if self.well_for == 0:
            raise self.fault
        self.well_for -= 1
        return await super().write(table, operations)


OUTAGE = TryAgain("the tables", after=5 * SECOND, fault=True)


class TestWithoutTheRow:
    @pytest.mark.parametrize("fault", [OUTAGE, Conflict("row")], ids=["outage", "contested"])
    async def test_removals_go_on_after_a_moment(self, clock: FakeClock, fault: Exception) -> None:
        one, began = host(TroubledTables(fault), clock), clock.now()

        assert await turns(one, Lane.REMOVAL, 3, clock) == [began + n * SECOND for n in (1, 2, 3)]

    @pytest.mark.parametrize("fault", [OUTAGE, Conflict("row")], ids=["outage", "contested"])
    async def test_grants_are_put_off(self, clock: FakeClock, fault: Exception) -> None:
        one = host(TroubledTables(fault), clock)

        with pytest.raises(TryAgain) as later:
            await one.turn(Lane.GRANT)

        assert later.value.after == REMOVALS_FIRST

    @pytest.mark.parametrize("fault", [OUTAGE, Conflict("row")], ids=["outage", "contested"])
    async def test_the_vendors_word_is_lost_but_nothing_else(self, clock: FakeClock, fault: Exception) -> None:
        one = host(TroubledTables(fault), clock)

        await one.heed(Throttled("the directory (429)", after=20 * SECOND, fault=True))

    async def test_a_removal_still_waits_where_only_the_word_to_the_grants_is_lost(self, clock: FakeClock) -> None:
        one, began = host(TroubledTables(OUTAGE, well_for=12), clock), clock.now()
        await turns(one, Lane.REMOVAL, QUOTA.writes, clock)  # blocks of 1, 2, 4, 3, 2, 2, and the last six one by one

        assert await turns(one, Lane.REMOVAL, 1, clock) == [began + QUOTA.counted_for + SECOND]

    async def test_a_worker_that_hangs_at_the_row_keeps_the_others_of_its_process_for_seconds_only(
        self, clock: FakeClock
    ) -> None:
        class Hanging(FakeTables):
            async def get(self, table: str, partition: str, key: str) -> Row | None:
                if not self.calls:
                    self.calls.append(("get", table))
                    await asyncio.Event().wait()
                return await super().get(table, partition, key)

        one, began = host(Hanging(), clock), clock.now()
        hanging = asyncio.create_task(one.turn(Lane.REMOVAL))
        await asyncio.sleep(0)

        assert await turns(one, Lane.REMOVAL, 1, clock) == [began + 2 * SECOND]
        hanging.cancel()


class TestWhatItCosts:
    async def test_a_single_write_of_a_host_that_knows_the_row_costs_one_write(self, clock: FakeClock) -> None:
        tables = FakeTables()
        one = host(tables, clock, Quota())
        await one.turn(Lane.REMOVAL)
        tables.calls.clear()

        for _ in range(5):
            clock.advance(timedelta(minutes=1))
            await one.turn(Lane.REMOVAL)

        assert tables.calls == [("write", "control")] * 5

    async def test_a_storm_takes_blocks(self, clock: FakeClock) -> None:
        tables = FakeTables()

        await asyncio.gather(*(turns(host(tables, clock, Quota()), Lane.REMOVAL, 500, clock) for _ in range(2)))

        assert len(tables.calls) < 100  # for 1,000 turns

    async def test_the_row_stays_small(self, tables: Tables, clock: FakeClock) -> None:
        one = host(tables, clock, Quota())
        for _ in range(400):
            clock.advance(SECOND)
            await one.turn(Lane.REMOVAL)

        row = await tables.get("control", keys.PACE, keys.GRAPH)
        assert row is not None
        assert len(str(row.values["taken"])) < 4_000
