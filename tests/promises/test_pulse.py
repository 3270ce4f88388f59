"""What the pulse promises: the last sweep is read as it was written, and of all who ask for the next tick one gets it."""

import asyncio
from datetime import timedelta

import pytest

from access.adapters import keys
from access.adapters.pulse import TablePulse
from access.adapters.tables import Insert, Row, Tables
from access.errors import TryAgain
from access.ports import Beat, Pulse
from tests.promises.samples import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def pulse(tables: Tables) -> Pulse:
    return TablePulse(tables)


class TestTheHeartbeat:
    async def test_before_the_first_sweep_there_is_none(self, pulse: Pulse) -> None:
        assert await pulse.last_beat() is None

    async def test_it_is_read_as_it_was_written_and_the_last_one_counts(self, pulse: Pulse) -> None:
        await pulse.beat(Beat(began=NOW, ended=NOW, started_by="timer"))
        second = Beat(
            began=NOW + MINUTE,
            ended=NOW + MINUTE + SECOND,
            started_by="tick",
            due=5,
            sent=3,
            dropped=1,
            failed=1,
            dead_letters=2,
        )

        await pulse.beat(second)

        assert await pulse.last_beat() == second


class TestTheTick:
    async def claim(self, pulse: Pulse, seconds: float, *, dies: bool = False) -> bool:
        """Claim the next tick, and send it unless the worker ``dies``; whether it was ours."""
        now = NOW + seconds * SECOND
        try:
            claim = await pulse.claim_tick(now + MINUTE, now=now)
        except TryAgain:
            return False
        if claim is not None and not dies:
            await pulse.tick_sent(claim, now + MINUTE, now=now)
        return claim is not None

    async def test_the_first_who_asks_sends_it_and_nobody_else_until_it_has_come(self, pulse: Pulse) -> None:
        assert await self.claim(pulse, 0)
        assert [await self.claim(pulse, seconds) for seconds in (0, 10, 44)] == [False] * 3
        assert await self.claim(pulse, 60)
        assert not await self.claim(pulse, 61)

    async def test_a_clock_that_is_ten_seconds_behind_another_finds_that_it_has_come(self, pulse: Pulse) -> None:
        assert await self.claim(pulse, 5)
        assert await self.claim(pulse, 60 - 5)

    async def test_of_many_who_ask_at_once_one_gets_it(self, pulse: Pulse) -> None:
        assert sorted(await asyncio.gather(*(self.claim(pulse, 0) for _ in range(8)))) == [False] * 7 + [True]
        assert sorted(await asyncio.gather(*(self.claim(pulse, 60) for _ in range(8)))) == [False] * 7 + [True]

    async def test_one_that_got_lost_is_replaced_once_its_time_has_passed(self, pulse: Pulse) -> None:
        assert await self.claim(pulse, 0)
        assert await self.claim(pulse, 3600)

    async def test_one_that_was_claimed_and_never_sent_is_for_another_worker_soon(self, pulse: Pulse) -> None:
        assert await self.claim(pulse, 0, dies=True)
        assert [await self.claim(pulse, seconds) for seconds in (1, 19)] == [False, False]

        assert await self.claim(pulse, 20)
        assert not await self.claim(pulse, 40)

    async def test_while_nobody_has_said_that_it_was_sent_whoever_asks_is_told_to_come_again(
        self, pulse: Pulse
    ) -> None:
        await self.claim(pulse, 0, dies=True)

        with pytest.raises(TryAgain):
            await pulse.claim_tick(NOW + MINUTE, now=NOW + SECOND)

    async def test_who_says_too_late_that_it_was_sent_changes_nothing(self, pulse: Pulse) -> None:
        frozen = await pulse.claim_tick(NOW + MINUTE, now=NOW)
        assert frozen is not None
        assert await self.claim(pulse, 30, dies=True)

        await pulse.tick_sent(frozen, NOW + MINUTE, now=NOW)

        assert await self.claim(pulse, 50)

    async def test_one_that_can_be_none_of_ours_stops_nothing(self, pulse: Pulse, tables: Tables) -> None:
        absurd = {"next_at": keys.instant(NOW + timedelta(days=365))}
        await tables.write("control", [Insert(Row(partition=keys.HEARTBEAT, key=keys.TICK, values=absurd))])

        assert await self.claim(pulse, 0)

    async def test_one_that_could_not_be_sent_is_for_whoever_asks_next(self, pulse: Pulse) -> None:
        assert await self.claim(pulse, 0)
        await pulse.disclaim_tick()

        assert await self.claim(pulse, 1)

    async def test_giving_back_what_nobody_has_is_fine(self, pulse: Pulse) -> None:
        await pulse.disclaim_tick()

        assert await self.claim(pulse, 0)
