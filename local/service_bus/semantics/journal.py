"""What has changed since the last commit, gathered so that one transaction can make it last."""

from dataclasses import dataclass, field

from local.service_bus.semantics.message import Message


@dataclass(slots=True)
class Changes:
    """Messages to save and to remove, and the last sequence number of each entity that gave one out."""

    saved: dict[int, Message] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    sequence_numbers: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.saved or self.removed or self.sequence_numbers)


class Journal:
    """Gathers changes. Only the last state of a message is kept."""

    def __init__(self) -> None:
        self._changes = Changes()

    def save(self, message: Message) -> None:
        """The message is new, or its state, place or count has changed."""
        self._changes.saved[message.id] = message
        self._changes.removed.discard(message.id)

    def remove(self, message: Message) -> None:
        """The message is gone."""
        self._changes.saved.pop(message.id, None)
        self._changes.removed.add(message.id)

    def number(self, path: str, sequence_number: int) -> None:
        """The entity has given out this sequence number."""
        self._changes.sequence_numbers[path] = sequence_number

    def take(self) -> Changes:
        """Return what has changed since this was last called."""
        changes, self._changes = self._changes, Changes()
        return changes
