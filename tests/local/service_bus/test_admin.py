"""The admin API: what is there, what went wrong, and what is to go wrong next."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusConnectionError, ServiceBusServerBusyError

from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.message import DeadLetter
from local.service_bus.testing import RunningBroker

from .samples import QUICK, Receiver, held, publish, token_of

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("clean")]

WAIT = 5  # seconds: a deadline, not a pause


@pytest.fixture(scope="module")
def admin(running: RunningBroker) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.admin_url) as admin:
        yield admin


@pytest.fixture(scope="module")
def client(running: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(running.connection_string, retry_total=0) as client:
        yield client


def counts(admin: httpx.Client) -> dict[str, dict[str, int]]:
    return {each.pop("name"): each for each in admin.get("/entities").json()}


def script(admin: httpx.Client, *faults: dict[str, Any], entity: str = "requests") -> None:
    admin.post("/faults", json={"entity": entity, "faults": faults}).raise_for_status()


def test_entities_are_counted_by_state(running: RunningBroker, admin: httpx.Client) -> None:
    publish(running, b"dead", b"locked", b"ready", b"ready")
    publish(running, b"later", scheduled_at=4e9)

    def lock_two(broker: Broker) -> None:
        receiver = Receiver(broker, "requests", credit=2)
        receiver.leave()
        broker.queue("requests").settle(token_of(receiver.received[0]), DeadLetter("NoSuchRole", None))

    running.call(lock_two)

    counted = counts(admin)

    assert counted["requests"] == {"ready": 2, "locked": 1, "scheduled": 1, "deferred": 0, "dead": 1}
    assert set(counted) == {
        "requests",
        "notices",
        "forever",
        "events",
        "events/Subscriptions/flows",
        "events/Subscriptions/audit",
        "unread",
    }


def test_messages_are_shown_as_they_are(running: RunningBroker, admin: httpx.Client) -> None:
    publish(running, b"Ada asks", message_id="request-1", application_properties={"role": "Reader"})

    def dead_letter(broker: Broker) -> None:
        receiver = Receiver(broker, "requests")
        receiver.leave()
        broker.queue("requests").settle(token_of(receiver.received[0]), DeadLetter("NoSuchRole", "Owner of nothing"))

    running.call(dead_letter)

    [shown] = admin.get("/entities/requests/$DeadLetterQueue/messages").json()

    assert b64decode(shown["body"]) == b"Ada asks"
    assert (shown["id"], shown["state"], shown["deliveryCount"]) == ("request-1", "ready", 0)
    assert (shown["deadLetterReason"], shown["deadLetterDescription"]) == ("NoSuchRole", "Owner of nothing")
    assert shown["applicationProperties"] == {"role": "Reader"}
    assert shown["enqueuedAt"].endswith("+00:00")
    assert admin.get("/entities/requests/messages").json() == []


def test_a_scheduled_message_of_the_last_year_is_shown_too(running: RunningBroker, admin: httpx.Client) -> None:
    publish(running, b"later", path="events", scheduled_at=253_402_300_799)

    [shown] = admin.get("/entities/events/messages", params={"limit": 1}).json()

    assert (shown["state"], shown["scheduledAt"][:4]) == ("scheduled", "9999")


def test_a_purge_empties_what_it_names(running: RunningBroker, admin: httpx.Client) -> None:
    publish(running, b"1", b"2", path="events")

    answer = admin.delete("/entities/events/Subscriptions/flows/messages")

    assert answer.json() == {"removed": 2}
    assert held(running, "events/Subscriptions/flows") == []
    assert len(held(running, "events/Subscriptions/audit")) == 2


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/entities/nobody/messages"), ("DELETE", "/entities/nobody/messages")]
)
def test_what_does_not_exist_is_not_found(admin: httpx.Client, method: str, path: str) -> None:
    answer = admin.request(method, path)

    assert answer.status_code == 404
    assert "nobody" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        b'{"entity": "requests"}',
        b'{"entity": "requests", "faults": [{"kind": "explode"}]}',
        b'{"entity": "requests", "faults": [{"kind": "busy", "count": 0}]}',
        b'{"entity": "requests", "faults": [{"kind": "delay", "milliseconds": -1}]}',
        b'{"entity": "requests", "faults": [{"kind": "busy", "on": "delivery"}]}',
        b'{"entity": "requests", "faults": [{"kind": "busy", "share": 0}]}',
        b'{"entity": "requests", "faults": [{"kind": "busy", "share": 1.5}]}',
    ],
)
def test_a_script_that_makes_no_sense_is_refused(admin: httpx.Client, body: bytes) -> None:
    assert admin.post("/faults", content=body).status_code == 400
    assert admin.get("/faults").json() == {}
    assert admin.get("/entities/requests/messages", params={"limit": "all"}).status_code == 400


def test_scripted_faults_are_shown_and_cleared(admin: httpx.Client) -> None:
    script(admin, {"kind": "busy", "count": 2}, {"kind": "delay", "milliseconds": 50, "on": "delivery"})

    assert admin.get("/faults").json() == {
        "requests": [
            {"kind": "busy", "count": 2, "on": ["send"], "milliseconds": 0, "share": 1},
            {"kind": "delay", "count": 1, "on": ["delivery"], "milliseconds": 50, "share": 1},
        ]
    }
    assert admin.delete("/faults").status_code == 204
    assert admin.get("/faults").json() == {}
    assert admin.post("/faults", json={"entity": "nobody", "faults": []}).status_code == 404


def test_the_sdk_sees_the_faults_of_sending(
    running: RunningBroker, admin: httpx.Client, client: ServiceBusClient
) -> None:
    with client.get_queue_sender("requests", **QUICK) as sender:
        script(admin, {"kind": "busy"}, {"kind": "delay", "milliseconds": 100, "on": "send"})
        with pytest.raises(ServiceBusServerBusyError):
            sender.send_messages(ServiceBusMessage("busy"))
        sender.send_messages(ServiceBusMessage("acknowledged late"))
        script(admin, {"kind": "detach", "on": "send"})
        with pytest.raises(ServiceBusConnectionError):
            sender.send_messages(ServiceBusMessage("detached"))
        sender.send_messages(ServiceBusMessage("again"))

    assert held(running, "requests") == [(b"acknowledged late", "ACTIVE"), (b"again", "ACTIVE")]


def test_the_sdk_sees_the_faults_of_receiving(
    running: RunningBroker, admin: httpx.Client, client: ServiceBusClient
) -> None:
    script(admin, {"kind": "lose-lock"}, {"kind": "repeat"}, {"kind": "delay", "milliseconds": 100, "on": "delivery"})
    publish(running, b"Ada asks")
    with client.get_queue_receiver("requests", **QUICK) as receiver:
        [message] = receiver.receive_messages(max_wait_time=WAIT)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)

        counts = []
        for _ in range(2):
            [message] = receiver.receive_messages(max_wait_time=WAIT)
            counts.append(message.delivery_count)
            receiver.complete_message(message)

    assert counts == [1, 2]
    assert held(running, "requests") == []
    assert admin.get("/faults").json() == {}
