"""A Service Bus trigger: receive under a lock, run the function, settle. Connects again for ever."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from local.host.errors import FunctionFailed
from local.host.functions import Function
from local.host.invocations import Invocations
from local.host.log import host_log
from local.host.service_bus_clients import new_client
from local.host.service_bus_messages import (
    body_of,
    fields_of,
    metadata_of,
    metadata_of_batch,
    typed_bodies,
    typed_body,
)
from local.host.settings import ServiceBusOptions

_WAIT_FOR_MESSAGES = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0


class _Connection:
    """One receiver, from attach to the first trouble; its messages are settled through it and no other.

    A delivery is known by a number of its link: settled through a newer link it could settle another message.
    """

    def __init__(self, client: ServiceBusClient, receiver: ServiceBusReceiver, options: ServiceBusOptions) -> None:
        self._client = client
        self.receiver = receiver
        self.renewer = AutoLockRenewer(max_lock_renewal_duration=options.max_lock_renewal.total_seconds())
        self.broken = False

    async def close(self) -> None:
        await self.renewer.close()
        await self.receiver.close()
        await self._client.close()


class ServiceBusListener:
    """Receives the messages of one queue or subscription for one function."""

    def __init__(
        self, function: Function, invocations: Invocations, options: ServiceBusOptions, settings: Mapping[str, str]
    ) -> None:
        self._function = function
        self._invocations = invocations
        self._options = options
        self._settings = settings
        trigger = function.trigger
        self._many = trigger.text("cardinality").lower() == "many"
        self._binary = trigger.text("dataType").lower() == "binary"
        self._free = 1 if self._many else options.max_concurrent_calls
        self._slot_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._connection: _Connection | None = None

    @property
    def source(self) -> str:
        """The queue, or topic and subscription, that is listened to."""
        trigger = self._function.trigger
        return trigger.text("queueName") or f"{trigger.text('topicName')}/{trigger.text('subscriptionName')}"

    async def run(self) -> None:
        """Receive until ``stop``; a broker that is gone is tried again for ever."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                await self._receive_once()
                pause = _FIRST_PAUSE
            except Exception as error:  # noqa: BLE001 - whatever it is, the listener lives on
                host_log.warning("Listener of 'Functions.%s' (%s) lost: %s", self._function.name, self.source, error)
                await self._disconnect()
                await self._wait(self._stopping, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def stop(self) -> None:
        """Receive nothing more; what was received is still run and settled."""
        self._stopping.set()
        self._slot_freed.set()

    async def close(self) -> None:
        """Give back what was not settled, and close the connection."""
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        await self._disconnect()

    async def wait_until_settled(self) -> None:
        """Return when everything that was received is settled."""
        while self._deliveries:
            await asyncio.wait(self._deliveries)

    async def _receive_once(self) -> None:
        while not self._free:
            self._slot_freed.clear()
            await self._slot_freed.wait()
            if self._stopping.is_set():
                return
        if self._connection is None or self._connection.broken:
            await self._disconnect()
            self._connection = self._connect()
        connection = self._connection
        # One at a time: asked for more, the SDK waits 0.2 s for company before it hands over the first.
        wanted = self._options.max_batch_size if self._many else 1
        messages = await connection.receiver.receive_messages(wanted, max_wait_time=_WAIT_FOR_MESSAGES)
        groups = [messages] if self._many and messages else [[message] for message in messages]
        for group in groups:
            self._free -= 1
            task = asyncio.create_task(self._deliver(connection, group))
            self._deliveries.add(task)
            task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._free += 1
        self._slot_freed.set()

    def _connect(self) -> _Connection:
        trigger = self._function.trigger
        # No retries inside the SDK: it would attach a new link under messages of the old one (see _Connection).
        client = new_client(trigger.text("connection"), self._settings, retry_total=0)
        prefetch: dict[str, Any] = {"prefetch_count": self._options.prefetch_count}
        receiver = (
            client.get_queue_receiver(trigger.text("queueName"), **prefetch)
            if trigger.text("queueName")
            else client.get_subscription_receiver(
                trigger.text("topicName"), trigger.text("subscriptionName"), **prefetch
            )
        )
        return _Connection(client, receiver, self._options)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            except Exception as error:  # noqa: BLE001 - it was broken already
                host_log.debug("closing a broken connection: %s", error)

    async def _deliver(self, connection: _Connection, messages: list[ServiceBusReceivedMessage]) -> None:
        if self._options.max_lock_renewal:
            for message in messages:
                # A connection that closed meanwhile renews no locks: settling will say so.
                with contextlib.suppress(ServiceBusError):
                    connection.renewer.register(connection.receiver, message)
        try:
            await self._invoke(messages)
        except FunctionFailed:
            await self._settle(connection, messages, success=False)
        except TypeError as error:
            host_log.error("Message for 'Functions.%s' can't be bound: %s", self._function.name, error)
            await self._settle(connection, messages, success=False)
        else:
            if self._options.auto_complete:
                await self._settle(connection, messages, success=True)

    async def _invoke(self, messages: list[ServiceBusReceivedMessage]) -> None:
        bodies, fields = [body_of(message) for message in messages], [fields_of(message) for message in messages]
        if self._many:
            data, metadata = typed_bodies(bodies, binary=self._binary), metadata_of_batch(fields)
        else:
            data, metadata = typed_body(bodies[0], binary=self._binary), metadata_of(fields[0])
        await self._invocations.run(self._function, data, metadata)

    async def _settle(
        self, connection: _Connection, messages: list[ServiceBusReceivedMessage], *, success: bool
    ) -> None:
        receiver = connection.receiver
        for message in messages:
            try:
                await (receiver.complete_message(message) if success else receiver.abandon_message(message))
            except Exception as error:  # noqa: BLE001 - the lock runs out, and the message comes again
                connection.broken = connection.broken or not isinstance(error, MessageLockLostError)
                host_log.warning(
                    "Message %s of %s not settled, it will come again: %s", message.message_id, self.source, error
                )

    @staticmethod
    async def _wait(event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
