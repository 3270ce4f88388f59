"""A timer trigger: wait, run, remember. It never overlaps itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from local.host.errors import FunctionFailed
from local.host.functions import Function
from local.host.invocations import Invocations
from local.host.lease import SoleHolder
from local.host.log import host_log
from local.host.ncrontab import Schedule
from local.host.rpc import TypedData
from local.host.timer_status import StatusStore, TimerStatus, after_run, begin, payload

# A laptop that slept wakes up late: the clock is read again at least this often.
_LONGEST_SLEEP = timedelta(seconds=30)
_STORE_PAUSE = 2.0


def utc_now() -> datetime:
    """Return the instant it is."""
    return datetime.now(UTC)


class TimerListener:
    """Runs one function by its schedule, while this host is the one to do so."""

    def __init__(
        self,
        function: Function,
        schedule: Schedule,
        invocations: Invocations,
        store: StatusStore,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._invocations = invocations
        self._store = store
        self._now = now
        self._run_on_startup = function.trigger.flag("runOnStartup", default=False)
        self._monitored = function.trigger.flag("useMonitor", default=True)
        self._runs: set[asyncio.Task[TimerStatus]] = set()

    async def run(self, holder: SoleHolder) -> None:
        """Run the timer while the lease is held, until cancelled; a run under way then still ends."""
        await holder.run(self._tick, finish=self.wait_until_done)

    async def wait_until_done(self) -> None:
        """Return when no run is under way."""
        while self._runs:
            await asyncio.wait(self._runs)

    async def _tick(self) -> None:
        # The holder of the lease before us may have been in the middle of a run.
        await self.wait_until_done()
        remembered = await self._again(self._store.read) if self._monitored else None
        start = begin(remembered, self._schedule, now=self._now(), run_on_startup=self._run_on_startup)
        status = start.status
        if self._monitored and status != remembered:
            await self._again(lambda: self._store.write(status))
        if start.run_now:
            status = await self._once(status, past_due=start.past_due)
        while True:
            await self._sleep_until(
                status.next if status.next > self._now() else self._schedule.next_after(self._now())
            )
            status = await self._once(status, past_due=False)

    async def _once(self, status: TimerStatus, *, past_due: bool) -> TimerStatus:
        # A task of its own: when the lease goes, or the host drains, the run ends in its own time.
        run = asyncio.create_task(self._run_and_remember(status, past_due=past_due))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return await asyncio.shield(run)

    async def _run_and_remember(self, status: TimerStatus, *, past_due: bool) -> TimerStatus:
        started_at = self._now()
        text = payload(status if self._monitored else None, past_due=past_due)
        await self._with_retries(TypedData(json=text))
        moved = after_run(self._schedule, started_at=started_at)
        if self._monitored:
            try:
                await self._store.write(moved)
            except Exception as error:  # noqa: BLE001 - the next run writes again
                host_log.warning("Status of timer '%s' not written: %s", self._function.name, error)
        return moved

    async def _with_retries(self, data: TypedData) -> None:
        attempt = 0
        while True:
            try:
                await self._invocations.run(self._function, data, attempt=attempt)
            except FunctionFailed:
                attempt += 1
                retry = self._function.retry
                if retry is None or not retry.allows(attempt):
                    return
                await asyncio.sleep(retry.pause(attempt).total_seconds())
            else:
                return

    async def _sleep_until(self, due: datetime) -> None:
        while (left := due - self._now()) > timedelta():  # noqa: ASYNC110 - it waits for the clock on the wall
            await asyncio.sleep(min(left, _LONGEST_SLEEP).total_seconds())

    async def _again[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except Exception as error:  # noqa: BLE001 - a timer outlives its storage
                host_log.warning("Timer '%s' waits for its storage: %s", self._function.name, error)
                await asyncio.sleep(_STORE_PAUSE)
