"""A clock that stands still until it is moved."""

import asyncio
from datetime import UTC, datetime, timedelta

ARBITRARY_MORNING = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


class FakeClock:
    """Both clocks move together, by hand."""

    def __init__(self, now: datetime = ARBITRARY_MORNING) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now.replace(microsecond=0)

    def monotonic(self) -> float:
        return self._now.timestamp()

    def advance(self, span: timedelta) -> None:
        self._now += span

    def advance_to(self, instant: datetime) -> None:
        self._now = max(self._now, instant)

    async def sleep(self, span: timedelta) -> None:
        """Let others run, and the time be over."""
        until = self._now + span
        await asyncio.sleep(0)
        self.advance_to(until)
