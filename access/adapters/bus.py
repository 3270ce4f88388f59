"""Service Bus, by the SDK's aio clients: one per process, kept open; ids, correlation and schedule on each message."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from access.errors import TryAgain
from access.wire import Envelope

log = logging.getLogger(__name__)

SEND_LIMIT = 20.0
"""Seconds that one send may take; the outbox still holds the message afterwards."""

COLLECT_LIMIT = 20.0
"""Seconds that reading the dead letters of one queue may take."""

RECEIVE_WAIT = 2.0
"""Seconds to wait for dead letters that are known to be there; another worker may have them."""

_FAULTS = (ServiceBusError, OSError, TimeoutError, ValueError)
_REASON = ("DeadLetterReason", "DeadLetterErrorDescription")


@dataclass(slots=True)
class ReceivedDeadLetter:
    """Implements ``ports.DeadLetter``: a message under the lock of its receiver."""

    envelope: Envelope
    body: bytes
    reason: str
    message: ServiceBusReceivedMessage
    receiver: ServiceBusReceiver

    async def done(self) -> None:
        """Take it out of the dead-letter queue."""
        try:
            async with asyncio.timeout(COLLECT_LIMIT):
                await self.receiver.complete_message(self.message)
        except _FAULTS as error:
            what = f"a dead letter of {self.envelope.queue}"
            raise TryAgain(what, after=timedelta(seconds=5), fault=True) from error


class ServiceBus:
    """Implements ``ports.Bus``. A sender that failed is closed, and made anew at the next send."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._senders: dict[str, ServiceBusSender] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._used: list[ServiceBusReceiver] = []
        self._collecting = asyncio.Lock()

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        """Send one message; to a topic as to a queue."""
        message = ServiceBusMessage(
            json.dumps(body, default=str).encode(),
            content_type="application/json",
            message_id=message_id,
            correlation_id=correlation_id or None,
            scheduled_enqueue_time_utc=at.astimezone(UTC) if at else None,
        )
        await self._send(queue, message)

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
        """Send a message again as it came, its bytes untouched, to be delivered not before ``at``."""
        carried: dict[str | bytes, Any] = dict(properties.items())
        message = ServiceBusMessage(
            raw,
            message_id=message_id,
            correlation_id=correlation_id or None,
            application_properties=carried,
            scheduled_enqueue_time_utc=at.astimezone(UTC),
        )
        await self._send(queue, message)

    async def _send(self, queue: str, message: ServiceBusMessage) -> None:
        async with self._locks.setdefault(queue, asyncio.Lock()):
            try:
                async with asyncio.timeout(SEND_LIMIT):
                    await self._sender(queue).send_messages(message)
            except MessageSizeExceededError:
                raise
            except _FAULTS as error:
                await self._drop(queue)
                raise TryAgain(f"the queue {queue}", after=timedelta(seconds=5), fault=True) from error

    def _sender(self, queue: str) -> ServiceBusSender:
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        return self._senders[queue]

    async def _drop(self, queue: str) -> None:
        sender = self._senders.pop(queue, None)
        if sender is not None:
            await _close(sender)

    async def dead_letters(self, queues: Sequence[str], *, limit: int) -> tuple[ReceivedDeadLetter, ...]:
        """Return what is in the dead-letter queues, all of them side by side: an empty one costs one look."""
        async with self._collecting:
            used, self._used = self._used, []
            await asyncio.gather(*(_close(receiver) for receiver in used))
            found = await asyncio.gather(*(self._dead_letters_of(queue, limit) for queue in queues))
        return tuple(letter for letters in found for letter in letters)

    async def _dead_letters_of(self, queue: str, limit: int) -> list[ReceivedDeadLetter]:
        """Look first, and receive only what is there.

        Waiting for messages would leave credit at the broker, and what it sends on that credit waits here until its lock
        is over. So a receiver that has received is closed at the next look, which gives back what it holds.
        """
        kept = self._receivers.pop(queue, None)
        if kept is not None:
            try:
                return await self._look(queue, kept, limit)
            except _FAULTS:  # the service detaches a link that was idle for some minutes
                await _close(kept)
        receiver = self._client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        try:
            return await self._look(queue, receiver, limit)
        except _FAULTS as error:
            log.warning("dead_letters.unread", extra={"queue": queue, "what": type(error).__name__})
            await _close(receiver)
            return []

    async def _look(self, queue: str, receiver: ServiceBusReceiver, limit: int) -> list[ReceivedDeadLetter]:
        async with asyncio.timeout(COLLECT_LIMIT):
            if not await receiver.peek_messages(max_message_count=1, sequence_number=1):
                self._receivers[queue] = receiver
                return []
            messages = await receiver.receive_messages(max_message_count=limit, max_wait_time=RECEIVE_WAIT)
        self._used.append(receiver)
        return [_letter(queue, message, receiver) for message in messages]


async def _close(link: ServiceBusSender | ServiceBusReceiver) -> None:
    try:
        async with asyncio.timeout(SEND_LIMIT):
            await link.close()
    except (ServiceBusError, OSError, TimeoutError):
        pass  # it is gone already


def _letter(queue: str, message: ServiceBusReceivedMessage, receiver: ServiceBusReceiver) -> ReceivedDeadLetter:
    """Return a dead letter as it was before the broker wrote its reason into it."""
    properties = {_text(key): _text(value) for key, value in (message.application_properties or {}).items()}
    reason = ": ".join(text for name in _REASON if (text := properties.pop(name, "")))
    enqueued = message.enqueued_time_utc
    envelope = Envelope(
        queue=queue,
        message_id=message.message_id or None,
        sequence_number=message.sequence_number,
        enqueued_at=enqueued.isoformat() if enqueued else "",
        correlation_id=message.correlation_id or None,
        properties=properties,
    )
    return ReceivedDeadLetter(
        envelope=envelope, body=_bytes(message), reason=reason, message=message, receiver=receiver
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _bytes(message: ServiceBusReceivedMessage) -> bytes:
    """Return the body as it came; a sender's value or list, which has no bytes of its own, as JSON."""
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    body = message.body if message.body_type is AmqpMessageBodyType.VALUE else list(message.body)
    return json.dumps(_plain(body), default=str).encode()


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return _text(value)
        case Mapping():
            return {_text(key): _plain(content) for key, content in value.items()}
        case list() | tuple():
            return [_plain(content) for content in value]
        case _:
            return value
