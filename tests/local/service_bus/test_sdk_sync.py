"""The unmodified azure-servicebus SDK, its synchronous half, through every operation of the broker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    AutoLockRenewer,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
)

from local.service_bus.testing import RunningBroker

from .samples import LOCK, QUICK, dead_letter_reasons, held, in_an_hour, publish

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("clean")]

WAIT = 5  # seconds: a deadline, not a pause
LARGEST_BODY = 255 * 1024  # bytes: what fits beside a message's properties


@pytest.fixture(scope="module")
def client(running: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(running.connection_string, retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def sender(client: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with client.get_queue_sender("requests", **QUICK) as sender:
        yield sender


@pytest.fixture(scope="module")
def receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with client.get_queue_receiver("requests", **QUICK) as receiver:
        yield receiver


def receive(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    received: list[ServiceBusReceivedMessage] = []
    while len(received) < count:
        more = receiver.receive_messages(max_message_count=count - len(received), max_wait_time=WAIT)
        assert more, f"only {len(received)} of {count} messages came in {WAIT} seconds"
        received += more
    return received


def test_a_message_arrives_with_all_that_its_sender_said(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    sender.send_messages(
        ServiceBusMessage(
            b"Ada asks",
            message_id="request-1",
            correlation_id="run-7",
            subject="activate",
            content_type="application/json",
            application_properties={"attempt": 3, "role": "Reader"},
            time_to_live=timedelta(minutes=5),
        )
    )

    [received] = receive(receiver)

    assert b"".join(received.body) == b"Ada asks"
    assert (received.message_id, received.correlation_id) == ("request-1", "run-7")
    assert (received.subject, received.content_type) == ("activate", "application/json")
    assert received.application_properties == {b"attempt": 3, b"role": b"Reader"}
    assert received.delivery_count == 0
    assert received.time_to_live == timedelta(minutes=5)
    assert received.enqueued_time_utc is not None
    assert received.locked_until_utc is not None
    assert received.locked_until_utc - received.enqueued_time_utc >= timedelta(seconds=LOCK)
    receiver.complete_message(received)
    assert held(running, "requests") == []


def test_an_abandoned_message_comes_again_until_it_has_failed_too_often(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")

    counts = []
    for _ in range(3):
        [message] = receive(receiver)
        counts.append(message.delivery_count)
        receiver.abandon_message(message)

    assert counts == [0, 1, 2]
    [(reason, _)] = dead_letter_reasons(running, "requests")
    assert reason == "MaxDeliveryCountExceeded"


def test_a_dead_lettered_message_says_why(
    client: ServiceBusClient, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")
    receiver.dead_letter_message(receive(receiver)[0], reason="NoSuchRole", error_description="Owner of nothing")

    with client.get_queue_receiver("requests", sub_queue=ServiceBusSubQueue.DEAD_LETTER, **QUICK) as dead_letters:
        [dead] = receive(dead_letters)
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("NoSuchRole", "Owner of nothing")
        dead_letters.complete_message(dead)
    assert dead_letter_reasons(running, "requests") == []


def test_a_deferred_message_is_received_by_its_number(receiver: ServiceBusReceiver, running: RunningBroker) -> None:
    publish(running, b"Ada asks", b"Bo asks")
    messages = receive(receiver, 2)
    for message in messages:
        receiver.defer_message(message)
    numbers = [message.sequence_number or 0 for message in messages]

    [one, other] = receiver.receive_deferred_messages(numbers)

    assert [str(one), str(other)] == ["Ada asks", "Bo asks"]
    receiver.complete_message(one)
    receiver.dead_letter_message(other, reason="Late", error_description="too late")
    with pytest.raises(MessageNotFoundError):
        receiver.receive_deferred_messages(numbers)
    assert dead_letter_reasons(running, "requests") == [("Late", "too late")]


def test_a_scheduled_message_comes_at_its_time_or_is_cancelled(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    messages = [ServiceBusMessage("kept"), ServiceBusMessage("cancelled")]
    kept, cancelled = sender.schedule_messages(messages, in_an_hour(running))
    sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError):
        sender.cancel_scheduled_messages([cancelled])
    [peeked] = receiver.peek_messages()
    assert (peeked.state, peeked.sequence_number) == (ServiceBusMessageState.SCHEDULED, kept)

    running.advance(3600)

    [message] = receive(receiver)
    assert str(message) == "kept"
    receiver.complete_message(message)


def test_a_message_that_carries_its_own_schedule_waits_too(sender: ServiceBusSender, running: RunningBroker) -> None:
    sender.send_messages(ServiceBusMessage("later", scheduled_enqueue_time_utc=in_an_hour(running)))

    assert held(running, "requests") == [(b"later", "SCHEDULED")]


def test_an_expired_lock_is_lost_and_the_message_comes_again(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")
    [message] = receive(receiver)

    running.advance(LOCK)

    with pytest.raises(MessageLockLostError):
        receiver.renew_message_lock(message)
    with pytest.raises(MessageLockLostError):
        receiver.complete_message(message)
    [again] = receive(receiver)
    assert again.delivery_count == 1
    receiver.complete_message(again)


def test_a_renewed_lock_holds_longer(receiver: ServiceBusReceiver, running: RunningBroker) -> None:
    publish(running, b"Ada asks")
    [message] = receive(receiver)
    before = message.locked_until_utc
    running.advance(LOCK / 2)

    until = receiver.renew_message_lock(message)

    assert before is not None
    assert until - before >= timedelta(seconds=LOCK / 2)
    running.advance(LOCK * 0.75)
    receiver.complete_message(message)


def test_the_auto_lock_renewer_keeps_a_lock(receiver: ServiceBusReceiver, running: RunningBroker) -> None:
    # The renewer starts when ten seconds are left by its own clock; a broker that lags behind makes it start at once.
    behind = running.call(lambda broker: broker.clock()) - datetime.now(UTC).timestamp() + LOCK - 5
    running.advance(-behind)
    publish(running, b"Ada asks")
    with AutoLockRenewer() as renewer:
        [message] = receive(receiver)
        before = message.locked_until_utc

        renewer.register(receiver, message, max_lock_renewal_duration=120)

        deadline = datetime.now(UTC) + timedelta(seconds=WAIT)
        while message.locked_until_utc == before and datetime.now(UTC) < deadline:
            receiver.peek_messages()
        assert before is not None
        assert message.locked_until_utc is not None
        assert message.locked_until_utc > before
        receiver.complete_message(message)
    running.advance(behind)


def test_a_peek_shows_messages_from_a_number_on_and_locks_none(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    assert receiver.peek_messages() == []
    publish(running, b"1", b"2", b"3")
    first = receiver.peek_messages()[0].sequence_number or 0

    peeked = receiver.peek_messages(max_message_count=2, sequence_number=first + 1)

    assert [str(message) for message in peeked] == ["2", "3"]
    assert [str(message) for message in receive(receiver, 3)] == ["1", "2", "3"]


def test_receive_and_delete_leaves_nothing_behind(client: ServiceBusClient, running: RunningBroker) -> None:
    publish(running, b"Ada asks")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE

    with client.get_queue_receiver("requests", receive_mode=mode, **QUICK) as receiver:
        [message] = receive(receiver)

    assert str(message) == "Ada asks"
    assert held(running, "requests") == []


def test_a_batch_is_taken_whole(sender: ServiceBusSender, running: RunningBroker) -> None:
    batch = sender.create_message_batch()
    for number in range(100):
        batch.add_message(ServiceBusMessage(f"{number}"))

    sender.send_messages(batch)

    assert held(running, "requests") == [(f"{number}".encode(), "ACTIVE") for number in range(100)]


def test_a_large_message_arrives_whole_and_a_larger_one_is_refused(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    body = bytes(range(256)) * (LARGEST_BODY // 256)

    sender.send_messages(ServiceBusMessage(body))
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    sender.send_messages(ServiceBusMessage("the same sender goes on"))

    large, small = receive(receiver, 2)
    assert b"".join(large.body) == body
    assert str(small) == "the same sender goes on"


def test_each_subscription_gets_a_copy(client: ServiceBusClient, running: RunningBroker) -> None:
    with client.get_topic_sender("events", **QUICK) as sender:
        sender.send_messages(ServiceBusMessage("activated"))
        [number] = sender.schedule_messages(ServiceBusMessage("later"), in_an_hour(running))
        sender.schedule_messages(ServiceBusMessage("later still"), in_an_hour(running))
        sender.cancel_scheduled_messages(number)

    with client.get_subscription_receiver("events", "flows", **QUICK) as receiver:
        [message] = receive(receiver)
        receiver.dead_letter_message(message, reason="Tried")

    assert str(message) == "activated"
    assert dead_letter_reasons(running, "events/Subscriptions/flows") == [("Tried", None)]
    assert held(running, "events/Subscriptions/audit") == [(b"activated", "ACTIVE")]
    assert held(running, "events") == [(b"later still", "SCHEDULED")]


def test_an_expired_message_is_a_dead_letter_where_the_queue_says_so(
    sender: ServiceBusSender, running: RunningBroker
) -> None:
    sender.send_messages(ServiceBusMessage("Ada asks", time_to_live=timedelta(seconds=90)))

    running.advance(90)

    [(reason, _)] = dead_letter_reasons(running, "requests")
    assert reason == "TTLExpiredException"


def test_what_does_not_exist_is_not_found(client: ServiceBusClient) -> None:
    with pytest.raises(MessagingEntityNotFoundError), client.get_queue_sender("nobody", **QUICK) as sender:
        sender.send_messages(ServiceBusMessage("Ada asks"))


def test_what_a_client_has_not_used_is_given_back_when_it_closes(
    client: ServiceBusClient, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, *(b"1", b"2", b"3"))

    with client.get_queue_receiver("requests", prefetch_count=3, **QUICK) as hasty:
        hasty.complete_message(receive(hasty)[0])

    rest = receive(receiver, 2)
    assert [(str(message), message.delivery_count) for message in rest] == [("2", 0), ("3", 0)]
