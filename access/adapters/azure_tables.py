"""Azure Tables, by the SDK's aio client. Vendor errors are translated here and nowhere else."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableEntity, TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from access.adapters.keys import checked
from access.adapters.tables import Delete, Insert, Operation, Put, Replace, Row
from access.errors import Conflict, TryAgain

_CONFLICTS = {404, 409, 412}
_LATER = timedelta(seconds=5)
_LONGEST = timedelta(minutes=5)
"""What is waited for at most, whatever an answer asks for."""
_DIGITS = 9


class AzureTables:
    """Implements ``tables.Tables``. A table that is missing is made when it is first missed."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients: dict[str, TableClient] = {}

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return one row, or None."""

        async def read() -> Row | None:
            try:
                return _row(await self._client(table).get_entity(checked(partition), checked(key)))
            except ResourceNotFoundError as error:
                if _table_missing(error):
                    raise
                return None

        return await self._asking(table, read)

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        """Yield the rows of a partition with ``start <= key < end``."""
        text = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"
        parameters = {"partition": checked(partition), "start": start, "end": end}

        async def read() -> list[Row]:
            found: list[Row] = []
            pages = self._client(table).query_entities(text, parameters=parameters, results_per_page=limit or 1000)
            async for entity in pages:
                found.append(_row(entity))
                if limit is not None and len(found) >= limit:
                    break
            return found

        for row in await self._asking(table, read):
            yield row

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        """Carry out all operations on one partition, or none."""

        async def act() -> list[str]:
            if len(operations) == 1:
                return [await self._one(table, operations[0])]
            steps: list[Any] = [_step(operation) for operation in operations]
            results = await self._client(table).submit_transaction(steps)
            return [str(result.get("etag", "")) for result in results]

        return await self._asking(table, act)

    async def _one(self, table: str, operation: Operation) -> str:
        client = self._client(table)
        result: Mapping[str, Any] = {}
        match operation:
            case Insert(row):
                result = await client.create_entity(_entity(row))
            case Replace(row):
                result = await client.update_entity(
                    _entity(row),
                    mode=UpdateMode.REPLACE,
                    etag=row.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
            case Put(row):
                result = await client.upsert_entity(_entity(row), mode=UpdateMode.REPLACE)
            case Delete(partition, key):
                await client.delete_entity(partition, key)
        return str(result.get("etag", ""))

    async def _asking[T](self, table: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call; make the table if that was what was missing; translate what goes wrong."""
        try:
            try:
                return await call()
            except HttpResponseError as error:
                # A batch says so in an error of its own kind, TableTransactionError.
                if not _table_missing(error):
                    raise
                await self._service.create_table_if_not_exists(table)
                return await call()
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as error:
            raise Conflict(str(error.error_code if hasattr(error, "error_code") else error)) from error
        except HttpResponseError as error:
            if _status(error) in _CONFLICTS:
                raise Conflict(str(error.message)) from error
            if _status(error) in {400, 401, 403}:
                raise
            raise TryAgain("the tables", after=_retry_after(error), fault=True) from error
        except AzureError as error:
            raise TryAgain("the tables", after=_LATER, fault=True) from error

    async def close(self) -> None:
        """Close the connections; for commands that end. The app keeps its one client open."""
        for client in self._clients.values():
            await client.close()
        await self._service.close()

    def _client(self, table: str) -> TableClient:
        if table not in self._clients:
            self._clients[table] = self._service.get_table_client(table)
        return self._clients[table]


def _step(operation: Operation) -> tuple[Any, ...]:
    match operation:
        case Insert(row):
            return ("create", _entity(row))
        case Replace(row):
            condition = {"etag": row.etag, "match_condition": MatchConditions.IfNotModified}
            return ("update", _entity(row), {"mode": UpdateMode.REPLACE, **condition})
        case Put(row):
            return ("upsert", _entity(row), {"mode": UpdateMode.REPLACE})
        case Delete(partition, key):
            return ("delete", TableEntity({"PartitionKey": partition, "RowKey": key}))


def _entity(row: Row) -> TableEntity:
    return TableEntity({"PartitionKey": checked(row.partition), "RowKey": checked(row.key), **row.values})


def _row(entity: TableEntity) -> Row:
    values: Mapping[str, Any] = {key: value for key, value in entity.items() if key not in {"PartitionKey", "RowKey"}}
    etag = str(entity.metadata.get("etag", ""))
    return Row(partition=str(entity["PartitionKey"]), key=str(entity["RowKey"]), values=values, etag=etag)


def _table_missing(error: HttpResponseError) -> bool:
    return "TableNotFound" in str(getattr(error, "error_code", "")) or "TableNotFound" in str(error)


def _status(error: HttpResponseError) -> int:
    status = error.status_code or 0
    if isinstance(error, TableTransactionError) and not status:
        return 409
    return status


def _retry_after(error: HttpResponseError) -> timedelta:
    headers = getattr(error.response, "headers", {})
    stated = str(headers.get("Retry-After", ""))
    return min(timedelta(seconds=int(stated[:_DIGITS])), _LONGEST) if stated.isdecimal() else _LATER
