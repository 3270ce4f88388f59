"""Service Bus in memory: messages with ids and a time, delivered when a test pumps; at least once, as the real one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.errors import TryAgain
from tests.fakes.clock import FakeClock


@dataclass(slots=True, kw_only=True)
class FakeMessage:
    """Shaped like ``azure.functions.ServiceBusMessage``, as far as our triggers read it."""

    queue: str
    body: bytes
    message_id: str | None
    correlation_id: str | None = None
    sequence_number: int | None = None
    enqueued_time_utc: datetime | None = None
    application_properties: dict[str, str] = field(default_factory=dict)
    at: datetime

    def get_body(self) -> bytes:
        return self.body


class FakeBus:
    """Keeps what was sent. ``down`` makes every send fail before it took effect."""

    def __init__(self, clock: FakeClock) -> None:
        self.messages: list[FakeMessage] = []
        self.sent: list[FakeMessage] = []
        self.down = False
        self._clock = clock

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        raw = json.dumps(body, default=str).encode()
        self._put(queue, raw, message_id, correlation_id, at, {})

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
        self._put(queue, raw, message_id, correlation_id, at, dict(properties))

    def _put(
        self,
        queue: str,
        raw: bytes,
        message_id: str | None,
        correlation_id: str,
        at: datetime | None,
        properties: dict[str, str],
    ) -> None:
        if self.down:
            raise TryAgain(f"the queue {queue}", after=timedelta(seconds=5), fault=True)
        assert message_id is None or len(message_id) <= 128
        message = FakeMessage(
            queue=queue,
            body=raw,
            message_id=message_id,
            correlation_id=correlation_id or None,
            sequence_number=len(self.sent) + 1,
            enqueued_time_utc=self._clock.now(),
            application_properties=properties,
            at=max(at or self._clock.now(), self._clock.now()),
        )
        self.messages.append(message)
        self.sent.append(message)

    def put(self, queue: str, body: bytes, *, message_id: str | None = None, correlation_id: str = "") -> FakeMessage:
        """Put a message as a sender outside does."""
        self._put(queue, body, message_id, correlation_id, None, {})
        return self.messages[-1]

    def take(self) -> FakeMessage | None:
        """Take the oldest message that may be delivered now; the topic's are nobody's here."""
        ready = [m for m in self.messages if m.at <= self._clock.now() and m.queue != "activation-events"]
        if not ready:
            return None
        self.messages.remove(ready[0])
        return ready[0]

    def next_at(self) -> datetime | None:
        """Return when the next scheduled message is due."""
        return min((m.at for m in self.messages if m.queue != "activation-events"), default=None)
