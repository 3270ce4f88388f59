"""Only one of several hosts runs a timer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from local.host.lease import LeaseTerms, SoleHolder

QUICK = LeaseTerms(length=15, renew_every=0.01, ask_every=0.01)


class OneLease:
    """A lease that one holder has at a time; it can be taken away, and the store can be down."""

    def __init__(self) -> None:
        self.held_by: str | None = None
        self.acquired = 0
        self.down = False
        self.refused = 0

    async def acquire(self, seconds: int) -> str | None:
        self._answer()
        if self.held_by is not None:
            return None
        self.acquired += 1
        self.held_by = f"lease-{self.acquired}"
        return self.held_by

    async def renew(self, lease_id: str) -> bool:
        self._answer()
        return self.held_by == lease_id

    async def release(self, lease_id: str) -> None:
        self._answer()
        if self.held_by == lease_id:
            self.held_by = None

    def _answer(self) -> None:
        if self.down:
            self.refused += 1
            raise ConnectionError("the store is down")


class Work:
    """Work that never ends by itself, and counts."""

    def __init__(self) -> None:
        self.under_way = 0
        self.begun = 0
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def __call__(self) -> None:
        self.begun += 1
        self.under_way += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.under_way -= 1

    async def finish(self) -> None:
        await self.may_finish.wait()


@contextlib.asynccontextmanager
async def holding(store: OneLease, work: Work) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(SoleHolder("tick", store, QUICK).run(work, finish=work.finish))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(("after_seconds", "expected"), [(0.0, True), (9.9, True), (10.0, False), (15.0, False)])
def test_a_lease_counts_as_held_only_while_nobody_else_could_have_it(after_seconds: float, *, expected: bool) -> None:
    assert LeaseTerms().still_held(renewed_at=100.0, now=100.0 + after_seconds) is expected


async def test_of_two_hosts_one_works_and_the_other_takes_over() -> None:
    store, first, second = OneLease(), Work(), Work()

    async with holding(store, first) as one:
        await eventually(lambda: first.under_way)
        async with holding(store, second):
            assert second.begun == 0
            one.cancel()
            await eventually(lambda: second.under_way)
            assert first.under_way == 0


async def test_work_stops_when_the_lease_is_taken_away_and_begins_again_when_it_is_free() -> None:
    store, work = OneLease(), Work()

    async with holding(store, work):
        await eventually(lambda: work.under_way)
        store.held_by = "someone else"
        await eventually(lambda: not work.under_way)
        store.held_by = None
        await eventually(lambda: work.begun == 2)


async def test_a_store_that_is_down_for_a_moment_does_not_stop_the_work() -> None:
    store, work = OneLease(), Work()

    async with holding(store, work):
        await eventually(lambda: work.under_way)
        store.down = True
        await eventually(lambda: store.refused >= 3)
        store.down = False

        assert (work.begun, work.under_way) == (1, 1)


async def test_a_host_that_drains_keeps_the_lease_until_its_run_has_ended() -> None:
    store, work = OneLease(), Work()
    work.may_finish.clear()

    async with holding(store, work) as holder:
        await eventually(lambda: work.under_way)
        holder.cancel()
        await eventually(lambda: not work.under_way)
        assert store.held_by is not None
        work.may_finish.set()
        await eventually(lambda: store.held_by is None)
