"""Virtual time jumps over every wait, and counts the processor time of what runs."""

import asyncio
import time
from datetime import timedelta

import pytest

from bench.virtual_time import VirtualClock, run


def test_an_hour_passes_at_once_and_in_order() -> None:
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(name)

    async def both() -> timedelta:
        clock = VirtualClock()
        before = clock.exactly()
        await asyncio.gather(sleep("late", 3600), sleep("early", 1))
        return clock.exactly() - before

    began = time.monotonic()
    passed = run(both())

    assert woken == ["early", "late"]
    assert timedelta(hours=1) <= passed < timedelta(hours=1, seconds=5)
    assert time.monotonic() - began < 60


def test_the_time_that_our_code_takes_passes_too() -> None:
    async def work() -> float:
        clock = VirtualClock()
        before = clock.monotonic()
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        return clock.monotonic() - before

    assert run(work()) >= 0.05


def test_waiting_for_what_never_happens_is_said_at_once() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is left"):
        run(wait())
