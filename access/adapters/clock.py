"""The system's clock."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The clock of this host; workers' clocks may differ by five seconds, which the protocol allows for."""

    def now(self) -> datetime:
        """Return the current instant, in UTC, to the second."""
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """Return seconds of a clock that is never set."""
        return time.monotonic()

    async def sleep(self, span: timedelta) -> None:
        """Let ``span`` pass, while others work."""
        await asyncio.sleep(span.total_seconds())
