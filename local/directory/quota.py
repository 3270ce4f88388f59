"""The quota of writes that Graph gives to one app in one tenant: off until it is set, refused with 429 beyond it.

As JSON: ``{"writes": 3000, "window": 150}``, the window in seconds. What changes users and groups is counted; look-ups that
are POSTed, and mail, have quotas of their own. What was refused is not counted.
"""

import math
import re
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from local.directory.model import Clock

_CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
_COUNTED = re.compile(r"^/v1\.0/(users|groups)/(?!.*/(sendMail|checkMemberGroups)$)")


class Quota:
    """The writes of the last window."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._writes: int | None = None
        self._window = timedelta()
        self._taken: deque[datetime] = deque()
        self._refused = 0

    def set(self, raw: Mapping[str, Any]) -> None:
        """Begin to count, from nothing.

        Raises:
            ValueError: a field is missing or unknown, or not above 0.
        """
        if raw.keys() != {"writes", "window"}:
            raise ValueError("A quota has writes and window.")
        writes, window = int(raw["writes"]), float(raw["window"])
        if writes <= 0 or window <= 0:
            raise ValueError("A quota is above 0.")
        self.lift()
        self._writes, self._window = writes, timedelta(seconds=window)

    def lift(self) -> None:
        """Let every write through again."""
        self._writes, self._refused = None, 0
        self._taken.clear()

    def to_json(self) -> dict[str, Any]:
        """Return the quota, what of it is used now, and how many calls were refused."""
        self._forget()
        window = self._window.total_seconds()
        return {"writes": self._writes, "window": window, "used": len(self._taken), "refused": self._refused}

    def take(self, method: str, path: str) -> int | None:
        """Count a call; or return how many seconds it is to wait, where the quota is used up."""
        if self._writes is None or method not in _CHANGES or not _COUNTED.search(path):
            return None
        self._forget()
        if len(self._taken) < self._writes:
            self._taken.append(self._clock())
            return None
        self._refused += 1
        return max(1, math.ceil((self._taken[0] + self._window - self._clock()).total_seconds()))

    def _forget(self) -> None:
        while self._taken and self._taken[0] + self._window <= self._clock():
            self._taken.popleft()
