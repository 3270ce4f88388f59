"""Service Bus triggers and outputs, with a real broker and the real SDK."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from local.service_bus.testing import RunningBroker

from .conftest import TOPOLOGY, free_port
from .running_host import APPS, RunningHost, until

pytestmark = pytest.mark.real

FUNCTIONS = ("--functions", "text", "raw", "subscribed", "failing", "batch")


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with RunningBroker(topology=TOPOLOGY) as running:
        yield running


@pytest.fixture(scope="module")
def host(broker: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    bus = {"Bus": broker.connection_string}
    with RunningHost(APPS / "sample", tmp_path_factory.mktemp("host"), *FUNCTIONS, environment=bus) as running:
        yield running


@pytest.fixture(scope="module")
def client(broker: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker.connection_string) as connected:
        yield connected


def send(client: ServiceBusClient, queue: str, *bodies: bytes, **properties: Any) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body, **properties) for body in bodies])


def bodies_in(client: ServiceBusClient, queue: str, sub_queue: ServiceBusSubQueue | None = None) -> list[bytes]:
    with client.get_queue_receiver(queue, sub_queue=sub_queue) as receiver:
        return [b"".join(message.body) for message in receiver.peek_messages(10)]


def text_event(host: RunningHost, body: str) -> dict[str, Any]:
    """Return what the function `text` logged about a body."""
    return until(lambda: next((line for line in host.events("text") if line["body"] == body), {}))


def test_a_message_arrives_with_all_that_was_said_about_it_and_is_gone(
    host: RunningHost, client: ServiceBusClient
) -> None:
    send(
        client,
        "text",
        b"hello",
        message_id="m-1",
        correlation_id="c-1",
        subject="greeting",
        content_type="text/plain",
        reply_to="answers",
        to="ada",
        application_properties={"role": "reader", "count": 2},
    )

    seen = text_event(host, "hello")

    assert seen == {
        "event": "text",
        "body": "hello",
        "message_id": "m-1",
        "correlation_id": "c-1",
        "subject": "greeting",
        "content_type": "text/plain",
        "reply_to": "answers",
        "to": "ada",
        "delivery_count": 1,
        "sequence_number": seen["sequence_number"],
        "enqueued": True,
        "properties": {"role": "reader", "count": 2},
    }
    until(lambda: not bodies_in(client, "text"))


def test_a_binary_body_goes_through_a_function_into_its_output_unharmed(
    host: RunningHost, client: ServiceBusClient
) -> None:
    send(client, "raw", b"\xff\x00\xfe")

    assert until(lambda: bodies_in(client, "copies")) == [b"\xff\x00\xfe"]


def test_a_subscription_of_a_topic_is_listened_to(host: RunningHost, client: ServiceBusClient) -> None:
    with client.get_topic_sender("news") as sender:
        sender.send_messages(ServiceBusMessage("all is well"))

    assert host.wait_for("news")[0]["body"] == "all is well"


def test_a_batch_arrives_as_a_list(host: RunningHost, client: ServiceBusClient) -> None:
    send(client, "batch", b"a", b"b", b"c")

    until(lambda: sorted(body for line in host.events("batch") for body in line["bodies"]) == ["a", "b", "c"])
    until(lambda: not bodies_in(client, "batch"))


def test_a_message_whose_function_fails_comes_again_until_it_is_dead(
    host: RunningHost, client: ServiceBusClient
) -> None:
    send(client, "broken", b"bad news")

    dead = until(lambda: bodies_in(client, "broken", ServiceBusSubQueue.DEAD_LETTER))

    assert dead == [b"bad news"]
    assert [line["delivery_count"] for line in host.events("failing")] == [1, 2, 3]


def test_a_function_can_be_run_by_hand(host: RunningHost) -> None:
    answer = httpx.post(
        f"{host.url}/admin/functions/text",
        json={"input": "by hand"},
        headers={"x-functions-key": "sample-master-key"},
        trust_env=False,
    )

    assert answer.status_code == 202
    assert text_event(host, "by hand")["delivery_count"] == 1


def test_a_lock_is_renewed_while_its_function_runs(
    broker: RunningBroker, client: ServiceBusClient, tmp_path: Path
) -> None:
    patient = {"Bus": broker.connection_string, "AzureFunctionsJobHost__functionTimeout": "00:01:00"}
    with RunningHost(APPS / "sample", tmp_path, "--functions", "slow", environment=patient) as host:
        send(client, "slow", b"7")  # longer than the lock

        host.wait_for("slow.ended")

        until(lambda: not bodies_in(client, "slow"))
        assert len(host.events("slow.started")) == 1


def test_what_runs_when_the_host_is_told_to_stop_ends_and_is_settled(
    broker: RunningBroker, client: ServiceBusClient, tmp_path: Path
) -> None:
    bus = {"Bus": broker.connection_string}
    with RunningHost(APPS / "sample", tmp_path, "--functions", "slow", environment=bus) as host:
        send(client, "slow", b"1.5")
        host.wait_for("slow.started")

        host.terminate()

        assert host.wait() == 0
        assert host.events("slow.ended")
    assert bodies_in(client, "slow") == []


def test_a_broker_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    kept, port = tmp_path / "broker", free_port()
    with RunningBroker(topology=TOPOLOGY, data=kept, port=port) as first:
        bus = {"Bus": first.connection_string}
        host = RunningHost(APPS / "sample", tmp_path, "--functions", "text", environment=bus)
        with host, ServiceBusClient.from_connection_string(first.connection_string) as client:
            send(client, "text", b"before")
            host.wait_for("text")
            first.__exit__(None, None, None)
            host.wait_for_line("Listener of 'Functions.text' (text) lost")

            with (
                RunningBroker(topology=TOPOLOGY, data=kept, port=port) as second,
                ServiceBusClient.from_connection_string(second.connection_string) as again,
            ):
                send(again, "text", b"after")
                until(lambda: {line["body"] for line in host.events("text")} == {"before", "after"})
                host.terminate()
                assert host.wait() == 0
