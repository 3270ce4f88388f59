"""What ``Bus`` promises: ids and correlation kept, nothing before its time, bytes untouched, and faults that pass."""

import asyncio
import json
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import httpx
import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from access.adapters.bus import ServiceBus
from access.adapters.clock import SystemClock
from access.errors import TryAgain
from access.ports import Bus, Clock
from access.wire import QUEUES
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

    async def kill(self, queue: str) -> None:
        """Have the broker dead-letter the next message of a queue."""
        ...


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

    async def kill(self, queue: str) -> None:
        message = self._bus.take()
        assert message is not None
        assert message.queue == queue
        self._bus.kill(message, "Broken: it is of no use")


class RealWorld:
    """The adapter at the local broker; what has arrived is read there, without the second it takes to open a receiver."""

    def __init__(self, broker: RunningBroker, client: ServiceBusClient) -> None:
        self.clock: Clock = SystemClock()
        self.bus: Bus = ServiceBus(client)
        self._broker = broker
        self.client = client

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

    async def kill(self, queue: str) -> None:
        async with self.client.get_queue_receiver(queue) as receiver:
            (message,) = await receiver.receive_messages(max_message_count=1, max_wait_time=5)
            await receiver.dead_letter_message(message, reason="Broken", error_description="it is of no use")


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


class TestDeadLetters:
    async def dead(self, world: World, queue: str, raw: bytes, message_id: str) -> None:
        properties = {"hourglass-identity": "m-0", "flow": "Ä"}
        await world.bus.send_again(
            queue, raw, properties=properties, message_id=message_id, correlation_id="c-1", at=world.clock.now()
        )
        await world.kill(queue)

    async def test_where_there_are_none_nothing_is_returned(self, world: World) -> None:
        assert await world.bus.dead_letters([QUEUE, "ticks"], limit=10) == ()

    async def test_one_is_returned_with_its_bytes_its_ids_and_the_reason_until_it_is_done(self, world: World) -> None:
        await self.dead(world, QUEUE, b"\xff\xfe not text", "m-1")

        (letter,) = await world.bus.dead_letters([QUEUE, "ticks"], limit=10)

        assert (letter.body, letter.reason) == (b"\xff\xfe not text", "Broken: it is of no use")
        envelope = letter.envelope
        assert (envelope.queue, envelope.message_id, envelope.correlation_id) == (QUEUE, "m-1", "c-1")
        assert envelope.properties == {"hourglass-identity": "m-0", "flow": "Ä"}
        assert datetime.fromisoformat(envelope.enqueued_at).tzinfo is not None
        await letter.done()
        world.pass_time(timedelta(minutes=2))
        assert await world.bus.dead_letters([QUEUE, "ticks"], limit=10) == ()

    async def test_one_that_is_not_done_is_there_again_once_its_lock_is_over(self, world: World) -> None:
        await self.dead(world, QUEUE, b"{}", "m-1")
        await world.bus.dead_letters([QUEUE], limit=10)
        world.pass_time(timedelta(minutes=2))

        (letter,) = await world.bus.dead_letters([QUEUE], limit=10)

        await letter.done()
        world.pass_time(timedelta(minutes=2))
        assert await world.bus.dead_letters([QUEUE], limit=10) == ()

    async def test_of_each_queue_a_limited_number_is_returned(self, world: World) -> None:
        for number in range(3):
            await self.dead(world, QUEUE, b"{}", f"m-{number}")
        await self.dead(world, "notifications", b"{}", "n-0")

        letters = await world.bus.dead_letters([QUEUE, "notifications"], limit=2)

        assert [letter.envelope.message_id for letter in letters] == ["m-0", "m-1", "n-0"]


@pytest.mark.real
class TestOverASocket:
    async def test_one_look_for_dead_letters_after_the_other_is_quick_and_locks_nothing_that_comes_later(
        self, real_world: RealWorld
    ) -> None:
        bus = ServiceBus(real_world.client)
        assert await bus.dead_letters(QUEUES, limit=10) == ()
        began = time.monotonic()
        assert await bus.dead_letters(QUEUES, limit=10) == ()
        assert time.monotonic() - began < 1.0

        await real_world.bus.send(QUEUE, {}, message_id="m-1", correlation_id="")
        await real_world.kill(QUEUE)

        assert [message.message_id for message in await real_world.received(f"{QUEUE}/$DeadLetterQueue")] == ["m-1"]

    async def test_a_body_that_is_no_bytes_is_kept_as_json(self, real_world: RealWorld) -> None:
        async with real_world.client.get_queue_sender(QUEUE) as sender:
            await sender.send_messages(AmqpAnnotatedMessage(value_body={"a": [1, b"b"]}))
            await sender.send_messages(AmqpAnnotatedMessage(sequence_body=[["a"], [1]]))
        await real_world.kill(QUEUE)
        await real_world.kill(QUEUE)

        value, sequence = await real_world.bus.dead_letters([QUEUE], limit=10)

        assert json.loads(value.body) == {"a": [1, "b"]}
        assert json.loads(sequence.body) == [["a"], [1]]

    async def test_a_queue_that_is_not_there_keeps_no_other_from_being_read(
        self, real_world: RealWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        await real_world.bus.send(QUEUE, {}, message_id="m-1", correlation_id="")
        await real_world.kill(QUEUE)

        (letter,) = await real_world.bus.dead_letters(["no-such-queue", QUEUE], limit=10)

        assert letter.envelope.message_id == "m-1"
        assert "dead_letters.unread" in [record.message for record in caplog.records]

    async def test_after_the_broker_was_gone_the_next_look_opens_anew(self, caplog: pytest.LogCaptureFixture) -> None:
        (port,) = free_ports(1)
        with RunningBroker(topology=TOPOLOGY, port=port) as broker:
            client = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
            bus = ServiceBus(client)
            assert await bus.dead_letters([QUEUE], limit=10) == ()

        async with client:
            assert await bus.dead_letters([QUEUE], limit=10) == ()
            assert [record.message for record in caplog.records].count("dead_letters.unread") == 1
            with RunningBroker(topology=TOPOLOGY, port=port) as broker:
                world = RealWorld(broker, client)
                await bus.send(QUEUE, {}, message_id="m-1", correlation_id="")
                await world.kill(QUEUE)
                (letter,) = await bus.dead_letters([QUEUE], limit=10)
                assert letter.envelope.message_id == "m-1"

    async def test_a_letter_whose_lock_is_over_is_not_done(self, real_world: RealWorld) -> None:
        await real_world.bus.send(QUEUE, {}, message_id="m-1", correlation_id="")
        await real_world.kill(QUEUE)
        (letter,) = await real_world.bus.dead_letters([QUEUE], limit=10)
        real_world.pass_time(timedelta(minutes=2))

        with pytest.raises(TryAgain):
            await letter.done()

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
