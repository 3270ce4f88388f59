"""Scripted faults: each strikes as often as it was told to, and then things are as before."""

import contextlib

import pytest

from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import LinkDetachForcedError, MessageLockLostError, ServerBusyError
from local.service_bus.semantics.faults import MOMENTS, Fault, Kind, Moment
from local.service_bus.semantics.queue import Complete, Release

from .samples import Receiver, content, token_of


def script(broker: Broker, kind: Kind, *, count: int = 1, milliseconds: int = 0, on: Moment | None = None) -> None:
    moments = MOMENTS[kind] if on is None else frozenset({on})
    broker.faults.add("Requests", [Fault(kind=kind, count=count, moments=moments, milliseconds=milliseconds)])


def test_a_busy_broker_takes_nothing_and_then_does(broker: Broker) -> None:
    script(broker, Kind.BUSY, count=2)

    for _ in range(2):
        with pytest.raises(ServerBusyError):
            broker.publish("requests", [content()])
    broker.publish("requests", [content()])

    assert len(broker.queue("requests").messages) == 1
    assert broker.faults.pending() == {}


def test_a_lost_lock_is_learnt_of_when_settling_and_the_message_comes_again(broker: Broker) -> None:
    script(broker, Kind.LOSE_LOCK)
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    with pytest.raises(MessageLockLostError):
        broker.queue("requests").settle(token_of(receiver.received[0]), Complete())

    assert receiver.received[1].delivery_count == 1
    broker.queue("requests").settle(token_of(receiver.received[1]), Complete())


def test_what_a_client_gives_back_by_itself_takes_no_fault(broker: Broker) -> None:
    script(broker, Kind.LOSE_LOCK)
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    broker.queue("requests").settle(token_of(receiver.received[0]), Release())

    assert broker.faults.pending() != {}


def test_a_completed_message_comes_once_more(broker: Broker) -> None:
    script(broker, Kind.REPEAT)
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")

    for _ in range(2):
        broker.queue("requests").settle(token_of(receiver.received[-1]), Complete())

    assert len(receiver.received) == 2
    assert broker.queue("requests").messages == {}


def test_a_receiver_is_detached_instead_of_served_and_the_message_waits(broker: Broker) -> None:
    script(broker, Kind.DETACH, on=Moment.DELIVERY)
    receiver = Receiver(broker, "requests")

    broker.publish("requests", [content()])

    assert isinstance(receiver.detached_because, LinkDetachForcedError)
    assert receiver.received == []
    assert Receiver(broker, "requests").received[0].delivery_count == 0


def test_a_sender_is_detached_and_nothing_is_taken(broker: Broker) -> None:
    script(broker, Kind.DETACH, on=Moment.SEND)

    with pytest.raises(LinkDetachForcedError):
        broker.publish("requests", [content()])

    assert broker.queue("requests").messages == {}


def test_a_delivery_goes_out_later(broker: Broker) -> None:
    script(broker, Kind.DELAY, milliseconds=250, on=Moment.DELIVERY)
    broker.publish("requests", [content(), content()])

    receiver = Receiver(broker, "requests")

    assert receiver.delays == [0.25, 0.0]


def test_a_fault_can_strike_at_a_share_of_the_moments(broker: Broker) -> None:
    fault = Fault(kind=Kind.BUSY, count=1_000, moments=MOMENTS[Kind.BUSY], share=0.5)
    broker.faults.add("requests", [fault])

    taken = 0
    for _ in range(200):
        with contextlib.suppress(ServerBusyError):
            broker.publish("requests", [content()])
            taken += 1

    assert 0 < taken < 200
    assert fault.count == 1_000 - (200 - taken)


def test_other_entities_and_cleared_scripts_are_left_alone(broker: Broker) -> None:
    script(broker, Kind.BUSY)

    broker.publish("notices", [content()])
    broker.faults.clear()
    broker.publish("requests", [content()])

    assert broker.faults.pending() == {}
