"""The log of calls to Graph, for tests that count them and for people who wonder."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

_CALLS_KEPT = 10_000


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. ``status`` is what was answered, or would have been had the answer not been lost."""

    method: str
    path: str
    query: str
    client_request_id: str
    request_id: str
    at: str
    status: int | None = None
    fault: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the call as the admin API shows it."""
        return {
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "fault": self.fault,
            "client-request-id": self.client_request_id,
            "request-id": self.request_id,
            "notes": self.notes,
        }


class CallLog:
    """The latest calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_CALLS_KEPT)

    def begin(self, call: Call) -> Call:
        """Note that a call arrived."""
        self._calls.append(call)
        return call

    def to_json(self) -> list[dict[str, Any]]:
        """Return the calls, oldest first."""
        return [call.to_json() for call in self._calls]

    def clear(self) -> None:
        """Forget them."""
        self._calls.clear()
