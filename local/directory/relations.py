"""Who belongs to which group, now and at any instant of the recent past.

A replica that lags is answered from the past: the present with the newer changes taken back.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from local.directory.model import Clock, Relation

_CHANGES_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class _Change:
    at: datetime
    group_id: str
    relation: Relation
    object_id: str
    added: bool


class Relations:
    """Members and owners of groups, with their history."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._present: defaultdict[tuple[str, Relation], set[str]] = defaultdict(set)
        self._changes: deque[_Change] = deque(maxlen=_CHANGES_KEPT)

    def load(self, group_id: str, relation: Relation, object_id: str) -> None:
        """Take over what has always been so: no replica is behind on it."""
        self._present[group_id, relation].add(object_id)

    def add(self, group_id: str, relation: Relation, object_id: str) -> None:
        """Relate an object to a group, from now on."""
        self._change(group_id, relation, object_id, added=True)

    def remove(self, group_id: str, relation: Relation, object_id: str) -> None:
        """End a relation, from now on."""
        self._change(group_id, relation, object_id, added=False)

    def of(self, group_id: str, relation: Relation, at: datetime | None = None) -> frozenset[str]:
        """Return the related object ids as they are, or as they were at an instant."""
        then = set(self._present.get((group_id, relation), ()))
        if at is not None:
            for change in reversed(self._changes):
                if change.at <= at:
                    break
                if (change.group_id, change.relation) == (group_id, relation):
                    (then.discard if change.added else then.add)(change.object_id)
        return frozenset(then)

    def touching(self, object_id: str) -> Iterator[tuple[str, Relation, str]]:
        """Yield every relation in which an object stands, as the group or as the one related."""
        for (group_id, relation), related in list(self._present.items()):
            for other in sorted(related):
                if object_id in (group_id, other):
                    yield group_id, relation, other

    def _change(self, group_id: str, relation: Relation, object_id: str, *, added: bool) -> None:
        related = self._present[group_id, relation]
        if (object_id in related) is added:
            return
        (related.add if added else related.discard)(object_id)
        self._changes.append(_Change(self._clock(), group_id, relation, object_id, added))
