"""A message in the broker: the sender's content, and what the broker knows about it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID

from local.service_bus.codec.message import Content
from local.service_bus.codec.values import Int, Long, Symbol, Timestamp


class State(IntEnum):
    """The state of a message; the numbers are those of the ``x-opt-message-state`` annotation."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, slots=True)
class Lock:
    """One receiver's right to settle a message, held while ``now < until``."""

    token: UUID
    until: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a message is in a dead-letter queue."""

    reason: str | None
    description: str | None


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """A message and where it stands. Instants are seconds since 1970, UTC.

    ``deliveries`` counts the times it was handed out under a lock, the one under way included: it is kept across a
    restart, so a delivery that the restart cut off counts like one whose lock expired.
    """

    id: int
    content: Content
    path: str
    sequence_number: int
    enqueued_at: float
    state: State = State.ACTIVE
    deliveries: int = 0
    scheduled_at: float | None = None
    expires_at: float | None = None
    lock: Lock | None = None
    dead_letter: DeadLetter | None = None

    @property
    def delivery_count(self) -> int:
        """The number of deliveries that have failed: 0 on the first one."""
        return self.deliveries - (1 if self.lock else 0)

    def encoded(self) -> bytes:
        """Return the bytes that a receiver gets."""
        annotations: dict[Symbol, Any] = {
            Symbol("x-opt-sequence-number"): Long(self.sequence_number),
            Symbol("x-opt-enqueued-time"): _timestamp(self.enqueued_at),
            Symbol("x-opt-message-state"): Int(self.state),
        }
        if self.lock:
            annotations[Symbol("x-opt-locked-until")] = _timestamp(self.lock.until)
        application_properties = {}
        if self.dead_letter:
            given = {
                "DeadLetterReason": self.dead_letter.reason,
                "DeadLetterErrorDescription": self.dead_letter.description,
            }
            application_properties = {name: value for name, value in given.items() if value is not None}
        return self.content.encoded(
            delivery_count=self.delivery_count,
            time_to_live=None if self.expires_at is None else self.expires_at - self.enqueued_at,
            annotations=annotations,
            application_properties=application_properties,
        )


def _timestamp(instant: float) -> Timestamp:
    return Timestamp(round(instant * 1000))
