"""Sends what it can and waits for nothing: a person is at the terminal, and the sweep sends whatever is left."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from access.errors import TryAgain
from access.ports import Clock, Sender

PAUSE = timedelta(seconds=30)
"""How long nothing is tried after a send that failed: each takes seconds, and there may be thousands to come."""


class ImpatientBus:
    """Implements ``ports.Sender`` by another one: after a fault, the sends that follow fail at once for a while."""

    def __init__(self, bus: Sender, clock: Clock) -> None:
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
        if self._again_at is not None and self._clock.now() < self._again_at:
            raise TryAgain(f"the queue {queue}", after=PAUSE, fault=True)
        try:
            await self._bus.send(queue, body, message_id=message_id, correlation_id=correlation_id, at=at)
        except TryAgain:
            self._again_at = self._clock.now() + PAUSE
            raise
