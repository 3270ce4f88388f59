"""What queues and topics have in common: sequence numbers, and messages that wait for their time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from uuid import UUID, uuid4

from local.service_bus.codec.message import Content
from local.service_bus.semantics.errors import MessageNotFoundError
from local.service_bus.semantics.faults import FaultScript
from local.service_bus.semantics.journal import Journal
from local.service_bus.semantics.message import Message, State
from local.service_bus.semantics.timers import Timers

type Clock = Callable[[], float]  # seconds since 1970, UTC


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all entities of a broker share."""

    clock: Clock
    new_token: Callable[[], UUID] = uuid4
    timers: Timers = field(default_factory=Timers)
    journal: Journal = field(default_factory=Journal)
    faults: FaultScript = field(default_factory=FaultScript)
    message_ids: Iterator[int] = field(default_factory=lambda: count(1))


class Entity(ABC):
    """Something that can be sent to: it numbers its messages and keeps those that are scheduled."""

    def __init__(self, path: str, shared: Shared, *, time_to_live: float | None) -> None:
        self.path = path
        self.messages: dict[int, Message] = {}  # by sequence number
        self._shared = shared
        self._time_to_live = time_to_live
        self._last_sequence_number = 0

    def accept(self, content: Content, *, time_to_live: float | None = None) -> int:
        """Take a message now or, when it says so, at its scheduled time; return its sequence number.

        ``time_to_live`` is in seconds and can only shorten what the entity and the message say.
        """
        now = self._shared.clock()
        message = Message(
            id=next(self._shared.message_ids),
            content=content,
            path=self.path,
            sequence_number=self._next_sequence_number(),
            enqueued_at=now,
        )
        if content.scheduled_at is not None and content.scheduled_at > now:
            message.state = State.SCHEDULED
            message.scheduled_at = message.enqueued_at = content.scheduled_at
            self._keep(message)
            self._await_schedule(message)
        else:
            self._enqueue(message, self._shortest_time_to_live(content, time_to_live))
        return message.sequence_number

    def cancel_scheduled(self, sequence_numbers: Iterable[int]) -> None:
        """Drop scheduled messages: all of them or, when one is not there, none.

        Raises:
            MessageNotFoundError: a number is not that of a message that is still scheduled.
        """
        for message in self._find(sequence_numbers, State.SCHEDULED):
            self._forget(message)

    def peek(self, first: int, limit: int) -> list[Message]:
        """Return up to ``limit`` messages in any state, from sequence number ``first`` on."""
        return [self.messages[number] for number in sorted(self.messages) if number >= first][:limit]

    def purge(self) -> int:
        """Drop every message, whatever its state; return how many there were."""
        messages = list(self.messages.values())
        for message in messages:
            self._forget(message)
        return len(messages)

    def restore(self, messages: Sequence[Message], last_sequence_number: int) -> None:
        """Take back what a restart found in the store."""
        self._last_sequence_number = max(last_sequence_number, *(m.sequence_number for m in messages), 0)
        for message in messages:
            self.messages[message.sequence_number] = message
            self._resume(message)

    @abstractmethod
    def _enqueue(self, message: Message, time_to_live: float | None) -> None:
        """Make a new message available now."""

    def _resume(self, message: Message) -> None:
        if message.state is State.SCHEDULED:
            self._await_schedule(message)

    def _await_schedule(self, message: Message) -> None:
        if message.scheduled_at is not None:
            self._shared.timers.set(message.id, message.scheduled_at, partial(self._activate, message))

    def _activate(self, message: Message) -> None:
        # Service Bus appends a scheduled message when its time has come, under a new sequence number.
        del self.messages[message.sequence_number]
        message.state = State.ACTIVE
        message.sequence_number = self._next_sequence_number()
        message.enqueued_at = self._shared.clock()
        self._enqueue(message, self._shortest_time_to_live(message.content, None))

    def _shortest_time_to_live(self, content: Content, given: float | None) -> float | None:
        return min(
            (span for span in (content.time_to_live, self._time_to_live, given) if span is not None), default=None
        )

    def _find(self, sequence_numbers: Iterable[int], state: State) -> list[Message]:
        found = []
        for number in dict.fromkeys(sequence_numbers):
            message = self.messages.get(number)
            if message is None or message.state is not state or message.lock:
                raise MessageNotFoundError(number)
            found.append(message)
        return found

    def _next_sequence_number(self) -> int:
        self._last_sequence_number += 1
        self._shared.journal.number(self.path, self._last_sequence_number)
        return self._last_sequence_number

    def _keep(self, message: Message) -> None:
        self.messages[message.sequence_number] = message
        self._shared.journal.save(message)

    def _forget(self, message: Message) -> None:
        self.messages.pop(message.sequence_number, None)
        self._shared.timers.cancel(message.id)
        self._shared.journal.remove(message)
