"""Service Bus, by the SDK's aio sender: one client per process, kept open; ids, correlation and schedule on each message."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from access.errors import TryAgain

SEND_LIMIT = 20.0
"""Seconds that one send may take; the outbox still holds the message afterwards."""


class ServiceBus:
    """Implements ``ports.Bus``. A sender that failed is closed, and made anew at the next send."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._senders: dict[str, ServiceBusSender] = {}
        self._locks: dict[str, asyncio.Lock] = {}

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
            except (ServiceBusError, OSError, TimeoutError, ValueError) as error:
                await self._drop(queue)
                raise TryAgain(f"the queue {queue}", after=timedelta(seconds=5), fault=True) from error

    def _sender(self, queue: str) -> ServiceBusSender:
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        return self._senders[queue]

    async def _drop(self, queue: str) -> None:
        sender = self._senders.pop(queue, None)
        if sender is not None:
            try:
                async with asyncio.timeout(SEND_LIMIT):
                    await sender.close()
            except (ServiceBusError, OSError, TimeoutError):
                pass  # it is gone already
