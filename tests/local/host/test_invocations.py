"""One invocation, and a timer's runs, with a worker that a test controls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.host.errors import FunctionFailed
from local.host.functions import Binding, Function, Retry
from local.host.invocations import Invocations
from local.host.lease import LeaseTerms, SoleHolder
from local.host.ncrontab import Schedule
from local.host.rpc import TypedData
from local.host.timer_listener import TimerListener, utc_now
from local.host.timer_status import TimerStatus
from local.host.worker import Outcome

OUTPUT = Binding("serviceBus", "copy", {})
RETURN = Binding("http", "$return", {})
TIMER = Binding("timerTrigger", "timer", {})


class ScriptedWorker:
    """A worker whose functions do what the test says; it remembers what it was asked."""

    def __init__(self, body: Callable[[], Awaitable[Outcome]]) -> None:
        self.body = body
        self.attempts: list[int] = []
        self.given: list[TypedData] = []

    async def invoke(
        self,
        function: Function,
        invocation_id: str,
        data: TypedData,
        metadata: Mapping[str, TypedData],
        *,
        attempt: int = 0,
    ) -> Outcome:
        self.attempts.append(attempt)
        self.given.append(data)
        return await self.body()


class Sent:
    """Outputs that are only remembered, or that can't be sent."""

    def __init__(self, *, broken: bool = False) -> None:
        self.values: list[tuple[str, Any]] = []
        self.broken = broken

    async def send(self, output: Binding, value: TypedData) -> None:
        if self.broken:
            raise ConnectionError("no broker")
        self.values.append((output.name, value.string))


class RememberedStatus:
    """The status of a timer in memory."""

    def __init__(self, status: TimerStatus | None = None) -> None:
        self.status = status
        self.written = asyncio.Event()

    async def read(self) -> TimerStatus | None:
        return self.status

    async def write(self, status: TimerStatus) -> None:
        self.status = status
        self.written.set()


class HeldAlready:
    """A lease that is always ours."""

    async def acquire(self, seconds: int) -> str | None:
        return "lease"

    async def renew(self, lease_id: str) -> bool:
        return True

    async def release(self, lease_id: str) -> None:
        return


async def failure() -> Outcome:
    raise FunctionFailed("RuntimeError: always")


async def for_ever() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def test_outputs_are_sent_when_the_function_has_returned() -> None:
    async def answers() -> Outcome:
        return Outcome(TypedData(string="answer"), {"copy": TypedData(string="a copy")})

    sent = Sent()

    returned = await Invocations(ScriptedWorker(answers), sent, timeout=None).run(
        Function("f", "1", TIMER, (OUTPUT, RETURN)), TypedData()
    )

    assert returned.string == "answer"
    assert sent.values == [("copy", "a copy")], "an HTTP answer is nobody's output"


async def test_an_output_that_can_not_be_sent_fails_the_invocation() -> None:
    async def answers() -> Outcome:
        return Outcome(None, {"copy": TypedData(string="a copy")})

    invocations = Invocations(ScriptedWorker(answers), Sent(broken=True), timeout=None)

    with pytest.raises(FunctionFailed, match="no broker"):
        await invocations.run(Function("f", "1", TIMER, (OUTPUT,)), TypedData())


async def test_a_function_that_runs_too_long_is_ended() -> None:
    invocations = Invocations(ScriptedWorker(for_ever), Sent(), timeout=timedelta(milliseconds=10))

    with pytest.raises(FunctionFailed, match="exceeded by 'Functions"):
        await invocations.run(Function("f", "1", TIMER), TypedData())
    assert invocations.running == 0


async def test_the_host_is_idle_when_nothing_runs() -> None:
    release = asyncio.Event()

    async def waits() -> Outcome:
        await release.wait()
        return Outcome(None, {})

    invocations = Invocations(ScriptedWorker(waits), Sent(), timeout=None)
    await invocations.wait_until_idle()
    run = asyncio.create_task(invocations.run(Function("f", "1", TIMER), TypedData()))
    idle = asyncio.create_task(invocations.wait_until_idle())
    await asyncio.sleep(0)

    assert invocations.running == 1
    release.set()
    await asyncio.gather(run, idle)
    assert invocations.running == 0


def timer_of(
    worker: ScriptedWorker,
    store: RememberedStatus,
    *,
    schedule: str,
    retry: Retry | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Any:
    function = Function("tick", "1", TIMER, retry=retry)
    listener = TimerListener(
        function, Schedule.parse(schedule), Invocations(worker, Sent(), timeout=None), store, now=now
    )
    return listener.run(SoleHolder("tick", HeldAlready(), LeaseTerms()))


def overdue() -> TimerStatus:
    last = datetime(2020, 1, 1, tzinfo=UTC)
    return TimerStatus(last=last, next=datetime(2021, 1, 1, tzinfo=UTC), updated=last)


async def run_until(store: RememberedStatus, timer: Any) -> TimerStatus:
    task = asyncio.create_task(timer)
    async with asyncio.timeout(10):
        await store.written.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert store.status is not None
    return store.status


async def test_the_status_of_a_timer_moves_on_even_when_its_function_failed() -> None:
    worker, store = ScriptedWorker(failure), RememberedStatus(overdue())

    status = await run_until(store, timer_of(worker, store, schedule="0 0 0 1 1 *"))

    assert '"IsPastDue": true' in worker.given[0].json
    assert status.next > datetime.now(UTC)


async def test_a_failed_timer_is_tried_again_as_its_retry_policy_says() -> None:
    worker, store = ScriptedWorker(failure), RememberedStatus(overdue())
    retry = Retry(again=2, fixed=timedelta(), minimum=timedelta(), maximum=timedelta())

    await run_until(store, timer_of(worker, store, schedule="0 0 0 1 1 *", retry=retry))

    assert worker.attempts == [0, 1, 2]


async def test_a_timer_never_overlaps_itself() -> None:
    happened: list[str] = []
    clock = [datetime(2026, 1, 5, 12, tzinfo=UTC)]
    release, enough = asyncio.Event(), asyncio.Event()

    async def slower_than_its_schedule() -> Outcome:
        happened.append("begun")
        # Meanwhile the clock passes a thousand moments at which it should run again.
        clock[0] += timedelta(seconds=1000)
        await release.wait()
        happened.append("ended")
        if happened.count("ended") == 3:
            enough.set()
        return Outcome(None, {})

    store = RememberedStatus(overdue())
    timer = timer_of(ScriptedWorker(slower_than_its_schedule), store, schedule="* * * * * *", now=lambda: clock[0])
    task = asyncio.create_task(timer)
    asyncio.get_running_loop().call_later(0.05, release.set)
    async with asyncio.timeout(20):
        while not enough.is_set():
            clock[0] += timedelta(seconds=1)
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert happened[:6] == ["begun", "ended"] * 3
