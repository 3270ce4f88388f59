"""Service Bus in memory: messages with ids and a time, delivered when a test pumps; at least once, as the real one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.adapters.triggers import envelope_of
from access.errors import TryAgain
from access.wire import Envelope
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


@dataclass(slots=True)
class FakeDeadLetter:
    """A message that was dead-lettered; ``done`` takes it out of ``bus.dead``."""

    bus: "FakeBus"
    message: FakeMessage
    envelope: Envelope
    body: bytes
    reason: str

    async def done(self) -> None:
        self.bus.check()
        self.bus.dead = [dead for dead in self.bus.dead if dead[0] is not self.message]


class FakeBus:
    """Keeps what was sent. ``down`` makes every call fail before it took effect; messages to ``unheard`` are never delivered.

    Ticks are unheard until a story is about them: with each of them on its way, no queue would ever run empty.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.messages: list[FakeMessage] = []
        self.sent: list[FakeMessage] = []
        self.dead: list[tuple[FakeMessage, str]] = []
        self.unheard = {"ticks"}
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
        self.check(queue)
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
        if queue not in self.unheard:
            self.messages.append(message)
        self.sent.append(message)

    def check(self, queue: str = "") -> None:
        """Fail where the bus is down."""
        if self.down:
            raise TryAgain(f"the queue {queue}", after=timedelta(seconds=5), fault=True)

    async def dead_letters(self, queues: Sequence[str], *, limit: int) -> tuple[FakeDeadLetter, ...]:
        self.check()
        found = [[dead for dead in self.dead if dead[0].queue == queue][:limit] for queue in queues]
        return tuple(
            FakeDeadLetter(self, message, envelope_of(message, message.queue), message.body, reason)
            for dead in found
            for message, reason in dead
        )

    def kill(self, message: FakeMessage, reason: str = "MaxDeliveryCountExceeded") -> None:
        """Dead-letter a message, as the broker does."""
        self.messages = [other for other in self.messages if other is not message]
        self.dead.append((message, reason))

    def put(self, queue: str, body: bytes, *, message_id: str | None = None, correlation_id: str = "") -> FakeMessage:
        """Put a message as a sender outside does."""
        self._put(queue, body, message_id, correlation_id, None, {})
        return self.sent[-1]

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
