"""An event loop on virtual time: when nothing is ready its clock jumps to the next timer, and our own CPU time is added.

So an hour of waiting costs nothing, and what is measured is what the code costs on a core of its own: neither the sleep of
a retry nor whatever else runs on this machine.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import datetime, timedelta
from selectors import DefaultSelector, SelectorKey
from typing import Any

from tests.fakes.clock import ARBITRARY_MORNING, FakeClock


class _Jumping(DefaultSelector):
    """Never waits: the time that it should have waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        self.jumped += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """``time()`` is what was jumped over, and the CPU time of this thread."""

    def __init__(self) -> None:
        self._selector_of_time = _Jumping()
        self._began = time.thread_time()
        super().__init__(self._selector_of_time)

    def time(self) -> float:
        return self._selector_of_time.jumped + time.thread_time() - self._began


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class VirtualClock(FakeClock):
    """The clock of the running virtual loop."""

    def now(self) -> datetime:
        return self.exactly().replace(microsecond=0)

    def exactly(self) -> datetime:
        """Return the instant with its fraction of a second, to measure by."""
        return ARBITRARY_MORNING + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())
