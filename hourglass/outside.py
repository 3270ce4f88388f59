"""What the command reaches: the tables, the directory, the queues. By the same SDKs and settings as the app itself.

Vendor errors are translated here; a person never sees one raw.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from access.adapters.blobs import Blobs
from access.adapters.clock import SystemClock
from access.adapters.settings import Settings, read
from access.adapters.tables import Tables
from access.body import BODY_LIMIT
from access.model import Timing
from access.ports import Bus, Ports, Store
from hourglass.impatient_bus import ImpatientBus
from hourglass.roles_file.names import Names
from hourglass.saying import shown
from hourglass.stopping import ExitCode, Stop

_NOT_NEEDED = {
    "MAIL_SENDER": "nobody@contoso.example",
    "PUBLIC_URL": "https://hourglass.contoso.example",
    "CARD_KEYS": "unused:" + "A" * 43,
    "CARD_CLIENT_ID": "unused",
}
"""Settings of the app that the command doesn't use: a laptop needn't hold the keys of cards."""


_RETRIES: Mapping[str, Any] = {
    "retry_total": 1,
    "retry_backoff_factor": 0.2,
    "connection_timeout": 5,
    "read_timeout": 10,
}
"""A person waits: what isn't there is said within seconds."""

_SEND_LIMIT = 15.0
"""Seconds that a send may take. Left to itself the SDK waits for minutes where a broker takes the connection, and no more."""


class Outside(Protocol):
    """The seam for tests."""

    @property
    def tenant(self) -> str:
        """The id of the tenant; part of every activation's id."""
        ...

    @property
    def timing(self) -> Timing:
        """How long the directory may take."""
        ...

    def now(self) -> datetime:
        """Return the current instant, in UTC, to the second."""
        ...

    def tables(self) -> AbstractAsyncContextManager[Tables]:
        """Open the ledger's tables."""
        ...

    def store(self) -> AbstractAsyncContextManager[Store]:
        """Open the record of activations, to change it; what the queues don't take now, the sweep sends."""
        ...

    def blobs(self) -> AbstractAsyncContextManager[Blobs]:
        """Open the bytes of what was set aside."""
        ...

    def bus(self) -> AbstractAsyncContextManager[Bus]:
        """Open the queues, to put a message back as it came."""
        ...

    def directory(self) -> AbstractAsyncContextManager[Names]:
        """Open the directory."""
        ...

    def ports(self) -> AbstractAsyncContextManager[Ports]:
        """Open everything, as the app has it."""
        ...

    def send(self, queue: str, body: bytes, *, message_id: str) -> None:
        """Put exactly these bytes on a queue."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait before looking again."""
        ...


class Tenant:
    """Implements ``Outside`` with the settings of the app: the environment, and a ``local.settings.json`` behind it."""

    def __init__(self, settings_file: Path | None) -> None:
        self._file = settings_file
        self._clock = SystemClock()

    @cached_property
    def _settings(self) -> Settings:
        # As the Functions host does, and for the same reason: azure-identity reads its own variables from there.
        for name, value in values_of(self._file).items():
            os.environ.setdefault(name, value)
        return read({**_NOT_NEEDED, **{name: value for name, value in os.environ.items() if value}})

    @property
    def tenant(self) -> str:
        """The id of the tenant."""
        return self._settings.tenant

    @property
    def timing(self) -> Timing:
        """How long the directory may take."""
        return self._settings.timing

    def now(self) -> datetime:
        """Return the current instant."""
        return self._clock.now()

    @asynccontextmanager
    async def tables(self) -> AsyncIterator[Tables]:
        """Open the ledger's tables."""
        settings = self._settings
        from azure.data.tables.aio import TableServiceClient  # noqa: PLC0415 - the SDKs are slow to import

        from access.adapters.azure_tables import AzureTables  # noqa: PLC0415 - the SDKs are slow to import

        with _translated("the ledger's tables"):
            if settings.ledger_connection:
                async with TableServiceClient.from_connection_string(settings.ledger_connection, **_RETRIES) as service:
                    yield AzureTables(service)
                return
            from access.adapters.build import build_credential  # noqa: PLC0415 - the SDKs are slow to import

            endpoint = f"https://{settings.ledger_account}.table.{settings.storage_suffix}"
            async with (
                build_credential(settings) as credential,
                TableServiceClient(endpoint, credential=credential, **_RETRIES) as service,
            ):
                yield AzureTables(service)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Open the record of activations."""
        settings = self._settings
        from access.adapters.build import build_credential, build_service_bus  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.bus import ServiceBus  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.ledger import Ledger  # noqa: PLC0415 - as the tables and the queues need it

        # The tables are opened last, here and below: what they raise meets their own translation first.
        with _translated("Service Bus"):
            async with (
                build_credential(settings) as credential,
                build_service_bus(settings, credential) as client,
                self.tables() as tables,
            ):
                yield Ledger(tables, ImpatientBus(ServiceBus(client), self._clock), settings.timing)

    @asynccontextmanager
    async def blobs(self) -> AsyncIterator[Blobs]:
        """Open the bytes of what was set aside."""
        settings = self._settings
        from access.adapters.azure_blobs import AzureBlobs  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.build import build_container, build_credential  # noqa: PLC0415 - the SDKs are slow to import

        with _translated("the ledger's blobs"):
            async with build_credential(settings) as credential, build_container(settings, credential) as container:
                yield AzureBlobs(container)

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Bus]:
        """Open the queues."""
        settings = self._settings
        from access.adapters.build import build_credential, build_service_bus  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.bus import ServiceBus  # noqa: PLC0415 - the SDKs are slow to import

        with _translated("Service Bus"):
            async with build_credential(settings) as credential, build_service_bus(settings, credential) as client:
                yield ServiceBus(client)

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[Names]:
        """Open the directory."""
        settings = self._settings
        from access.adapters.build import build_credential  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.directory import GraphDirectory  # noqa: PLC0415 - the SDKs are slow to import
        from access.adapters.graph import Graph  # noqa: PLC0415 - the SDKs are slow to import

        with _translated("the directory"):
            async with build_credential(settings) as credential:
                graph = Graph(settings.graph, credential, self._clock, call_limit=settings.timing.call_limit)
                yield GraphDirectory(graph)

    @asynccontextmanager
    async def ports(self) -> AsyncIterator[Ports]:
        """Open everything, as the app has it."""
        settings = self._settings
        from access.adapters import build  # noqa: PLC0415 - the SDKs are slow to import

        with _translated("the tenant"):
            async with (
                build.build_credential(settings) as credential,
                build.build_service_bus(settings, credential) as queues,
                build.build_container(settings, credential) as container,
                self.tables() as tables,
            ):
                yield build.assemble(settings, credential=credential, tables=tables, queues=queues, container=container)

    def send(self, queue: str, body: bytes, *, message_id: str) -> None:
        """Put exactly these bytes on a queue, as a flow's "Send message" action does."""
        asyncio.run(self._send(queue, body, message_id))

    async def _send(self, queue: str, body: bytes, message_id: str) -> None:
        settings = self._settings
        from azure.servicebus import ServiceBusMessage  # noqa: PLC0415 - the SDKs are slow to import
        from azure.servicebus.exceptions import MessageSizeExceededError  # noqa: PLC0415 - the SDKs are slow to import

        from access.adapters.build import build_credential, build_service_bus  # noqa: PLC0415 - the SDKs are slow to import

        message = ServiceBusMessage(body, content_type="application/json", message_id=message_id)
        with _translated("Service Bus"):
            async with build_credential(settings) as credential, build_service_bus(settings, credential) as client:
                try:
                    async with asyncio.timeout(_SEND_LIMIT), client.get_queue_sender(queue) as sender:
                        await sender.send_messages(message)
                except MessageSizeExceededError as error:
                    remedy = f"Send at most {BODY_LIMIT // 1024} KiB."
                    raise Stop("Service Bus takes no message of this size.", remedy=remedy) from error

    async def pause(self, seconds: float) -> None:
        """Wait before looking again."""
        await asyncio.sleep(seconds)


def values_of(settings_file: Path | None) -> Mapping[str, str]:
    """Return the ``Values`` of a ``local.settings.json``; none where there is no file.

    Raises:
        Stop: the file can't be read, or is encrypted.
    """
    if settings_file is None:
        return {}
    remedy = 'Name a local.settings.json: {"Values": {"TENANT_ID": "...", ...}}.'
    try:
        content = json.loads(settings_file.read_text(encoding="utf-8-sig"))
        values = content["Values"]
        if content.get("IsEncrypted"):
            raise Stop(
                f"{settings_file} is encrypted.", remedy="Decrypt it: func settings decrypt.", code=ExitCode.WRONG_USE
            )
        return {str(name): str(value) for name, value in values.items()}
    except OSError as error:
        what = f"{settings_file} can't be read: {error.strerror}."
        raise Stop(what, remedy=remedy, code=ExitCode.WRONG_USE) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(f"{settings_file} holds no settings.", remedy=remedy, code=ExitCode.WRONG_USE) from error


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn what the SDKs raise into a message for a person."""
    from azure.core.exceptions import (  # noqa: PLC0415 - the SDKs are slow to import
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
    )

    try:
        yield
    except ClientAuthenticationError as error:
        remedy = "Sign in (az login), or check the connection string in the settings."
        raise Stop(f"{what[0].upper()}{what[1:]}: you are not signed in, or not let in.", remedy=remedy) from error
    except HttpResponseError as error:
        reason = shown(error.reason or error.status_code)
        remedy = "Check that your account may use it (docs/settings.md)."
        raise Stop(f"{what[0].upper()}{what[1:]} refused: {error.status_code} {reason}.", remedy=remedy) from error
    except (AzureError, OSError) as error:
        remedy = "Check the address in the settings, and that it is up."
        raise Stop(f"Could not reach {what} ({type(error).__name__}).", remedy=remedy) from error
    except ValueError as error:
        remedy = "Check the settings: a connection string has the form that the portal shows."
        raise Stop(
            f"Could not reach {what}: {shown(error).rstrip('.')}.", remedy=remedy, code=ExitCode.WRONG_USE
        ) from error
