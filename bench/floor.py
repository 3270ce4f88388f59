"""The floor: the same calls that our code made, made again by the SDKs alone, at the same concurrency, on the same services.

What our code made is recorded in memory (``calls.py``); here each call is made for other ids, in the same order, and nothing
is decided, checked or remembered between two of them. Only the SDKs are imported, as late as they are needed.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter

from access.adapters.tables import Delete, Insert, Operation, Put, Replace
from bench.calls import PEEK, Call, Names, renamed

_QUERY = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"
_FOREVER = 4_000_000_000
_LATER = timedelta(hours=4)


class _OneToken:
    """A credential with one token, fetched once, as a process that runs for a while has it."""

    def __init__(self, token: str) -> None:
        self._token = AccessToken(token, _FOREVER)

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return self._token

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class Floor:
    """One client for each service, as an app has it. ``settings`` are those of a tenant."""

    def __init__(self, settings: Mapping[str, str], token: str) -> None:
        self._tables = TableServiceClient.from_connection_string(settings["LEDGER"])
        self._clients: dict[str, TableClient] = {}
        self.bus = ServiceBusClient.from_connection_string(settings["ServiceBus"])
        self._senders: dict[str, ServiceBusSender] = {}
        self._receivers: dict[str, ServiceBusReceiver] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        provider = AzureIdentityAuthenticationProvider(
            _OneToken(token), scopes=["https://graph.microsoft.com/.default"], allowed_hosts=["127.0.0.1"]
        )
        self._graph = GraphRequestAdapter(provider)
        self._root = f"{settings['GRAPH_ENDPOINT']}/v1.0"
        self._mailbox = settings["MAIL_SENDER"]

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Mapping[str, str]) -> AsyncIterator[Self]:
        """Open the clients, with a token of the app's identity."""
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(
                settings["IDENTITY_ENDPOINT"],
                params={"resource": "https://graph.microsoft.com", "api-version": "2019-08-01"},
                headers={"X-IDENTITY-HEADER": settings["IDENTITY_HEADER"]},
            )
        floor = cls(settings, str(answer.json()["access_token"]))
        try:
            yield floor
        finally:
            for link in (*floor._senders.values(), *floor._receivers.values()):
                await link.close()
            await floor.bus.close()
            for client in floor._clients.values():
                await client.close()
            await floor._tables.close()

    async def make(self, calls: Sequence[Call], names: Names) -> None:
        """Make some calls, one after the other, for other ids."""
        for call in calls:
            await self.make_one(renamed(call, names))

    async def make_one(self, call: Call) -> None:
        """Make one call."""
        match call.to:
            case "tables":
                await self._table(call)
            case "bus":
                await self._send(call)
            case _:
                await self._ask(call)

    async def _table(self, call: Call) -> None:
        client = self._client(call.table)
        if call.operations:
            steps: list[Any] = [_step(operation) for operation in call.operations]
            if len(steps) > 1:
                await client.submit_transaction(steps)
            elif steps[0][0] == "delete":
                await client.delete_entity(steps[0][1])
            else:
                await client.upsert_entity(steps[0][1], mode="replace")
        elif call.end:
            parameters = {"partition": call.partition, "start": call.key, "end": call.end}
            async for _ in client.query_entities(_QUERY, parameters=parameters):
                pass
        else:
            with suppress(ResourceNotFoundError):
                await client.get_entity(call.partition, call.key)

    async def _send(self, call: Call) -> None:
        if call.what.startswith(PEEK):
            if call.queue not in self._receivers:
                dead = ServiceBusSubQueue.DEAD_LETTER
                self._receivers[call.queue] = self.bus.get_queue_receiver(call.queue, sub_queue=dead)
            await self._receivers[call.queue].peek_messages(max_message_count=1, sequence_number=1)
            return
        async with self._locks.setdefault(call.queue, asyncio.Lock()):
            if call.queue not in self._senders:
                self._senders[call.queue] = self.bus.get_queue_sender(call.queue)
            at = datetime.now(UTC) + _LATER if "for later" in call.what else None
            await self._senders[call.queue].send_messages(ServiceBusMessage(call.body, scheduled_enqueue_time_utc=at))

    async def _ask(self, call: Call) -> None:
        request = self._request(call)
        try:
            await self._graph.send_primitive_async(request, "bytes", {})
        except Exception as error:
            if getattr(error, "response_status_code", 0) != 404:  # noqa: PLR2004 - a look-up that finds nothing
                raise

    def _request(self, call: Call) -> RequestInformation:
        """Return the request that the SDK would build for this call of the port."""
        one, *rest = call.arguments or ("",)
        users, groups = f"{self._root}/users", f"{self._root}/groups"
        match call.what:
            case "account" if "@" in one:
                return _get(f"{users}?$filter=userPrincipalName eq '{one}' or mail eq '{one}'&$top=2")
            case "account":
                return _get(f"{users}/{one}")
            case "linked_accounts":
                return _get(f"{users}?$filter=employeeId eq '{one}'&$top=999")
            case "groups_among":
                return _post(f"{users}/{one}/checkMemberGroups", {"groupIds": rest})
            case "people_in":
                return _get(f"{groups}/{one}/transitiveMembers/microsoft.graph.user?$select=id&$top=999")
            case "target_exists":
                return _get(f"{groups}/{one}?$select=id,displayName")
            case "presence":
                return _get(f"{groups}/{rest[0]}/members?$select=id&$top=999")
            case "assign":
                objects = "https://graph.microsoft.com/v1.0/directoryObjects"
                return _post(f"{groups}/{rest[0]}/members/$ref", {"@odata.id": f"{objects}/{one}"})
            case "remove":
                return _request(Method.DELETE, f"{groups}/{rest[0]}/members/{one}/$ref")
            case _:
                return _post(f"{users}/{self._mailbox}/sendMail", _mail(call))

    def _client(self, table: str) -> TableClient:
        if table not in self._clients:
            self._clients[table] = self._tables.get_table_client(table)
        return self._clients[table]


def _step(operation: Operation) -> tuple[Any, ...]:
    match operation:
        case Delete(partition, key):
            return ("delete", TableEntity({"PartitionKey": partition, "RowKey": key}))
        case Insert(row) | Replace(row) | Put(row):
            entity = TableEntity({"PartitionKey": row.partition, "RowKey": row.key, **row.values})
            return ("upsert", entity, {"mode": "replace"})


def _request(method: Method, url: str) -> RequestInformation:
    request = RequestInformation(method=method)
    request.url = url.replace(" ", "%20")
    return request


def _get(url: str) -> RequestInformation:
    return _request(Method.GET, url)


def _post(url: str, body: Mapping[str, Any]) -> RequestInformation:
    request = _request(Method.POST, url)
    request.content = json.dumps(body).encode()
    request.headers.add("Content-Type", "application/json")
    return request


def _mail(call: Call) -> dict[str, Any]:
    said = json.loads(call.body)
    message = {
        "subject": "Hourglass",
        "body": {"contentType": "html", "content": said["html"]},
        "toRecipients": [{"emailAddress": {"address": said["to"]}}],
    }
    return {"message": message, "saveToSentItems": False}
