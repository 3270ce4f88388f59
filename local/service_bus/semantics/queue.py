"""A queue, a subscription or a dead-letter queue: locks, settlement, expiry, dead letters."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

from local.service_bus.semantics.entity import Entity, Shared
from local.service_bus.semantics.errors import BrokerError, LinkDetachForcedError, MessageLockLostError, NotAllowedError
from local.service_bus.semantics.faults import Kind, Moment
from local.service_bus.semantics.message import DeadLetter, Lock, Message, State
from local.service_bus.semantics.topology import QueueSettings

DEAD_LETTER_SUFFIX = "/$DeadLetterQueue"


class Consumer(Protocol):
    """A receiver's end of a queue."""

    @property
    def settles_on_delivery(self) -> bool:
        """Whether a message is gone once it is delivered (receive-and-delete)."""

    def wants_message(self) -> bool:
        """Return whether the receiver has credit, and its connection room."""

    def deliver(self, message: Message, *, after: float) -> None:
        """Hand a message over, ``after`` seconds from now; locked, unless it settles on delivery."""

    def detach(self, error: BrokerError) -> None:
        """End the receiver's link; it is no longer among the queue's consumers."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The message is done with."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Deliver the message again; this delivery counts."""


@dataclass(frozen=True, slots=True)
class Release:
    """Deliver the message again, as if this delivery had not been."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Keep the message until it is asked for by its sequence number."""


type Outcome = Complete | Abandon | Release | Defer | DeadLetter


class Queue(Entity):
    """Messages in order, each for one receiver at a time. Without ``dead_letters`` it is a dead-letter queue."""

    def __init__(self, settings: QueueSettings, shared: Shared, dead_letters: "Queue | None") -> None:
        super().__init__(settings.path, shared, time_to_live=settings.time_to_live)
        self.dead_letters = dead_letters
        self._settings = settings
        self._ready: list[int] = []  # a heap of sequence numbers; some are no longer ready
        self._locked: dict[UUID, Message] = {}
        self._consumers: deque[Consumer] = deque()

    # Receivers

    def add_consumer(self, consumer: Consumer) -> None:
        """Let a receiver take part. Call ``pump`` when it wants messages."""
        self._consumers.append(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """Let a receiver go. What it has locked stays locked until the lock expires, as in Service Bus."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def pump(self) -> None:
        """Hand out what is ready to those who want it, in turn."""
        unwilling = 0
        while unwilling < len(self._consumers) and (message := self._first_ready()):
            consumer = self._consumers[0]
            self._consumers.rotate(-1)
            if not consumer.wants_message():
                unwilling += 1
            elif self._shared.faults.take(self.path, Kind.DETACH, Moment.DELIVERY):
                self._consumers.remove(consumer)
                consumer.detach(LinkDetachForcedError())
            else:
                unwilling = 0
                self._hand_over(message, consumer)

    def receive_deferred(self, sequence_numbers: Iterable[int], *, settle: bool) -> list[Message]:
        """Return deferred messages, locked or (with ``settle``) taken away: all of them, or none.

        Raises:
            MessageNotFoundError: a number is not that of a deferred message that nobody has locked.
        """
        messages = self._find(sequence_numbers, State.DEFERRED)
        for message in messages:
            if settle:
                self._forget(message)
            else:
                self._lock(message)
        return messages

    # Settlement

    def settle(self, token: UUID, outcome: Outcome) -> None:
        """Do with a locked message what its receiver has decided.

        Raises:
            MessageLockLostError: the lock has expired, or the message is already settled.
            NotAllowedError: a dead letter can't be dead-lettered again.
        """
        message = self._locked_by(token)
        if isinstance(outcome, DeadLetter) and self.dead_letters is None:
            raise NotAllowedError("A message in a dead-letter queue can't be dead-lettered again.")
        # A client gives back by itself what it hasn't used: that is nobody's settling, and takes no fault.
        if not isinstance(outcome, Release) and self._shared.faults.take(self.path, Kind.LOSE_LOCK, Moment.SETTLE):
            self._give_back(message)
            raise MessageLockLostError
        match outcome:
            case Complete():
                if self._shared.faults.take(self.path, Kind.REPEAT, Moment.SETTLE):
                    self._unlock(message)
                    self._make_ready(message)
                else:
                    self._forget(message)
            case Abandon():
                self._give_back(message)
            case Release():
                message.deliveries -= 1
                self._give_back(message)
            case Defer():
                self._unlock(message)
                message.state = State.DEFERRED
                self._keep(message)
            case DeadLetter():
                self._move_to_dead_letters(message, outcome)

    def renew_lock(self, token: UUID) -> float:
        """Return the instant until which the lock now holds.

        Raises:
            MessageLockLostError: the lock has expired, or the message is already settled.
        """
        message = self._locked_by(token)
        return self._set_lock(message, token).until

    # Inside

    def _locked_by(self, token: UUID) -> Message:
        message = self._locked.get(token)
        if message is None or message.lock is None:
            raise MessageLockLostError
        if message.lock.until <= self._shared.clock():
            self._give_back(message)
            raise MessageLockLostError
        return message

    def _enqueue(self, message: Message, time_to_live: float | None) -> None:
        message.expires_at = None if time_to_live is None else message.enqueued_at + time_to_live
        self._make_ready(message)

    def _make_ready(self, message: Message) -> None:
        self._keep(message)
        self._offer(message)
        self.pump()

    def _offer(self, message: Message) -> None:
        if message.expires_at is not None:
            self._shared.timers.set(message.id, message.expires_at, partial(self._expire, message))
        heapq.heappush(self._ready, message.sequence_number)

    def _resume(self, message: Message) -> None:
        super()._resume(message)
        if message.state is State.ACTIVE and not self._set_aside_if_exhausted(message):
            self._offer(message)

    def _first_ready(self) -> Message | None:
        while self._ready:
            message = self.messages.get(self._ready[0])
            if message and message.state is State.ACTIVE and not message.lock:
                if message.expires_at is None or message.expires_at > self._shared.clock():
                    return message
                self._expire(message)
            heapq.heappop(self._ready)
        return None

    def _hand_over(self, message: Message, consumer: Consumer) -> None:
        heapq.heappop(self._ready)
        delay = self._shared.faults.take_delay(self.path, Moment.DELIVERY)
        if consumer.settles_on_delivery:
            self._forget(message)
        else:
            self._lock(message)
        consumer.deliver(message, after=delay)

    def _lock(self, message: Message) -> None:
        token = self._shared.new_token()
        message.deliveries += 1
        self._locked[token] = message
        self._set_lock(message, token)
        self._shared.journal.save(message)

    def _set_lock(self, message: Message, token: UUID) -> Lock:
        lock = message.lock = Lock(token, self._shared.clock() + self._settings.lock_duration)
        self._shared.timers.set(message.id, lock.until, partial(self._give_back, message))
        return lock

    def _unlock(self, message: Message) -> None:
        if message.lock:
            del self._locked[message.lock.token]
            message.lock = None
        self._shared.timers.cancel(message.id)

    def _give_back(self, message: Message) -> None:
        """Offer an undone message again; or set it aside when it has been delivered too often."""
        self._unlock(message)
        if message.state is State.DEFERRED:
            self._keep(message)
            return
        if not self._set_aside_if_exhausted(message):
            self._make_ready(message)

    def _set_aside_if_exhausted(self, message: Message) -> bool:
        limit = self._settings.max_delivery_count
        if limit is None or message.deliveries < limit:
            return False
        description = f"Message could not be consumed after {limit} delivery attempts."
        self._move_to_dead_letters(message, DeadLetter("MaxDeliveryCountExceeded", description))
        return True

    def _expire(self, message: Message) -> None:
        if self._settings.dead_letter_on_expiration:
            self._move_to_dead_letters(
                message, DeadLetter("TTLExpiredException", "The message expired and was dead lettered.")
            )
        else:
            self._forget(message)

    def _move_to_dead_letters(self, message: Message, why: DeadLetter) -> None:
        if self.dead_letters is None:
            raise NotAllowedError("A message in a dead-letter queue can't be dead-lettered again.")
        self._forget(message)
        self.dead_letters.take_dead_letter(message, why)

    def take_dead_letter(self, message: Message, why: DeadLetter) -> None:
        """Take a message over from the queue whose dead letters these are, under its old sequence number."""
        message.path = self.path
        message.state = State.ACTIVE
        message.dead_letter = why
        message.deliveries = 0
        message.expires_at = None
        self._make_ready(message)

    def _forget(self, message: Message) -> None:
        self._unlock(message)
        super()._forget(message)


def dead_letter_settings(settings: QueueSettings) -> QueueSettings:
    """Return the settings of a queue's dead-letter queue, where nothing expires and any number of tries is allowed."""
    return QueueSettings(
        path=settings.path + DEAD_LETTER_SUFFIX, lock_duration=settings.lock_duration, max_delivery_count=None
    )
