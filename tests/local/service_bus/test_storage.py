"""What a restart finds: everything that was committed, and nothing that was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.message import DeadLetter
from local.service_bus.semantics.queue import Abandon, Complete, Defer
from local.service_bus.semantics.topology import Topology
from local.service_bus.storage import Storage, StorageError

from .samples import NOON, TOPOLOGY, Clock, Receiver, config, content, queue, token_of


class Disk:
    """A directory, and brokers that start on it one after the other."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._storage: Storage | None = None

    def start(self, topology: Topology = TOPOLOGY) -> tuple[Broker, list[str]]:
        """Start anew, as after the death of the broker before."""
        self.stop()
        self._storage = Storage(self._directory)
        broker = Broker(topology, clock=self._clock)
        snapshot = self._storage.load()
        return broker, broker.restore(snapshot.messages, snapshot.sequence_numbers)

    def commit(self, broker: Broker) -> None:
        assert self._storage is not None
        self._storage.commit(broker.take_changes())

    def stop(self) -> None:
        if self._storage:
            self._storage.close()


@pytest.fixture
def disk(tmp_path: Path, clock: Clock) -> Iterator[Disk]:
    disk = Disk(tmp_path / "data", clock)
    yield disk
    disk.stop()


def test_every_state_survives(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content(b"dead"), content(b"deferred"), content(b"done"), content(b"ready")])
    broker.publish("requests", [content(b"later", scheduled_at=NOON + 50)])
    receiver = Receiver(broker, "requests", credit=3)
    dead, deferred, done = map(token_of, receiver.received)
    broker.queue("requests").settle(dead, DeadLetter("NoSuchRole", "Owner of nothing"))
    broker.queue("requests").settle(deferred, Defer())
    broker.queue("requests").settle(done, Complete())
    receiver.leave()
    disk.commit(broker)

    again, _ = disk.start()

    assert Receiver(again, "requests").bodies() == [b"ready"]
    assert [message.content.body() for message in again.queue("requests").receive_deferred([2], settle=True)] == [
        b"deferred"
    ]
    [letter] = Receiver(again, "requests/$DeadLetterQueue").received
    assert letter.dead_letter == DeadLetter("NoSuchRole", "Owner of nothing")
    assert again.queue("requests").messages[5].scheduled_at == NOON + 50


def test_a_scheduled_message_comes_at_its_time_after_a_restart(disk: Disk, clock: Clock) -> None:
    broker, _ = disk.start()
    broker.publish("events", [content(b"later", scheduled_at=NOON + 50)])
    disk.commit(broker)
    again, _ = disk.start()
    clock.now += 50

    again.run_due()

    assert Receiver(again, "events/Subscriptions/flows").bodies() == [b"later"]


def test_a_locked_message_is_ready_again_and_the_delivery_that_was_cut_off_counts(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content()])
    Receiver(broker, "requests")
    disk.commit(broker)

    again, _ = disk.start()

    assert [message.delivery_count for message in Receiver(again, "requests").received] == [1]


def test_a_message_that_was_on_its_last_delivery_is_a_dead_letter_after_a_restart(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content()])
    receiver = Receiver(broker, "requests")
    for _ in range(2):
        broker.queue("requests").settle(token_of(receiver.received[-1]), Abandon())
    disk.commit(broker)

    again, _ = disk.start()

    [letter] = Receiver(again, "requests/$DeadLetterQueue").received
    assert letter.dead_letter is not None
    assert letter.dead_letter.reason == "MaxDeliveryCountExceeded"


def test_sequence_numbers_go_on_where_they_were_even_in_an_empty_queue(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content(), content()])
    Receiver(broker, "requests", settles_on_delivery=True)
    disk.commit(broker)

    again, _ = disk.start()

    assert again.publish("requests", [content()]) == [3]


def test_what_was_not_committed_is_not_there(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content()])

    again, _ = disk.start()

    assert Receiver(again, "requests").received == []


def test_a_message_that_expired_meanwhile_expires_at_once(disk: Disk, clock: Clock) -> None:
    broker, _ = disk.start()
    broker.publish("notices", [content(time_to_live=10)])
    disk.commit(broker)
    clock.now += 10
    again, _ = disk.start()

    again.run_due()

    assert again.queue("notices").messages == {}


def test_messages_of_a_queue_that_left_the_topology_stay_on_disk(disk: Disk) -> None:
    broker, _ = disk.start()
    broker.publish("requests", [content(b"Ada asks")])
    disk.commit(broker)

    without, orphans = disk.start(Topology.of(config(queues=[queue("notices")])))
    without.publish("notices", [content(b"other")])
    disk.commit(without)
    again, none = disk.start()

    assert (orphans, none) == (["requests"], [])
    assert Receiver(again, "requests").bodies() == [b"Ada asks"]


def test_a_directory_has_one_broker(disk: Disk, tmp_path: Path) -> None:
    disk.start()

    with pytest.raises(StorageError, match="another broker has it"):
        Storage(tmp_path / "data")


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")

    with pytest.raises(StorageError):
        Storage(tmp_path / "data")
