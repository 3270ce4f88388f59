"""The storage of a tenant that is to be killed: what it answered is still there, which Azurite by itself doesn't promise."""

import asyncio
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableClient, TableServiceClient

from local.tenant import Ports, Tenant
from local.tenant.parts import ROOT, standard_parts
from local.tenant.tenant import DEFAULT_SEED

pytestmark = pytest.mark.real

WRITERS, ENOUGH = 4, 40


async def write_until_it_is_gone(rows: TableClient, writer: int, answered: list[tuple[str, str]]) -> None:
    """Insert rows, two in a transaction, and note which were answered."""
    for number in range(10_000):
        partition, first, second = f"p{writer}", f"{number}-a", f"{number}-b"
        row = {"PartitionKey": partition, "text": "x" * 200}
        try:
            await rows.submit_transaction(
                [("create", {**row, "RowKey": first}), ("create", {**row, "RowKey": second})], retry_total=0
            )
        except AzureError:
            return
        answered += [(partition, first), (partition, second)]


async def test_every_write_that_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    ports = Ports.free()
    parts = standard_parts(ports, tmp_path, seed=DEFAULT_SEED, app=ROOT, split=False, durable=True)
    storage = [part for part in parts if part.name == "azurite"]
    answered: list[tuple[str, str]] = []

    tenant = Tenant(tmp_path, ports=ports, parts=storage)
    async with tenant, TableServiceClient.from_connection_string(tenant.settings["LEDGER"]) as service:
        rows = await service.create_table("rows")
        writers = [asyncio.create_task(write_until_it_is_gone(rows, n, answered)) for n in range(WRITERS)]
        while len(answered) < ENOUGH:  # noqa: ASYNC110 - the writers are at it
            await asyncio.sleep(0.01)
        await tenant.kill("azurite")
        await asyncio.gather(*writers)
        await tenant.start("azurite")
        found = {(row["PartitionKey"], row["RowKey"]) async for row in rows.list_entities()}

    assert set(answered) <= found
    assert all((partition, key.replace("-b", "-a")) in found for partition, key in found)
