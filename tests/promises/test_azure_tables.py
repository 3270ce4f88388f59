"""What only the real tables can show: what is asked of the service, and what its errors become."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient

from access.adapters.azure_tables import AzureTables
from access.adapters.tables import Insert, Row
from access.errors import TryAgain
from tests.promises.conftest import RealTables
from tests.promises.scripted import CUT, Answer, ScriptedServer

pytestmark = pytest.mark.real

BUSY = Answer(503, {"odata.error": {"code": "ServerBusy", "message": {"value": "Busy."}}})


@asynccontextmanager
async def tables_at(url: str) -> AsyncIterator[AzureTables]:
    connection = f"AccountName=contoso;AccountKey=MDAwMDAwMDAwMDAwMDAwMA==;TableEndpoint={url}/contoso;"
    async with TableServiceClient.from_connection_string(connection, retry_total=0) as service:
        yield AzureTables(service)


async def all_keys(tables: AzureTables, limit: int | None = None) -> list[str]:
    return [row.key async for row in tables.query("due", "0a", start="a", end="z", limit=limit)]


class TestWhatIsAsked:
    async def test_every_query_names_a_partition_and_a_range_of_row_keys(self, real_tables: RealTables) -> None:
        await all_keys(real_tables.tables)

        filters = [
            unquote(query["$filter"]).replace("+", " ") for query in real_tables.wire.queries if "$filter" in query
        ]
        assert set(filters) == {"PartitionKey eq '0a' and RowKey ge 'a' and RowKey lt 'z'"}

    async def test_a_limit_is_asked_of_the_service_too(self, real_tables: RealTables) -> None:
        await all_keys(real_tables.tables, limit=250)

        assert {query["$top"] for query in real_tables.wire.queries if "$filter" in query} == {"250"}

    async def test_an_apostrophe_can_not_end_the_filter(self, real_tables: RealTables) -> None:
        found = real_tables.tables.query("due", "0a", start="' or PartitionKey ne '", end="z")

        assert [row async for row in found] == []
        asked = unquote(real_tables.wire.queries[-1]["$filter"]).replace("+", " ")
        assert "RowKey ge ''' or PartitionKey ne '''" in asked

    async def test_a_table_is_made_once_when_it_is_first_missed(self, real_tables: RealTables) -> None:
        await real_tables.tables.write("due", [Insert(Row(partition="p", key="a"))])
        await real_tables.tables.write("due", [Insert(Row(partition="p", key="b"))])

        assert [table.name async for table in real_tables.service.list_tables()] == ["due"]


class TestWhatErrorsBecome:
    async def test_a_busy_service_is_asked_again_when_it_says(self) -> None:
        async with (
            ScriptedServer(Answer(503, BUSY.body, {"Retry-After": "7"})) as server,
            tables_at(server.url) as tables,
        ):
            with pytest.raises(TryAgain) as later:
                await tables.get("due", "p", "a")

        assert (later.value.after, later.value.fault) == (timedelta(seconds=7), True)

    @pytest.mark.parametrize(("stated", "seconds"), [("86400", 300), ("9" * 30, 300), ("soon", 5), ("-7", 5)])
    async def test_no_answer_has_us_wait_for_longer_than_five_minutes(self, stated: str, seconds: int) -> None:
        async with (
            ScriptedServer(Answer(503, BUSY.body, {"Retry-After": stated})) as server,
            tables_at(server.url) as tables,
        ):
            with pytest.raises(TryAgain) as later:
                await tables.get("due", "p", "a")

        assert later.value.after == timedelta(seconds=seconds)

    @pytest.mark.parametrize("answer", [BUSY, Answer(500), Answer(429), CUT], ids=["503", "500", "429", "cut"])
    async def test_what_may_pass_is_tried_again_in_reads_writes_batches_and_queries(self, answer: Answer) -> None:
        rows = [Insert(Row(partition="p", key=key)) for key in ("a", "b")]
        async with ScriptedServer(answer) as server, tables_at(server.url) as tables:
            for call in (
                tables.get("due", "p", "a"),
                tables.write("due", rows[:1]),
                tables.write("due", rows),
                all_keys(tables),
            ):
                with pytest.raises(TryAgain) as later:
                    await call
                assert later.value.fault

    async def test_a_service_that_does_not_listen_is_tried_again(self) -> None:
        async with ScriptedServer(CUT) as server:
            url = server.url
        async with tables_at(url) as tables:
            with pytest.raises(TryAgain):
                await tables.get("due", "p", "a")

    @pytest.mark.parametrize("status", [400, 403])
    async def test_what_waiting_does_not_mend_is_raised_as_it_came(self, status: int) -> None:
        async with ScriptedServer(Answer(status)) as server, tables_at(server.url) as tables:
            with pytest.raises(HttpResponseError):
                await tables.write("due", [Insert(Row(partition="p", key="a"))])


async def test_an_empty_page_that_is_continued_is_not_the_end() -> None:
    continued = {"x-ms-continuation-NextPartitionKey": "0a", "x-ms-continuation-NextRowKey": "m"}
    entity = {"odata.etag": 'W/"1"', "PartitionKey": "0a", "RowKey": "m"}
    pages = Answer(200, {"value": []}, continued), Answer(200, {"value": [entity]})
    async with ScriptedServer(*pages) as server, tables_at(server.url) as tables:
        assert await all_keys(tables) == ["m"]

    asked = parse_qs(urlsplit(server.requests[1].split()[1]).query)
    assert asked["NextRowKey"] == ["m"]
