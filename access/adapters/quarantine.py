"""What could never succeed: a row with the reason, and the original bytes in a blob."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from access import ids
from access.adapters import keys
from access.adapters.tables import Insert, Row, Tables, Value
from access.errors import Conflict, TryAgain

log = logging.getLogger(__name__)

CONTAINER = "quarantine"
_LONGEST = 1000
"""Characters of a sender's text: a row takes 32,768 in one value, and refuses the whole row for more."""


class TableQuarantine:
    """Implements ``ports.Quarantine``: the bytes first, then the row that names them."""

    def __init__(self, tables: Tables, container: ContainerClient) -> None:
        self._tables = tables
        self._container = container

    async def set_aside(
        self,
        *,
        queue: str,
        identity: str,
        code: str,
        what: str,
        body: bytes,
        properties: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Record a message that can't succeed; a second delivery of it changes nothing."""
        name = ids.digest("quarantine", queue, identity)
        day = keys.day(now)
        await self._keep(f"{day}/{name}", body)
        values: dict[str, Value] = {
            "queue": queue,
            "identity": identity[:_LONGEST],
            "code": code,
            "what": what,
            "bytes": len(body),
            "at": keys.instant(now),
        }
        row = Row(partition=day, key=name, values={**values, **_carried(properties)})
        try:
            await self._tables.write("quarantine", [Insert(row)])
        except Conflict:
            return
        log.warning(
            "message.set_aside", extra={"queue": queue, "quarantine_id": name, "code": code, "bytes": len(body)}
        )

    async def _keep(self, name: str, body: bytes) -> None:
        blob = self._container.get_blob_client(name)
        try:
            try:
                await blob.upload_blob(body, overwrite=True)
            except ResourceNotFoundError:
                await self._container.create_container()
                await blob.upload_blob(body, overwrite=True)
        except AzureError as error:
            raise TryAgain("the quarantine", after=timedelta(seconds=5), fault=True) from error


def _carried(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the sender's properties under names that a table takes, for the replay; at most twenty."""
    return {
        f"property{number:02d}": f"{key}={value}"[:_LONGEST]
        for number, (key, value) in enumerate(list(properties.items())[:20])
    }
