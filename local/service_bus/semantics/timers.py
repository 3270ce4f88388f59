"""Alarms on a heap: at most one per key, moved and cancelled without a search."""

import heapq
from collections.abc import Callable, Iterator

SLACK = 1024  # dead heap entries that are kept without a thought


class Timers:
    """What is to be done, and when. Instants are seconds since 1970."""

    def __init__(self) -> None:
        self._alarms: dict[int, tuple[float, Callable[[], None]]] = {}
        self._heap: list[tuple[float, int]] = []

    def set(self, key: int, due_at: float, action: Callable[[], None]) -> None:
        """Call ``action`` at ``due_at``, in place of what ``key`` had before."""
        self._alarms[key] = (due_at, action)
        heapq.heappush(self._heap, (due_at, key))
        if len(self._heap) > 2 * len(self._alarms) + SLACK:
            self._heap = [(due, each) for each, (due, _) in self._alarms.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: int) -> None:
        """Forget the alarm of ``key``, if there is one."""
        self._alarms.pop(key, None)

    def next_due_at(self) -> float | None:
        """Return when the first alarm goes off, or None."""
        while self._heap:
            due_at, key = self._heap[0]
            alarm = self._alarms.get(key)
            if alarm is not None and alarm[0] == due_at:
                return due_at
            heapq.heappop(self._heap)
        return None

    def take_due(self, now: float) -> Iterator[Callable[[], None]]:
        """Yield the actions due by ``now``, earliest first; each is forgotten before it is yielded."""
        while (due_at := self.next_due_at()) is not None and due_at <= now:
            _, key = heapq.heappop(self._heap)
            yield self._alarms.pop(key)[1]
