"""Puts rows into Azurite by the hundred, as they are: a request for each would take as long as what is to be measured."""

import asyncio
from collections.abc import Sequence
from itertools import batched

from azure.data.tables.aio import TableServiceClient

from access.adapters.tables import Row

TRANSACTION, AT_ONCE = 100, 4

Places = Sequence[tuple[str, Row]]
"""Rows, each with its table."""


async def upload(service: TableServiceClient, places: Places) -> None:
    """Write rows in transactions of a hundred, a few of them at once."""
    by_partition: dict[tuple[str, str], list[Row]] = {}
    for table, row in places:
        by_partition.setdefault((table, row.partition), []).append(row)
    for table in {table for table, _ in by_partition}:
        await service.create_table_if_not_exists(table)
    some = [
        (table, part) for (table, _), rows in by_partition.items() for part in batched(rows, TRANSACTION, strict=False)
    ]
    for side_by_side in batched(some, AT_ONCE, strict=False):
        await asyncio.gather(*(_transaction(service, table, rows) for table, rows in side_by_side))


async def _transaction(service: TableServiceClient, table: str, rows: Sequence[Row]) -> None:
    entities = [{"PartitionKey": row.partition, "RowKey": row.key, **row.values} for row in rows]
    await service.get_table_client(table).submit_transaction([("upsert", one, {"mode": "replace"}) for one in entities])
