"""What time does to messages, and where they may go: expiry, schedules, topics and paths."""

import pytest

from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import (
    EntityNotFoundError,
    MessageNotFoundError,
    NotAllowedError,
)
from local.service_bus.semantics.message import DeadLetter
from local.service_bus.semantics.queue import Abandon, Complete

from .samples import NOON, ONE_DAY, Clock, Receiver, content, pass_time, token_of

MAX_DELIVERY_COUNT = 3
DEAD_LETTERS = "requests/$DeadLetterQueue"


# Time to live


def test_an_expired_message_becomes_a_dead_letter_where_the_queue_says_so(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])

    pass_time(broker, clock, ONE_DAY)

    [dead] = Receiver(broker, DEAD_LETTERS).received
    assert dead.dead_letter == DeadLetter("TTLExpiredException", "The message expired and was dead lettered.")


def test_an_expired_message_is_dropped_elsewhere(broker: Broker, clock: Clock) -> None:
    broker.publish("notices", [content()])

    pass_time(broker, clock, ONE_DAY)

    assert broker.queue("notices").messages == {}
    assert Receiver(broker, "notices/$DeadLetterQueue").received == []


@pytest.mark.parametrize(("asked_for", "expected"), [(60.0, 60.0), (30 * ONE_DAY, ONE_DAY)])
def test_the_shorter_time_to_live_wins(broker: Broker, asked_for: float, expected: float) -> None:
    broker.publish("requests", [content(time_to_live=asked_for)])

    assert broker.queue("requests").messages[1].expires_at == NOON + expected


def test_a_locked_message_does_not_expire_but_it_does_when_it_is_given_back(broker: Broker, clock: Clock) -> None:
    broker.publish("notices", [content(time_to_live=10)])
    receiver = Receiver(broker, "notices")
    pass_time(broker, clock, 30)
    assert len(broker.queue("notices").messages) == 1

    broker.queue("notices").settle(token_of(receiver.received[0]), Abandon())

    assert broker.queue("notices").messages == {}
    assert len(receiver.received) == 1


# Schedules


def test_a_scheduled_message_comes_at_its_time_under_a_new_number(broker: Broker, clock: Clock) -> None:
    receiver = Receiver(broker, "requests")
    [number] = broker.publish("requests", [content(b"later", scheduled_at=NOON + 50)])
    broker.publish("requests", [content(b"now")])

    pass_time(broker, clock, 49)
    assert receiver.bodies() == [b"now"]
    pass_time(broker, clock, 1)

    assert receiver.bodies() == [b"now", b"later"]
    assert receiver.received[1].sequence_number > number
    assert receiver.received[1].enqueued_at == NOON + 50


def test_a_message_scheduled_for_the_past_comes_now(broker: Broker) -> None:
    broker.publish("requests", [content(scheduled_at=NOON - 1)])

    assert len(Receiver(broker, "requests").received) == 1


def test_the_time_to_live_of_a_scheduled_message_starts_when_it_is_enqueued(broker: Broker, clock: Clock) -> None:
    broker.publish("notices", [content(scheduled_at=NOON + 3 * ONE_DAY)])
    pass_time(broker, clock, 3 * ONE_DAY)

    [message] = broker.queue("notices").messages.values()

    assert message.expires_at == NOON + 4 * ONE_DAY


def test_a_cancelled_message_never_comes(broker: Broker, clock: Clock) -> None:
    numbers = broker.publish("requests", [content(scheduled_at=NOON + 100), content(scheduled_at=NOON + 100)])

    broker.queue("requests").cancel_scheduled(numbers)
    pass_time(broker, clock, 100)

    assert Receiver(broker, "requests").received == []


def test_what_is_not_scheduled_can_not_be_cancelled_and_then_nothing_is(broker: Broker) -> None:
    numbers = broker.publish("requests", [content(scheduled_at=NOON + 100), content()])

    with pytest.raises(MessageNotFoundError):
        broker.queue("requests").cancel_scheduled(numbers)

    assert len(broker.queue("requests").messages) == 2


# Topics


def test_each_subscription_gets_a_copy(broker: Broker) -> None:
    broker.publish("events", [content(b"activated")])
    flows = Receiver(broker, "events/Subscriptions/flows")

    broker.queue("events/subscriptions/flows").settle(token_of(flows.received[0]), Complete())

    assert Receiver(broker, "events/Subscriptions/audit").bodies() == [b"activated"]


def test_the_shortest_time_to_live_of_topic_and_subscription_wins(broker: Broker) -> None:
    broker.publish("events", [content()])

    expiries = {
        path: broker.queue(f"events/Subscriptions/{path}").messages[1].expires_at for path in ("flows", "audit")
    }
    assert expiries == {"flows": NOON + 3600, "audit": NOON + 300}


def test_a_topic_without_subscriptions_takes_and_drops(broker: Broker) -> None:
    assert broker.publish("unread", [content()]) == [1]

    assert broker.entity("unread").messages == {}


def test_a_topic_keeps_scheduled_messages_until_their_time_and_can_cancel_them(broker: Broker, clock: Clock) -> None:
    flows = Receiver(broker, "events/Subscriptions/flows")
    numbers = broker.publish("events", [content(b"1", scheduled_at=NOON + 5), content(b"2", scheduled_at=NOON + 5)])
    broker.entity("events").cancel_scheduled(numbers[:1])
    assert flows.received == []

    pass_time(broker, clock, 5)

    assert flows.bodies() == [b"2"]
    assert broker.entity("events").messages == {}


# Paths


def test_what_is_not_in_the_topology_is_not_found(broker: Broker) -> None:
    for path in ("nobody", "events/Subscriptions/nobody", "nobody/$DeadLetterQueue", ""):
        with pytest.raises(EntityNotFoundError):
            broker.publish(path, [content()])
        with pytest.raises(EntityNotFoundError):
            broker.queue(path)


def test_a_topic_is_not_received_from(broker: Broker) -> None:
    with pytest.raises(NotAllowedError):
        broker.queue("events")


@pytest.mark.parametrize("path", ["events/Subscriptions/flows", DEAD_LETTERS])
def test_a_subscription_or_dead_letter_queue_is_not_sent_to(broker: Broker, path: str) -> None:
    with pytest.raises(NotAllowedError):
        broker.publish(path, [content()])
