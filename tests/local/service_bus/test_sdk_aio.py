"""The unmodified azure-servicebus SDK, its asyncio half, through every operation of the broker."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from local.service_bus.testing import RunningBroker

from .samples import LOCK, QUICK, dead_letter_reasons, held, in_an_hour, publish

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("clean")]

WAIT = 5  # seconds: a deadline, not a pause
LARGEST_BODY = 255 * 1024  # bytes: what fits beside a message's properties


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(running: RunningBroker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(running.connection_string, retry_total=0) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender(client: ServiceBusClient) -> AsyncIterator[ServiceBusSender]:
    async with client.get_queue_sender("requests", **QUICK) as sender:
        yield sender


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver(client: ServiceBusClient) -> AsyncIterator[ServiceBusReceiver]:
    async with client.get_queue_receiver("requests", **QUICK) as receiver:
        yield receiver


async def receive(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    received: list[ServiceBusReceivedMessage] = []
    while len(received) < count:
        more = await receiver.receive_messages(max_message_count=count - len(received), max_wait_time=WAIT)
        assert more, f"only {len(received)} of {count} messages came in {WAIT} seconds"
        received += more
    return received


async def opened(link: ServiceBusSender | ServiceBusReceiver) -> None:
    async with link:
        pass


async def test_a_message_arrives_with_all_that_its_sender_said(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    await sender.send_messages(
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

    [received] = await receive(receiver)

    assert b"".join(received.body) == b"Ada asks"
    assert (received.message_id, received.correlation_id) == ("request-1", "run-7")
    assert (received.subject, received.content_type) == ("activate", "application/json")
    assert received.application_properties == {b"attempt": 3, b"role": b"Reader"}
    assert received.delivery_count == 0
    assert received.time_to_live == timedelta(minutes=5)
    assert received.enqueued_time_utc is not None
    assert received.locked_until_utc is not None
    assert received.locked_until_utc - received.enqueued_time_utc >= timedelta(seconds=LOCK)
    await receiver.complete_message(received)
    assert held(running, "requests") == []


async def test_an_abandoned_message_comes_again_until_it_has_failed_too_often(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")

    counts = []
    for _ in range(3):
        [message] = await receive(receiver)
        counts.append(message.delivery_count)
        await receiver.abandon_message(message)

    assert counts == [0, 1, 2]
    [(reason, _)] = dead_letter_reasons(running, "requests")
    assert reason == "MaxDeliveryCountExceeded"


async def test_a_dead_lettered_message_says_why(
    client: ServiceBusClient, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")
    await receiver.dead_letter_message(
        (await receive(receiver))[0], reason="NoSuchRole", error_description="Owner of nothing"
    )

    async with client.get_queue_receiver("requests", sub_queue=ServiceBusSubQueue.DEAD_LETTER, **QUICK) as dead_letters:
        [dead] = await receive(dead_letters)
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("NoSuchRole", "Owner of nothing")
        await dead_letters.complete_message(dead)
    assert dead_letter_reasons(running, "requests") == []


async def test_a_deferred_message_is_received_by_its_number(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks", b"Bo asks")
    messages = await receive(receiver, 2)
    for message in messages:
        await receiver.defer_message(message)
    numbers = [message.sequence_number or 0 for message in messages]

    [one, other] = await receiver.receive_deferred_messages(numbers)

    assert [str(one), str(other)] == ["Ada asks", "Bo asks"]
    await receiver.complete_message(one)
    await receiver.dead_letter_message(other, reason="Late", error_description="too late")
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(numbers)
    assert dead_letter_reasons(running, "requests") == [("Late", "too late")]


async def test_a_scheduled_message_comes_at_its_time_or_is_cancelled(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    messages = [ServiceBusMessage("kept"), ServiceBusMessage("cancelled")]
    kept, cancelled = await sender.schedule_messages(messages, in_an_hour(running))
    await sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError):
        await sender.cancel_scheduled_messages([cancelled])
    [peeked] = await receiver.peek_messages()
    assert (peeked.state, peeked.sequence_number) == (ServiceBusMessageState.SCHEDULED, kept)

    running.advance(3600)

    [message] = await receive(receiver)
    assert str(message) == "kept"
    await receiver.complete_message(message)


async def test_a_message_that_carries_its_own_schedule_waits_too(
    sender: ServiceBusSender, running: RunningBroker
) -> None:
    await sender.send_messages(ServiceBusMessage("later", scheduled_enqueue_time_utc=in_an_hour(running)))

    assert held(running, "requests") == [(b"later", "SCHEDULED")]


async def test_an_expired_lock_is_lost_and_the_message_comes_again(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, b"Ada asks")
    [message] = await receive(receiver)

    running.advance(LOCK)

    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(message)
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(message)
    [again] = await receive(receiver)
    assert again.delivery_count == 1
    await receiver.complete_message(again)


async def test_a_renewed_lock_holds_longer(receiver: ServiceBusReceiver, running: RunningBroker) -> None:
    publish(running, b"Ada asks")
    [message] = await receive(receiver)
    before = message.locked_until_utc
    running.advance(LOCK / 2)

    until = await receiver.renew_message_lock(message)

    assert before is not None
    assert until - before >= timedelta(seconds=LOCK / 2)
    running.advance(LOCK * 0.75)
    await receiver.complete_message(message)


async def test_the_auto_lock_renewer_keeps_a_lock(receiver: ServiceBusReceiver, running: RunningBroker) -> None:
    # The renewer starts when ten seconds are left by its own clock; a broker that lags behind makes it start at once.
    behind = running.call(lambda broker: broker.clock()) - datetime.now(UTC).timestamp() + LOCK - 5
    running.advance(-behind)
    publish(running, b"Ada asks")
    async with AutoLockRenewer() as renewer:
        [message] = await receive(receiver)
        before = message.locked_until_utc

        renewer.register(receiver, message, max_lock_renewal_duration=120)

        deadline = datetime.now(UTC) + timedelta(seconds=WAIT)
        while message.locked_until_utc == before and datetime.now(UTC) < deadline:
            await receiver.peek_messages()
        assert before is not None
        assert message.locked_until_utc is not None
        assert message.locked_until_utc > before
        await receiver.complete_message(message)
    running.advance(behind)


async def test_a_peek_shows_messages_from_a_number_on_and_locks_none(
    receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    assert await receiver.peek_messages() == []
    publish(running, b"1", b"2", b"3")
    first = (await receiver.peek_messages())[0].sequence_number or 0

    peeked = await receiver.peek_messages(max_message_count=2, sequence_number=first + 1)

    assert [str(message) for message in peeked] == ["2", "3"]
    assert [str(message) for message in await receive(receiver, 3)] == ["1", "2", "3"]


async def test_receive_and_delete_leaves_nothing_behind(client: ServiceBusClient, running: RunningBroker) -> None:
    publish(running, b"Ada asks")
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE

    async with client.get_queue_receiver("requests", receive_mode=mode, **QUICK) as receiver:
        [message] = await receive(receiver)

    assert str(message) == "Ada asks"
    assert held(running, "requests") == []


async def test_a_batch_is_taken_whole(sender: ServiceBusSender, running: RunningBroker) -> None:
    batch = await sender.create_message_batch()
    for number in range(100):
        batch.add_message(ServiceBusMessage(f"{number}"))

    await sender.send_messages(batch)

    assert held(running, "requests") == [(f"{number}".encode(), "ACTIVE") for number in range(100)]


async def test_a_large_message_arrives_whole_and_a_larger_one_is_refused(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    body = bytes(range(256)) * (LARGEST_BODY // 256)

    await sender.send_messages(ServiceBusMessage(body))
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    await sender.send_messages(ServiceBusMessage("the same sender goes on"))

    large, small = await receive(receiver, 2)
    assert b"".join(large.body) == body
    assert str(small) == "the same sender goes on"


async def test_each_subscription_gets_a_copy(client: ServiceBusClient, running: RunningBroker) -> None:
    async with client.get_topic_sender("events", **QUICK) as sender:
        await sender.send_messages(ServiceBusMessage("activated"))
        [number] = await sender.schedule_messages(ServiceBusMessage("later"), in_an_hour(running))
        await sender.schedule_messages(ServiceBusMessage("later still"), in_an_hour(running))
        await sender.cancel_scheduled_messages(number)

    async with client.get_subscription_receiver("events", "flows", **QUICK) as receiver:
        [message] = await receive(receiver)
        await receiver.dead_letter_message(message, reason="Tried")

    assert str(message) == "activated"
    assert dead_letter_reasons(running, "events/Subscriptions/flows") == [("Tried", None)]
    assert held(running, "events/Subscriptions/audit") == [(b"activated", "ACTIVE")]
    assert held(running, "events") == [(b"later still", "SCHEDULED")]


async def test_an_expired_message_is_a_dead_letter_where_the_queue_says_so(
    sender: ServiceBusSender, running: RunningBroker
) -> None:
    await sender.send_messages(ServiceBusMessage("Ada asks", time_to_live=timedelta(seconds=90)))

    running.advance(90)

    [(reason, _)] = dead_letter_reasons(running, "requests")
    assert reason == "TTLExpiredException"


async def test_what_does_not_exist_is_not_found(client: ServiceBusClient) -> None:
    with pytest.raises(MessagingEntityNotFoundError):
        await opened(client.get_queue_sender("nobody", **QUICK))
    with pytest.raises(MessagingEntityNotFoundError):
        await opened(client.get_subscription_receiver("events", "nobody", **QUICK))


async def test_sessions_are_refused_in_words(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="has no sessions"):
        await opened(client.get_queue_receiver("requests", session_id="Ada", **QUICK))


async def test_what_a_client_has_not_used_is_given_back_when_it_closes(
    client: ServiceBusClient, receiver: ServiceBusReceiver, running: RunningBroker
) -> None:
    publish(running, *(b"1", b"2", b"3"))

    async with client.get_queue_receiver("requests", prefetch_count=3, **QUICK) as hasty:
        await hasty.complete_message((await receive(hasty))[0])

    rest = await receive(receiver, 2)
    assert [(str(message), message.delivery_count) for message in rest] == [("2", 0), ("3", 0)]
