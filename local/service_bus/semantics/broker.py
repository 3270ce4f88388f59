"""The broker: entities by path, and what is due."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from uuid import UUID, uuid4

from local.service_bus.codec.message import Content
from local.service_bus.semantics.entity import Clock, Entity, Shared
from local.service_bus.semantics.errors import (
    EntityNotFoundError,
    LinkDetachForcedError,
    NotAllowedError,
    ServerBusyError,
)
from local.service_bus.semantics.faults import FaultScript, Kind, Moment
from local.service_bus.semantics.journal import Changes
from local.service_bus.semantics.message import Message
from local.service_bus.semantics.queue import DEAD_LETTER_SUFFIX, Queue, dead_letter_settings
from local.service_bus.semantics.topic import Topic
from local.service_bus.semantics.topology import QueueSettings, Topology


class Broker:
    """All queues, topics and subscriptions. Paths are compared without regard to case.

    Not thread-safe. After any call, whoever drives the broker commits ``take_changes`` before telling anybody, and
    sees to it that ``run_due`` is called at ``next_due_at``.
    """

    def __init__(self, topology: Topology, *, clock: Clock, new_token: Callable[[], UUID] = uuid4) -> None:
        self._shared = Shared(clock=clock, new_token=new_token)
        self._entities: dict[str, Entity] = {}
        for queue in topology.queues:
            self._add_queue(queue)
        for topic in topology.topics:
            subscriptions = [self._add_queue(subscription) for subscription in topic.subscriptions]
            self._entities[topic.path.lower()] = Topic(topic, self._shared, subscriptions)

    @property
    def clock(self) -> Clock:
        """The clock that the broker was given."""
        return self._shared.clock

    @property
    def faults(self) -> FaultScript:
        """What is scripted to go wrong."""
        return self._shared.faults

    def entities(self) -> Iterator[Entity]:
        """Yield every queue, subscription and topic, each queue followed by its dead-letter queue."""
        yield from self._entities.values()

    def entity(self, path: str) -> Entity:
        """Return the entity at this path.

        Raises:
            EntityNotFoundError: there is none.
        """
        entity = self._entities.get(path.lower())
        if entity is None:
            raise EntityNotFoundError(path)
        return entity

    def queue(self, path: str) -> Queue:
        """Return what can be received from at this path: a queue, a subscription or a dead-letter queue.

        Raises:
            EntityNotFoundError: there is nothing at this path.
            NotAllowedError: it is a topic.
        """
        entity = self.entity(path)
        if not isinstance(entity, Queue):
            raise NotAllowedError(f"'{path}' is a topic: receive from one of its subscriptions.")
        return entity

    def destination(self, path: str) -> Entity:
        """Return what can be sent to at this path: a queue or a topic.

        Raises:
            EntityNotFoundError: there is nothing at this path.
            NotAllowedError: it is a subscription or a dead-letter queue.
        """
        entity = self.entity(path)
        if path.lower().endswith(DEAD_LETTER_SUFFIX.lower()) or "/subscriptions/" in path.lower():
            raise NotAllowedError(f"Nobody sends to '{path}': it is filled by the broker.")
        return entity

    def publish(self, path: str, contents: Iterable[Content]) -> list[int]:
        """Take messages for a queue or topic; return their sequence numbers.

        Raises:
            EntityNotFoundError: there is nothing at this path.
            NotAllowedError: it is a subscription or a dead-letter queue.
            ServerBusyError, LinkDetachForcedError: a scripted fault; nothing was taken.
        """
        destination = self.destination(path)
        if self.faults.take(path, Kind.DETACH, Moment.SEND):
            raise LinkDetachForcedError
        if self.faults.take(path, Kind.BUSY, Moment.SEND):
            raise ServerBusyError
        return [destination.accept(content) for content in contents]

    # Time

    def next_due_at(self) -> float | None:
        """Return the instant of the next expiry or scheduled message, or None."""
        return self._shared.timers.next_due_at()

    def run_due(self) -> None:
        """Do what is due by now: expire locks and messages, enqueue what was scheduled."""
        for action in self._shared.timers.take_due(self._shared.clock()):
            action()

    # Restart

    def take_changes(self) -> Changes:
        """Return what has changed since this was last called."""
        return self._shared.journal.take()

    def restore(self, messages: Sequence[Message], sequence_numbers: Mapping[str, int]) -> list[str]:
        """Take back what a restart found in the store; return the paths that the topology no longer has.

        What was locked is ready again, and the delivery that was cut off counts.
        """
        self._shared.message_ids = count(max((message.id for message in messages), default=0) + 1)
        by_path: dict[str, list[Message]] = {path.lower(): [] for path in sequence_numbers}
        for message in messages:
            by_path.setdefault(message.path.lower(), []).append(message)
        last = {path.lower(): number for path, number in sequence_numbers.items()}
        for path, entity in self._entities.items():
            entity.restore(by_path.pop(path, []), last.get(path, 0))
        return sorted(path for path, orphans in by_path.items() if orphans)

    def _add_queue(self, settings: QueueSettings) -> Queue:
        dead_letters = Queue(dead_letter_settings(settings), self._shared, None)
        queue = Queue(settings, self._shared, dead_letters)
        self._entities[settings.path.lower()] = queue
        self._entities[dead_letters.path.lower()] = dead_letters
        return queue
