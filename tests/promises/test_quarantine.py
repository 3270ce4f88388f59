"""What the quarantine promises: the reason and the very bytes of a message that can't succeed, once; and back again."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from access.adapters import keys
from access.adapters.azure_blobs import AzureBlobs
from access.adapters.changes import Author
from access.adapters.quarantine import CONTAINER, DAY_LIMIT, REPLAY, SetAside, TableQuarantine, Verdict, days
from access.adapters.tables import Insert, Row, Tables, Value
from access.errors import Conflict, TryAgain
from access.wire import ATTEMPT, IDENTITY
from tests.fakes.blobs import FakeBlobs
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables
from tests.promises.azurite import RunningAzurite
from tests.promises.conftest import FAKE_AND_REAL, RealTables
from tests.promises.samples import NOW
from tests.promises.scripted import Answer, ScriptedServer

QUEUE = "activation-requests"
BO = Author(by="bo", through="direct", at=NOW + timedelta(hours=1))
LATE = datetime.fromisoformat("2026-03-02T23:59:58Z")


@dataclass
class World:
    """A quarantine, in memory or on Azurite."""

    quarantine: TableQuarantine
    tables: Tables

    async def rows(self, day: datetime = NOW) -> list[Row]:
        """Return the rows of a day, as they are."""
        return [row async for row in self.tables.query("quarantine", keys.day(day), start="0", end="~")]

    async def entry(self) -> SetAside:
        """Return the only message that arrived today."""
        (found,) = await self.quarantine.on(NOW)
        return found

    async def kept(self) -> list[tuple[str, bytes | None]]:
        """Return code and bytes of everything that arrived today."""
        return [(entry.code, await self.quarantine.body(entry)) for entry in await self.quarantine.on(NOW)]


@pytest.fixture
async def container(azurite: RunningAzurite) -> AsyncIterator[ContainerClient]:
    client = ContainerClient.from_connection_string(azurite.connection_string, CONTAINER, retry_total=0)
    async with client:
        yield client
        if await client.exists():
            await client.delete_container()


@pytest.fixture
def real_world(container: ContainerClient, real_tables: RealTables) -> World:
    return World(TableQuarantine(real_tables.tables, AzureBlobs(container)), real_tables.tables)


@pytest.fixture(params=FAKE_AND_REAL)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        tables = FakeTables()
        return World(TableQuarantine(tables, FakeBlobs()), tables)
    real: World = request.getfixturevalue("real_world")
    return real


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus(FakeClock())


async def set_aside(
    world: World,
    body: bytes,
    *,
    identity: str = "m-1",
    code: str = "HG-BODY-NOT-JSON",
    queue: str = QUEUE,
    properties: Mapping[str, str] | None = None,
    now: datetime = NOW,
    enqueued_at: datetime | None = None,
    correlation_id: str = "",
) -> None:
    await world.quarantine.set_aside(
        queue=queue,
        identity=identity,
        code=code,
        what="no JSON",
        body=body,
        properties=properties or {},
        now=now,
        enqueued_at=enqueued_at,
        correlation_id=correlation_id,
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe\x00 not text", b"x" * 262_144], ids=["empty", "short", "not text", "256 KiB"]
)
async def test_the_bytes_are_kept_as_they_came(world: World, body: bytes) -> None:
    await set_aside(world, body)

    assert await world.kept() == [("HG-BODY-NOT-JSON", body)]


async def test_a_second_delivery_changes_nothing(world: World) -> None:
    await set_aside(world, b"{")

    await set_aside(world, b"{")

    assert await world.kept() == [("HG-BODY-NOT-JSON", b"{")]


async def test_a_second_delivery_after_midnight_makes_no_second_row(world: World) -> None:
    await set_aside(world, b"{", now=LATE, enqueued_at=LATE)

    await set_aside(world, b"{", now=LATE + timedelta(minutes=5), enqueued_at=LATE)

    assert [len(await world.rows(day)) for day in (LATE, LATE + timedelta(days=1))] == [1, 0]


async def test_messages_with_one_id_on_two_queues_are_two(world: World) -> None:
    await set_aside(world, b"one")
    await set_aside(world, b"two", queue="provisioning")

    assert {content for _, content in await world.kept()} == {b"one", b"two"}


async def test_another_message_under_the_same_id_does_not_take_the_place_of_the_first(world: World) -> None:
    await set_aside(world, b"one")
    await set_aside(world, b"two")

    assert {content for _, content in await world.kept()} == {b"one", b"two"}


@pytest.mark.parametrize(
    "identity", ["a/b\\c#d?e", "Ä" * 128, "", "x" * 40_000], ids=["signs", "letters", "none", "long"]
)
async def test_whatever_a_sender_calls_a_message_it_is_kept(world: World, identity: str) -> None:
    await set_aside(world, b"{", identity=identity)

    assert len(await world.kept()) == 1


async def test_the_row_says_what_was_wrong_with_which_message_and_when(world: World) -> None:
    said = {"flow": "Ä", "a=b": "c=d"}
    await set_aside(world, b"{", properties=said, enqueued_at=NOW - timedelta(seconds=9), correlation_id="run-1")

    entry = await world.entry()

    assert entry == SetAside(
        id=entry.id,
        queue=QUEUE,
        identity="m-1",
        code="HG-BODY-NOT-JSON",
        what="no JSON",
        bytes=1,
        at=NOW,
        enqueued_at=NOW - timedelta(seconds=9),
        correlation_id="run-1",
        properties=said,
        etag=entry.etag,
    )


async def test_properties_are_kept_up_to_what_a_row_can_hold_and_what_is_missing_is_said(world: World) -> None:
    await set_aside(world, b"{", properties={"flow": "Ä" * 900, **{f"name-{n}": "x" * 5_000 for n in range(300)}})

    entry = await world.entry()

    assert (entry.properties, entry.cut) == ({"flow": "Ä" * 900}, True)


async def test_the_newest_of_a_day_comes_first_and_each_is_found_by_the_first_digits_of_its_key(world: World) -> None:
    for minute in (1, 3, 2):
        await set_aside(world, b"{", identity=f"m-{minute}", now=NOW + timedelta(minutes=minute))

    found = await world.quarantine.on(NOW)

    assert [entry.identity for entry in found] == ["m-3", "m-2", "m-1"]
    day, _, digits = found[1].id.partition("/")
    assert await world.quarantine.beginning(day, digits[:8]) == [found[1]]
    assert await world.quarantine.beginning(day, digits) == [found[1]]
    assert await world.quarantine.beginning("2026-03-01", digits) == []


async def test_a_storm_is_read_up_to_a_limit(world: World) -> None:
    row = (await _rows_of_a_storm(world))[0]

    found = await world.quarantine.on(NOW)

    assert len(found) == DAY_LIMIT
    assert {entry.identity for entry in found} == {row.values["identity"]}


async def _rows_of_a_storm(world: World) -> list[Row]:
    await set_aside(world, b"{")
    (row,) = await world.rows()
    copies = [replace(row, key=f"{number:032x}", etag="") for number in range(DAY_LIMIT + 5)]
    for start in range(0, len(copies), 100):
        await world.tables.write("quarantine", [Insert(copy) for copy in copies[start : start + 100]])
    return copies


async def test_a_row_of_the_first_version_is_read(world: World) -> None:
    values: dict[str, Value] = {
        "queue": QUEUE,
        "identity": "m-1",
        "code": "HG-BODY-EMPTY",
        "what": "the body is empty",
        "bytes": 0,
        "at": "20260302T090000Z",
        "property00": "flow=a=b",
        "property11": "hourglass-attempt=2",
    }
    await world.tables.write("quarantine", [Insert(Row(partition=keys.day(NOW), key="0" * 32, values=values))])

    entry = await world.entry()

    assert (entry.at, entry.enqueued_at, entry.verdict) == (NOW, None, None)
    assert entry.properties == {"flow": "a=b", "hourglass-attempt": "2"}


async def test_a_replay_puts_the_message_back_as_it_came_and_the_row_says_who_when_and_why(
    world: World, bus: FakeBus
) -> None:
    await set_aside(world, b"\xff{", properties={"flow": "Ä", ATTEMPT: "4"}, correlation_id="run-1")
    entry = await world.entry()

    await world.quarantine.replay(entry, b"\xff{", bus, BO, "mended")

    (message,) = bus.messages
    assert (message.queue, message.body) == (QUEUE, b"\xff{")
    assert (message.message_id, message.correlation_id) == ("m-1", "run-1")
    assert message.application_properties == {"flow": "Ä", IDENTITY: "m-1", REPLAY: f"{entry.id}@1"}
    marked = await world.entry()
    decided = (marked.verdict, marked.verdict_by, marked.verdict_through, marked.verdict_at, marked.reason)
    assert decided == (Verdict.REPLAYED, "bo", "direct", BO.at, "mended")
    assert marked.replays == 1


async def test_a_replay_that_fails_again_is_a_row_of_its_own_that_names_the_first(world: World, bus: FakeBus) -> None:
    await set_aside(world, b"{")
    first = await world.entry()
    await world.quarantine.replay(first, b"{", bus, BO, "mended")
    again = bus.messages[0].application_properties

    for _ in range(2):
        await set_aside(world, b"{", properties=again, now=BO.at)

    second, _ = await world.quarantine.on(NOW)
    assert len(await world.kept()) == 2
    assert (second.properties[REPLAY], second.verdict) == (f"{first.id}@1", None)


async def test_a_replay_that_could_not_be_sent_is_ordered_and_not_said_to_be_sent(world: World, bus: FakeBus) -> None:
    await set_aside(world, b"{")
    bus.down = True

    with pytest.raises(TryAgain):
        await world.quarantine.replay(await world.entry(), b"{", bus, BO, "mended")

    assert (await world.entry()).verdict is Verdict.REPLAY_ORDERED
    bus.down = False
    await world.quarantine.replay(await world.entry(), b"{", bus, BO, "mended")
    assert [m.application_properties[REPLAY][-2:] for m in bus.messages] == ["@2"]


async def test_what_somebody_else_decided_about_meanwhile_is_not_sent(world: World, bus: FakeBus) -> None:
    await set_aside(world, b"{")
    entry = await world.entry()
    await world.quarantine.discard(entry, BO, "noise")

    with pytest.raises(Conflict):
        await world.quarantine.replay(entry, b"{", bus, BO, "mended")

    assert bus.messages == []
    assert (await world.entry()).verdict is Verdict.DISCARDED


async def test_what_is_discarded_keeps_its_row_and_its_bytes(world: World) -> None:
    await set_aside(world, b"{")

    await world.quarantine.discard(await world.entry(), BO, "noise")

    entry = await world.entry()
    assert (entry.verdict, entry.reason) == (Verdict.DISCARDED, "noise")
    assert await world.quarantine.body(entry) == b"{"


async def test_each_decision_is_in_the_audit(world: World, bus: FakeBus) -> None:
    await set_aside(world, b"{")
    await world.quarantine.replay(await world.entry(), b"{", bus, BO, "mended")
    await world.quarantine.discard(await world.entry(), BO, "it fails for good")

    said = []
    for shard in keys.shards():
        partition = f"{keys.day(BO.at)}-{shard}"
        said += [str(row.values["record"]) async for row in world.tables.query("audit", partition, start="0", end="~")]

    entry = await world.entry()
    assert len(said) == 2
    assert all(f'"subject": "{entry.id}"' in text and '"by": "bo"' in text for text in said)
    assert sum('"event": "message.replay_ordered"' in text and '"reason": "mended"' in text for text in said) == 1
    assert sum('"event": "message.discarded"' in text and '"reason": "it fails for good"' in text for text in said) == 1


async def test_bytes_that_somebody_deleted_are_missed_and_not_taken_for_empty(world: World) -> None:
    await set_aside(world, b"")
    entry = await world.entry()

    assert await world.quarantine.body(replace(entry, id=f"2026-03-01/{'0' * 32}")) is None


def test_days_are_looked_through_from_tomorrow_back() -> None:
    found = [keys.day(day) for day in days(NOW - timedelta(days=1), NOW)]

    assert found == ["2026-03-03", "2026-03-02", "2026-03-01"]


class TestOverTheWire:
    async def test_there_is_no_row_without_its_bytes(self) -> None:
        tables = FakeTables()
        async with ScriptedServer(Answer(503)) as server, _client_of(server) as container:
            quarantine = TableQuarantine(tables, AzureBlobs(container))

            with pytest.raises(TryAgain) as later:
                await quarantine.set_aside(
                    queue=QUEUE, identity="m", code="c", what="w", body=b"{", properties={}, now=NOW
                )

        assert later.value.fault
        assert not any(tables.rows.values())

    async def test_bytes_that_can_not_be_read_now_are_not_taken_for_missing(self) -> None:
        async with ScriptedServer(Answer(503)) as server, _client_of(server) as container:
            with pytest.raises(TryAgain) as later:
                await AzureBlobs(container).get("2026-03-02/0")

        assert later.value.what == "the blobs of quarantine"

    @pytest.mark.real
    async def test_the_container_is_made_when_it_is_first_missed(
        self, real_world: World, container: ContainerClient
    ) -> None:
        with pytest.raises(ResourceNotFoundError):
            await container.get_container_properties()

        await set_aside(real_world, b"{")

        await container.get_container_properties()


def _client_of(server: ScriptedServer) -> ContainerClient:
    connection = f"AccountName=contoso;AccountKey=MDAwMDAwMDAwMDAwMDAwMA==;BlobEndpoint={server.url}/contoso;"
    return ContainerClient.from_connection_string(connection, CONTAINER, retry_total=0)
