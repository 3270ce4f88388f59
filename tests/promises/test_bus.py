"""What ``Bus`` promises: ids and correlation kept, nothing before its time, bytes untouched, and faults that pass."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import httpx
import pytest
from azure.servicebus.aio import ServiceBusClient

from access.adapters.bus import ServiceBus
from access.adapters.clock import SystemClock
from access.errors import TryAgain
from access.ports import Bus, Clock
from local.service_bus.testing import RunningBroker
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.promises.azurite import free_ports
from tests.promises.conftest import FAKE_AND_REAL, TOPOLOGY

QUEUE = "provisioning"


@dataclass(frozen=True)
class Received:
    """A message as whoever listens gets it."""

    body: bytes
    message_id: str | None
    correlation_id: str | None
    properties: Mapping[str, str]


class World(Protocol):
    """A bus, and what is at its other end."""

    bus: Bus
    clock: Clock

    async def received(self, queue: str) -> list[Received]:
        """Return what may be delivered now, or was."""
        ...

    def pass_time(self, span: timedelta) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self._bus = FakeBus(self._clock)
        self.clock: Clock = self._clock
        self.bus: Bus = self._bus

    async def received(self, queue: str) -> list[Received]:
        found = []
        while message := self._bus.take():
            assert message.queue == queue
            found.append(
                Received(message.body, message.message_id, message.correlation_id, message.application_properties)
            )
        return found

    def pass_time(self, span: timedelta) -> None:
        self._clock.advance(span)


class RealWorld:
    """The adapter at the local broker; what has arrived is read there, without the second it takes to open a receiver."""

    def __init__(self, broker: RunningBroker, client: ServiceBusClient) -> None:
        self.clock: Clock = SystemClock()
        self.bus: Bus = ServiceBus(client)
        self._broker = broker

    async def received(self, queue: str) -> list[Received]:
        async with httpx.AsyncClient(base_url=self._broker.admin_url, trust_env=False) as admin:
            messages = (await admin.get(f"/entities/{queue}/messages")).raise_for_status().json()
        return [
            Received(
                b64decode(message["body"]), message["id"], message["correlationId"], message["applicationProperties"]
            )
            for message in messages
            if message["state"] == "ready"
        ]

    def pass_time(self, span: timedelta) -> None:
        self._broker.advance(span.total_seconds())


@asynccontextmanager
async def connected(broker: RunningBroker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
async def real_world(broker: RunningBroker) -> AsyncIterator[RealWorld]:
    async with connected(broker) as client:
        yield RealWorld(broker, client)


@pytest.fixture(params=FAKE_AND_REAL)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    real: RealWorld = request.getfixturevalue("real_world")
    return real


async def test_a_message_arrives_once_with_its_id_and_its_correlation(world: World) -> None:
    await world.bus.send(QUEUE, {"version": 1, "name": "Ä"}, message_id="a-000001", correlation_id="flow-run-1")

    (message,) = await world.received(QUEUE)
    assert json.loads(message.body) == {"version": 1, "name": "Ä"}
    assert (message.message_id, message.correlation_id) == ("a-000001", "flow-run-1")


async def test_messages_to_one_queue_arrive_in_the_order_of_sending(world: World) -> None:
    for number in range(5):
        await world.bus.send(QUEUE, {"number": number}, message_id=f"a-{number}", correlation_id="")

    assert [message.message_id for message in await world.received(QUEUE)] == [f"a-{number}" for number in range(5)]


async def test_no_correlation_is_none(world: World) -> None:
    await world.bus.send(QUEUE, {}, message_id="a-1", correlation_id="")

    (message,) = await world.received(QUEUE)
    assert message.correlation_id is None


async def test_a_message_for_later_is_not_there_before_its_time(world: World) -> None:
    at = world.clock.now() + timedelta(minutes=10)

    await world.bus.send(QUEUE, {}, message_id="a-1", correlation_id="", at=at)

    assert await world.received(QUEUE) == []
    world.pass_time(timedelta(minutes=10, seconds=1))
    assert [message.message_id for message in await world.received(QUEUE)] == ["a-1"]


async def test_a_message_whose_time_is_over_arrives_at_once(world: World) -> None:
    await world.bus.send(QUEUE, {}, message_id="a-1", correlation_id="", at=world.clock.now() - timedelta(days=1))

    assert len(await world.received(QUEUE)) == 1


async def test_a_message_that_is_sent_again_keeps_its_bytes_and_properties(world: World) -> None:
    properties = {"hourglass-identity": "m-1", "hourglass-attempt": "2", "flow": "Ä"}
    bodies = [b'{"a": 1}', b"\xef\xbb\xbf{}\x00", b"\xff\xfe not text", b"@\x06string", b'"eyJhIjogMX0="']

    for raw in bodies:
        await world.bus.send_again(
            QUEUE, raw, properties=properties, message_id="b-1", correlation_id="c-1", at=world.clock.now()
        )

    assert await world.received(QUEUE) == [Received(raw, "b-1", "c-1", properties) for raw in bodies]


async def test_a_message_that_is_sent_again_waits_for_its_time(world: World) -> None:
    at = world.clock.now() + timedelta(minutes=1)

    await world.bus.send_again(QUEUE, b"{}", properties={}, message_id="b-1", correlation_id="", at=at)

    assert await world.received(QUEUE) == []
    world.pass_time(timedelta(minutes=1, seconds=1))
    assert len(await world.received(QUEUE)) == 1


@pytest.mark.real
class TestOverASocket:
    async def test_a_topic_takes_messages_as_a_queue_does(self, real_world: RealWorld) -> None:
        await real_world.bus.send("activation-events", {"specversion": "1.0"}, message_id="e-1", correlation_id="c")

        (message,) = await real_world.received("activation-events/Subscriptions/flows")
        assert (message.message_id, json.loads(message.body)) == ("e-1", {"specversion": "1.0"})

    async def test_many_at_once_to_one_queue_all_arrive(self, real_world: RealWorld) -> None:
        sends = [real_world.bus.send(QUEUE, {}, message_id=f"m-{n}", correlation_id="") for n in range(20)]

        await asyncio.gather(*sends)

        assert {message.message_id for message in await real_world.received(QUEUE)} == {f"m-{n}" for n in range(20)}

    async def test_a_queue_that_is_not_there_is_a_fault_that_may_pass(self, real_world: RealWorld) -> None:
        with pytest.raises(TryAgain) as later:
            await real_world.bus.send("no-such-queue", {}, message_id="m-1", correlation_id="")

        assert later.value.fault

    async def test_while_the_broker_is_gone_a_send_may_be_tried_again_and_works_when_it_is_back(self) -> None:
        (port,) = free_ports(1)
        with RunningBroker(topology=TOPOLOGY, port=port) as broker:
            connection = broker.connection_string
            client = ServiceBusClient.from_connection_string(connection, retry_total=0)
            bus = ServiceBus(client)
            await bus.send(QUEUE, {}, message_id="before", correlation_id="")

        async with client:
            for number in range(2):
                with pytest.raises(TryAgain) as later:
                    await bus.send(QUEUE, {}, message_id=f"during-{number}", correlation_id="")
                assert later.value.fault

            with RunningBroker(topology=TOPOLOGY, port=port) as broker:
                await bus.send(QUEUE, {}, message_id="after", correlation_id="")
                received = await RealWorld(broker, client).received(QUEUE)

        assert [message.message_id for message in received] == ["after"]
