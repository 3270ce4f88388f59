"""Faults on demand: throttling, errors, lost answers, late landings, replicas that lag.

A fault as JSON, with the kinds and what else each takes::

    {"kind": "status", "status": 429, "retryAfter": 2}      answered without effect; also "retryAfterDate": 2 for
                                                            the date that is 2 seconds away, "code", "message"
    {"kind": "lost-answer"}                                 takes effect, then the connection is cut
    {"kind": "time-out", "seconds": 60}                     no effect; silence, then the connection is cut
    {"kind": "time-out", "seconds": 60, "landsAfter": 5}    silence, and the effect 5 seconds later all the same
    {"kind": "slow", "seconds": 0.5}                        answered, but late
    {"kind": "lag", "seconds": 30, "random": true}          memberships are read as they were up to 30 seconds ago

and with all of them ``"method": "POST"`` (any method when missing), ``"path"`` (a regular expression that is searched
in the path; any path of Graph when missing), ``"count"`` (how many calls; 1 when missing, for ever when null; a lag is
always for ever when missing) and ``"share"`` (of the calls that it concerns it happens to so many, by chance; all when
missing).
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self

from local.directory.graph_errors import GraphError


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    LOST_ANSWER = "lost-answer"
    TIME_OUT = "time-out"
    SLOW = "slow"
    LAG = "lag"


_CODES = {
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    429: ("TooManyRequests", "Too many requests."),
    500: ("InternalServerError", "An internal server error occurred. The operation failed."),
    502: ("BadGateway", "Bad gateway."),
    503: ("serviceNotAvailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The request timed out."),
}
_GRAPH = r"^/v1\.0/"
_FIELDS = {
    "kind",
    "method",
    "path",
    "count",
    "status",
    "retryAfter",
    "retryAfterDate",
    "code",
    "message",
    "seconds",
    "landsAfter",
    "random",
    "share",
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One scripted fault; ``remaining`` counts down, ``None`` is for ever."""

    kind: FaultKind
    asked: Mapping[str, Any]
    method: str | None
    path: re.Pattern[str]
    remaining: int | None
    seconds: float
    lands_after: float | None
    share: float

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read a fault.

        Raises:
            ValueError: an unknown field or kind, or a path that is not a regular expression.
        """
        if unknown := raw.keys() - _FIELDS:
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}.")
        kind = FaultKind(raw.get("kind", "status"))
        if kind is FaultKind.STATUS and not isinstance(raw.get("status"), int):
            raise ValueError("A fault of kind status needs a status.")
        try:
            path = re.compile(raw.get("path", _GRAPH))
        except re.error as error:
            raise ValueError(f"The path is not a regular expression: {error}.") from None
        return cls(
            kind=kind,
            asked=raw,
            method=raw.get("method"),
            path=path,
            remaining=raw.get("count", None if kind is FaultKind.LAG else 1),
            seconds=float(raw.get("seconds", 60)),
            lands_after=raw.get("landsAfter"),
            share=float(raw.get("share", 1)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fault as it was asked for, with what is left of it."""
        return {**self.asked, "kind": self.kind, "remaining": self.remaining}

    def concerns(self, method: str, path: str) -> bool:
        """Tell whether a call falls under this fault."""
        fits = self.method in (None, method) and self.path.search(path) is not None
        left = self.remaining is None or self.remaining > 0
        return fits and left and (self.share >= 1 or random.random() < self.share)

    def use(self) -> None:
        """Count one call."""
        if self.remaining is not None:
            self.remaining -= 1

    def refusal(self) -> GraphError:
        """Return the error of a fault of kind status."""
        status = int(self.asked["status"])
        code, message = _CODES.get(status, ("UnknownError", "Something went wrong."))
        return GraphError(status, self.asked.get("code", code), self.asked.get("message", message))


class Faults:
    """The script. The first fault that concerns a call and is not used up happens to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def script(self, faults: Iterable[Fault]) -> None:
        """Add faults at the end."""
        self._faults += faults

    def clear(self) -> None:
        """Let everything go well from now on."""
        self._faults.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the script with what is left of it."""
        return [fault.to_json() for fault in self._faults]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this call, and count it."""
        for fault in self._faults:
            if fault.kind is not FaultKind.LAG and fault.concerns(method, path):
                fault.use()
                return fault
        return None

    def lag(self, method: str, path: str) -> timedelta | None:
        """Return how far behind the replica is that answers this call, and count it."""
        for fault in self._faults:
            if fault.kind is FaultKind.LAG and fault.concerns(method, path):
                fault.use()
                share = random.random() if fault.asked.get("random") else 1.0
                return timedelta(seconds=fault.seconds * share)
        return None
