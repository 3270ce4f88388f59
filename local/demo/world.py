"""What the demo can see and touch: the queue as a flow does, inboxes as people do, the directory's truth, the record."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from access.adapters.build import build_credential, build_tables
from access.adapters.keys import EVENTS, day
from access.adapters.ledger import Ledger
from access.adapters.settings import Settings, read
from access.ids import activation_id
from access.model import Activation, Door

QUEUE = "activation-requests"


class World:
    """One tenant, seen from outside the app; only its tables are read through the app's own adapters."""

    def __init__(self, settings: Mapping[str, str], *, directory: str, mailbox: str) -> None:
        self.environment = settings
        self.settings: Settings = read(settings)
        self._connection = settings["ServiceBus"]
        self._http = httpx.AsyncClient(timeout=20, trust_env=False)
        self._directory, self._mailbox = directory, mailbox
        self._credential = build_credential(self.settings)
        self._tables = build_tables(self.settings, self._credential)
        self._store = Ledger(self._tables, None, self.settings.timing)  # type: ignore[arg-type] # reads only

    async def send(self, body: bytes, *, message_id: str, correlation_id: str) -> None:
        """Put a message on the queue, as Power Automate's "Send message" does: raw bytes, and no content type."""
        message = ServiceBusMessage(body, message_id=message_id, correlation_id=correlation_id)
        async with (
            ServiceBusClient.from_connection_string(self._connection) as client,
            client.get_queue_sender(QUEUE) as sender,
        ):
            await sender.send_messages(message)

    def id_of(self, body: bytes) -> str:
        """Return the id of the activation that a body makes."""
        values = json.loads(body)
        return activation_id(
            tenant=self.settings.tenant,
            principal=values["principal"],
            door=Door.FLOW,
            source=QUEUE,
            request=values["requestId"],
        )

    async def activation(self, activation: str) -> Activation | None:
        """Return an activation as it is recorded now."""
        return await self._store.activation(activation)

    async def events(self, activation: str) -> list[dict[str, Any]]:
        """Return the events of an activation, in order."""
        start, end = EVENTS
        return [dict(row.values) async for row in self._tables.query("activations", activation, start=start, end=end)]

    async def set_aside(self) -> list[dict[str, Any]]:
        """Return what is in quarantine today."""
        return [
            dict(row.values)
            async for row in self._tables.query("quarantine", day(datetime.now(UTC)), start="0", end="~")
        ]

    async def members(self, group: str) -> list[str]:
        """Return a group's members: the directory's truth, without lag."""
        found: list[str] = (await self._get(f"{self._directory}/admin/groups/{group}/members")).json()
        return found

    async def change_user(self, user: str, values: Mapping[str, object]) -> None:
        """Change a user in the directory, as HR or an administrator does."""
        answer = await self._http.patch(f"{self._directory}/admin/users/{user}", json=dict(values))
        answer.raise_for_status()

    async def add_user(self, user: str, values: Mapping[str, object]) -> None:
        """Make a user in the directory."""
        answer = await self._http.put(f"{self._directory}/admin/users/{user}", json=dict(values))
        answer.raise_for_status()

    async def add_member(self, group: str, user: str) -> None:
        """Put a user into a group by hand."""
        (await self._http.put(f"{self._directory}/admin/groups/{group}/members/{user}")).raise_for_status()

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """Return somebody's mails, newest first."""
        found: list[dict[str, Any]] = (await self._get(f"{self._mailbox}/api/mail", address=address)).json()
        return found

    async def press(self, address: str, mail: str, action: str, note: str = "") -> dict[str, Any]:
        """Press a button of the card in a mail, as its reader does in Outlook."""
        order = {"address": address, "mailId": mail, "action": action, "inputs": {"note": note}}
        answer = await self._http.post(f"{self._mailbox}/api/press", json=order)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._http.aclose()
        await self._tables.close()
        await self._credential.close()

    async def _get(self, url: str, **parameters: str) -> httpx.Response:
        answer = await self._http.get(url, params=parameters)
        answer.raise_for_status()
        return answer
