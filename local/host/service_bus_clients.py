"""Service Bus clients by the name of their ``connection`` setting, and the output binding that sends through them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

from local.host.errors import AppRefused
from local.host.functions import Binding
from local.host.rpc import TypedData


def check_connection(name: str, settings: Mapping[str, str]) -> None:
    """Refuse a ``connection`` that no setting describes.

    Raises:
        AppRefused: neither a connection string nor an identity-based connection has that name.
    """
    if not settings.get(name) and not settings.get(f"{name}__fullyQualifiedNamespace"):
        raise AppRefused(
            f"Service Bus connection '{name}': set {name} to a connection string, "
            f"or {name}__fullyQualifiedNamespace to a namespace"
        )


def new_client(name: str, settings: Mapping[str, str], **options: Any) -> ServiceBusClient:
    """Return a client for a ``connection``: by connection string, or by the identity the process runs as."""
    if text := settings.get(name):
        return ServiceBusClient.from_connection_string(text, **options)
    namespace = settings[f"{name}__fullyQualifiedNamespace"]
    return ServiceBusClient(namespace, _credential(name, settings), **options)


def _credential(name: str, settings: Mapping[str, str]) -> Any:
    # Imported where it is needed: it costs 0.4 s, and a connection string doesn't need it.
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415 - see above

    client_id = settings.get(f"{name}__clientId")
    if settings.get(f"{name}__credential", "").lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
    return DefaultAzureCredential(managed_identity_client_id=client_id)


class ServiceBusOutputs:
    """Sends the values of output bindings: one value is one message with a body and nothing else."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._clients: dict[str, ServiceBusClient] = {}
        self._senders: dict[tuple[str, str], ServiceBusSender] = {}
        self._one_at_a_time = asyncio.Lock()

    async def send(self, output: Binding, value: TypedData) -> None:
        """Send one value to the queue or topic of a binding."""
        kind = value.WhichOneof("data")
        body = getattr(value, kind) if kind else b""
        async with self._one_at_a_time:
            await self._sender(output).send_messages(ServiceBusMessage(body if isinstance(body, bytes) else str(body)))

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.close()

    def _sender(self, output: Binding) -> ServiceBusSender:
        connection, queue, topic = output.text("connection"), output.text("queueName"), output.text("topicName")
        key = (connection, queue or topic)
        if key not in self._senders:
            if connection not in self._clients:
                self._clients[connection] = new_client(connection, self._settings)
            client = self._clients[connection]
            self._senders[key] = client.get_queue_sender(queue) if queue else client.get_topic_sender(topic)
        return self._senders[key]
