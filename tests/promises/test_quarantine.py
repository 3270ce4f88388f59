"""What the quarantine promises: the reason and the very bytes of a message that can't succeed, once."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from access import ids
from access.adapters import keys
from access.adapters.quarantine import CONTAINER, TableQuarantine
from access.adapters.tables import Row
from access.errors import TryAgain
from access.ports import Quarantine
from tests.fakes.outside import FakeQuarantine
from tests.fakes.tables import FakeTables
from tests.promises.azurite import RunningAzurite
from tests.promises.conftest import FAKE_AND_REAL, RealTables
from tests.promises.samples import NOW
from tests.promises.scripted import Answer, ScriptedServer

QUEUE = "activation-requests"


class World(Protocol):
    """A quarantine, and what is in it."""

    quarantine: Quarantine

    async def kept(self) -> list[tuple[str, bytes]]:
        """Return code and bytes of everything in it."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self._quarantine = FakeQuarantine()
        self.quarantine: Quarantine = self._quarantine

    async def kept(self) -> list[tuple[str, bytes]]:
        return list(self._quarantine.kept.values())


@dataclass
class RealWorld:
    quarantine: Quarantine
    tables: RealTables
    container: ContainerClient

    async def rows(self) -> list[Row]:
        found = self.tables.tables.query("quarantine", keys.day(NOW), start="0", end="~")
        return [row async for row in found]

    async def kept(self) -> list[tuple[str, bytes]]:
        return [(str(row.values["code"]), await self.read(f"{row.partition}/{row.key}")) for row in await self.rows()]

    async def read(self, name: str) -> bytes:
        return await (await self.container.download_blob(name)).readall()


@pytest.fixture
async def real_world(azurite: RunningAzurite, real_tables: RealTables) -> AsyncIterator[RealWorld]:
    client = ContainerClient.from_connection_string(azurite.connection_string, CONTAINER, retry_total=0)
    async with client as container:
        yield RealWorld(TableQuarantine(real_tables.tables, container), real_tables, container)
        await container.delete_container()


@pytest.fixture(params=FAKE_AND_REAL)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    real: RealWorld = request.getfixturevalue("real_world")
    return real


async def set_aside(
    world: World,
    body: bytes,
    *,
    identity: str = "m-1",
    code: str = "HG-BODY-NOT-JSON",
    queue: str = QUEUE,
    properties: Mapping[str, str] | None = None,
) -> None:
    await world.quarantine.set_aside(
        queue=queue,
        identity=identity,
        code=code,
        what="no JSON",
        body=body,
        properties=properties or {},
        now=NOW,
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


async def test_messages_with_one_id_on_two_queues_are_two(world: World) -> None:
    await set_aside(world, b"one")
    await set_aside(world, b"two", queue="provisioning")

    assert sorted(await world.kept()) == [("HG-BODY-NOT-JSON", b"one"), ("HG-BODY-NOT-JSON", b"two")]


@pytest.mark.parametrize(
    "identity", ["a/b\\c#d?e", "Ä" * 128, "", "x" * 40_000], ids=["signs", "letters", "none", "long"]
)
async def test_whatever_a_sender_calls_a_message_it_is_kept(world: World, identity: str) -> None:
    await set_aside(world, b"{", identity=identity)

    assert len(await world.kept()) == 1


@pytest.mark.real
class TestTheRow:
    async def test_it_says_what_was_wrong_with_which_message_and_when(self, real_world: RealWorld) -> None:
        await set_aside(real_world, b"{", properties={"flow": "Ä", "a/b": "2"})

        (row,) = await real_world.rows()
        assert row.key == ids.digest("quarantine", QUEUE, "m-1")
        assert row.values == {
            "queue": QUEUE,
            "identity": "m-1",
            "code": "HG-BODY-NOT-JSON",
            "what": "no JSON",
            "bytes": 1,
            "at": keys.instant(NOW),
            "property00": "flow=Ä",
            "property01": "a/b=2",
        }

    async def test_properties_are_kept_up_to_what_a_row_can_hold(self, real_world: RealWorld) -> None:
        await set_aside(real_world, b"{", properties={f"name-{n}": "x" * 5_000 for n in range(300)})

        (row,) = await real_world.rows()
        kept = [value for name, value in row.values.items() if name.startswith("property")]
        assert len(kept) == 20
        assert max(len(str(value)) for value in kept) == 1_000

    async def test_there_is_no_row_without_its_bytes(self) -> None:
        tables = FakeTables()
        async with ScriptedServer(Answer(503)) as server:
            connection = f"AccountName=contoso;AccountKey=MDAwMDAwMDAwMDAwMDAwMA==;BlobEndpoint={server.url}/contoso;"
            client = ContainerClient.from_connection_string(connection, CONTAINER, retry_total=0)
            async with client as container:
                quarantine = TableQuarantine(tables, container)

                with pytest.raises(TryAgain) as later:
                    await quarantine.set_aside(
                        queue=QUEUE, identity="m", code="c", what="w", body=b"{", properties={}, now=NOW
                    )

        assert later.value.fault
        assert not any(tables.rows.values())

    async def test_the_container_is_made_when_it_is_first_missed(self, real_world: RealWorld) -> None:
        with pytest.raises(ResourceNotFoundError):
            await real_world.container.get_container_properties()

        await set_aside(real_world, b"{")

        await real_world.container.get_container_properties()
