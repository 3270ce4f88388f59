"""A directory for one principal and one target, as slow as the protocol allows: stale reads, and calls that land late."""

from datetime import datetime, timedelta


class SlowDirectory:
    """Holds one fact and its history. A read may be as old as ``lag``; a call that timed out may land within the tail."""

    def __init__(self, *, held: bool, now: datetime) -> None:
        self._history = [(now - timedelta(days=1), held)]
        self._under_way: list[tuple[datetime, bool]] = []
        self.changes: list[bool] = []
        """What it became, at each change, until somebody takes note."""

    @property
    def held(self) -> bool:
        """The truth."""
        return self._history[-1][1]

    def read(self, at: datetime) -> bool:
        """What a replica that is behind as far as ``at`` says."""
        return next(held for since, held in reversed(self._history) if since <= at)

    def land(self, held: bool, at: datetime) -> None:  # noqa: FBT001 - it is the fact
        """A call takes effect."""
        if held is not self.held:
            self._history.append((at, held))
            self.changes.append(held)

    def time_out(self, held: bool, lands_at: datetime) -> None:  # noqa: FBT001 - it is the fact
        """A call is under way, and nobody waits for it any more."""
        self._under_way.append((lands_at, held))

    def next_landing(self, until: datetime) -> tuple[datetime, bool] | None:
        """Take the next call that lands by ``until``."""
        due = min((call for call in self._under_way if call[0] <= until), default=None)
        if due is not None:
            self._under_way.remove(due)
        return due
