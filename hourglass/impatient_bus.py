"""Sends what it can and waits for nothing: a person is at the terminal, and the sweep sends whatever is left."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from access.errors import TryAgain
from access.ports import Bus, Clock

PAUSE = timedelta(seconds=30)
"""How long nothing is tried after a send that failed: each takes seconds, and there may be thousands to come."""


class ImpatientBus:
    """Implements ``ports.Bus`` by another one: after a fault, the sends that follow fail at once for a while."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._again_at: datetime | None = None

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        """Send a message, unless one has just failed."""
        self._check(queue)
        try:
            await self._bus.send(queue, body, message_id=message_id, correlation_id=correlation_id, at=at)
        except TryAgain:
            self._again_at = self._clock.now() + PAUSE
            raise

    async def send_again(
        self,
        queue: str,
        raw: bytes,
        *,
        properties: Mapping[str, str],
        message_id: str,
        correlation_id: str,
        at: datetime,
    ) -> None:
        """Send a message again as it came, unless one has just failed."""
        self._check(queue)
        try:
            await self._bus.send_again(
                queue, raw, properties=properties, message_id=message_id, correlation_id=correlation_id, at=at
            )
        except TryAgain:
            self._again_at = self._clock.now() + PAUSE
            raise

    def _check(self, queue: str) -> None:
        if self._again_at is not None and self._clock.now() < self._again_at:
            raise TryAgain(f"the queue {queue}", after=PAUSE, fault=True)
