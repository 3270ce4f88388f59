"""How messages are handed out, locked, settled, deferred and looked at; the clock stands still until it is moved."""

from uuid import uuid4

import pytest

from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import (
    MessageLockLostError,
    MessageNotFoundError,
    NotAllowedError,
)
from local.service_bus.semantics.message import DeadLetter, State
from local.service_bus.semantics.queue import Abandon, Complete, Defer, Release

from .samples import LOCK, NOON, ONE_DAY, Clock, Receiver, content, pass_time, token_of

MAX_DELIVERY_COUNT = 3
DEAD_LETTERS = "requests/$DeadLetterQueue"


# Order and turns


def test_messages_come_in_the_order_in_which_they_were_sent(broker: Broker) -> None:
    broker.publish("requests", [content(b"1"), content(b"2"), content(b"3")])

    receiver = Receiver(broker, "requests")

    assert receiver.bodies() == [b"1", b"2", b"3"]
    assert [message.sequence_number for message in receiver.received] == [1, 2, 3]


def test_a_locked_message_is_for_one_receiver(broker: Broker) -> None:
    broker.publish("requests", [content()])
    first = Receiver(broker, "requests")

    second = Receiver(broker, "requests")

    assert (len(first.received), len(second.received)) == (1, 0)


def test_receivers_take_turns(broker: Broker) -> None:
    one, other = Receiver(broker, "requests"), Receiver(broker, "requests")

    broker.publish("requests", [content(b"1"), content(b"2"), content(b"3"), content(b"4")])

    assert (one.bodies(), other.bodies()) == ([b"1", b"3"], [b"2", b"4"])


def test_a_receiver_without_credit_gets_nothing(broker: Broker) -> None:
    receiver = Receiver(broker, "requests", credit=1)

    broker.publish("requests", [content(b"1"), content(b"2")])

    assert receiver.bodies() == [b"1"]


def test_a_message_that_is_received_and_deleted_is_gone(broker: Broker) -> None:
    broker.publish("requests", [content()])

    receiver = Receiver(broker, "requests", settles_on_delivery=True)

    assert receiver.received[0].lock is None
    assert broker.queue("requests").messages == {}


def test_paths_are_compared_without_regard_to_case(broker: Broker) -> None:
    broker.publish("REQUESTS", [content()])

    assert len(Receiver(broker, "Requests").received) == 1


def test_what_a_receiver_that_left_has_locked_stays_locked_until_the_lock_expires(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    gone = Receiver(broker, "requests")
    gone.leave()

    next_one = Receiver(broker, "requests")

    assert next_one.received == []
    pass_time(broker, clock, LOCK)
    assert next_one.received[0].delivery_count == 1


# Settlement


def test_a_completed_message_is_gone(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    broker.queue("requests").settle(token_of(receiver.received[0]), Complete())

    assert broker.queue("requests").messages == {}


def test_an_abandoned_message_comes_again_before_later_ones_and_the_delivery_counts(broker: Broker) -> None:
    broker.publish("requests", [content(b"1"), content(b"2")])
    receiver = Receiver(broker, "requests", credit=1)
    receiver.credit = 1

    broker.queue("requests").settle(token_of(receiver.received[0]), Abandon())

    assert receiver.bodies() == [b"1", b"1"]
    assert receiver.received[1].delivery_count == 1


def test_a_released_message_comes_again_as_if_it_had_not_been_delivered(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    broker.queue("requests").settle(token_of(receiver.received[0]), Release())

    assert [message.delivery_count for message in receiver.received] == [0, 0]


def test_a_message_that_failed_too_often_becomes_a_dead_letter(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    for _ in range(MAX_DELIVERY_COUNT):
        broker.queue("requests").settle(token_of(receiver.received[-1]), Abandon())

    assert len(receiver.received) == MAX_DELIVERY_COUNT
    [dead] = Receiver(broker, DEAD_LETTERS).received
    assert dead.dead_letter == DeadLetter(
        "MaxDeliveryCountExceeded", "Message could not be consumed after 3 delivery attempts."
    )


def test_a_dead_lettered_message_says_why(broker: Broker) -> None:
    broker.publish("requests", [content(b"Ada asks")])
    receiver = Receiver(broker, "requests")

    broker.queue("requests").settle(token_of(receiver.received[0]), DeadLetter("NoSuchRole", "Owner of nothing"))

    [dead] = Receiver(broker, DEAD_LETTERS).received
    assert dead.content.body() == b"Ada asks"
    assert dead.dead_letter == DeadLetter("NoSuchRole", "Owner of nothing")
    assert dead.delivery_count == 0


def test_a_dead_letter_can_be_tried_any_number_of_times_and_never_expires(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    broker.queue("requests").settle(token_of(receiver.received[0]), DeadLetter("NoSuchRole", None))
    dead_letters = Receiver(broker, DEAD_LETTERS)

    for _ in range(2 * MAX_DELIVERY_COUNT):
        broker.queue(DEAD_LETTERS).settle(token_of(dead_letters.received[-1]), Abandon())
    pass_time(broker, clock, 30 * ONE_DAY)

    assert len(broker.queue(DEAD_LETTERS).messages) == 1


def test_a_dead_letter_is_not_dead_lettered_again(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    broker.queue("requests").settle(token_of(receiver.received[0]), DeadLetter("NoSuchRole", None))
    dead_letters = Receiver(broker, DEAD_LETTERS)

    with pytest.raises(NotAllowedError):
        broker.queue(DEAD_LETTERS).settle(token_of(dead_letters.received[0]), DeadLetter("again", None))

    assert len(broker.queue(DEAD_LETTERS).messages) == 1


# Locks


@pytest.mark.parametrize("outcome", [Complete(), Abandon(), Release(), Defer(), DeadLetter("late", None)])
def test_nothing_can_be_settled_once_the_lock_has_expired(
    broker: Broker, clock: Clock, outcome: Complete | Abandon | Release | Defer | DeadLetter
) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests", credit=1)
    token = token_of(receiver.received[0])
    clock.now += LOCK

    with pytest.raises(MessageLockLostError):
        broker.queue("requests").settle(token, outcome)

    [message] = broker.queue("requests").messages.values()
    assert (message.lock, message.delivery_count) == (None, 1)


def test_a_message_is_settled_once(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    token = token_of(receiver.received[0])
    broker.queue("requests").settle(token, Complete())

    with pytest.raises(MessageLockLostError):
        broker.queue("requests").settle(token, Complete())
    with pytest.raises(MessageLockLostError):
        broker.queue("requests").settle(uuid4(), Complete())


def test_a_lock_expires_at_its_instant_and_the_message_comes_again(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    assert broker.next_due_at() == NOON + LOCK
    pass_time(broker, clock, LOCK - 1)
    assert len(receiver.received) == 1
    pass_time(broker, clock, 1)
    assert len(receiver.received) == 2


def test_a_renewed_lock_holds_from_now_on(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    token = token_of(receiver.received[0])
    pass_time(broker, clock, LOCK - 1)

    assert broker.queue("requests").renew_lock(token) == clock.now + LOCK
    pass_time(broker, clock, LOCK - 1)

    broker.queue("requests").settle(token, Complete())
    assert len(receiver.received) == 1


def test_an_expired_lock_is_not_renewed(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    token = token_of(receiver.received[0])
    pass_time(broker, clock, LOCK)

    with pytest.raises(MessageLockLostError):
        broker.queue("requests").renew_lock(token)


# Deferral


def test_a_deferred_message_comes_only_when_it_is_asked_for(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    number = receiver.received[0].sequence_number
    queue = broker.queue("requests")

    queue.settle(token_of(receiver.received[0]), Defer())

    assert len(receiver.received) == 1
    [message] = queue.receive_deferred([number], settle=False)
    assert message.delivery_count == 1
    queue.settle(token_of(message), Complete())
    assert queue.messages == {}


def test_a_deferred_message_that_is_abandoned_or_left_alone_stays_deferred(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    queue = broker.queue("requests")
    queue.settle(token_of(receiver.received[0]), Defer())

    for _ in range(2):
        [message] = queue.receive_deferred([1], settle=False)
        queue.settle(token_of(message), Abandon())
    [message] = queue.receive_deferred([1], settle=False)
    pass_time(broker, clock, 2 * ONE_DAY)

    assert (message.state, message.lock) == (State.DEFERRED, None)
    assert len(receiver.received) == 1


def test_deferred_messages_are_received_all_or_none(broker: Broker) -> None:
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    queue = broker.queue("requests")
    queue.settle(token_of(receiver.received[0]), Defer())

    with pytest.raises(MessageNotFoundError):
        queue.receive_deferred([1, 2], settle=True)

    [message] = queue.receive_deferred([1], settle=True)
    assert message.lock is None
    assert queue.messages == {}


# Looking on


def test_a_peek_shows_every_state_from_a_number_on_and_changes_nothing(broker: Broker) -> None:
    broker.publish("requests", [content(b"locked"), content(b"deferred"), content(b"ready")])
    broker.publish("requests", [content(b"scheduled", scheduled_at=NOON + 5)])
    receiver = Receiver(broker, "requests", credit=2)
    broker.queue("requests").settle(token_of(receiver.received[1]), Defer())

    seen = broker.queue("requests").peek(2, 2)

    assert [message.content.body() for message in seen] == [b"deferred", b"ready"]
    assert broker.queue("requests").peek(0, 1)[0].content.body() == b"locked"
    assert broker.queue("requests").messages[3].delivery_count == 0


def test_a_purge_drops_everything_and_settling_comes_too_late(broker: Broker, clock: Clock) -> None:
    broker.publish("requests", [content(), content(scheduled_at=NOON + 5)])
    receiver = Receiver(broker, "requests")

    assert broker.queue("requests").purge() == 2

    pass_time(broker, clock, 2 * LOCK)
    assert len(receiver.received) == 1
    with pytest.raises(MessageLockLostError):
        broker.queue("requests").settle(uuid4(), Complete())
    assert broker.next_due_at() is None
