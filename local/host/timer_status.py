"""What is remembered of a timer between two lives of the host, and what follows from it at the start."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from local.host.ncrontab import Schedule

_NEVER = "0001-01-01T00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerStatus:
    """The last run and the next one due; ``last`` is ``None`` before the first run. Instants are aware, in UTC."""

    last: datetime | None
    next: datetime
    updated: datetime

    def document(self) -> dict[str, str]:
        """Return the status in the shape of the blob, which is also what a function sees of it."""
        return {
            "Last": self.last.isoformat() if self.last else _NEVER,
            "Next": self.next.isoformat(),
            "LastUpdated": self.updated.isoformat(),
        }

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the status written in a blob.

        Raises:
            ValueError: the text is not a status.
        """
        try:
            document = json.loads(text)
            last = document["Last"]
            return cls(
                last=None if last.startswith("0001-01-01") else _instant(last),
                next=_instant(document["Next"]),
                updated=_instant(document["LastUpdated"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a timer status: {error!r}") from error


class StatusStore(Protocol):
    """Where the status of one timer is kept; both methods raise when the store can't be reached."""

    async def read(self) -> TimerStatus | None:
        """Return the status, ``None`` before the first."""
        ...

    async def write(self, status: TimerStatus) -> None:
        """Keep the status."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """How a timer begins: whether it runs at once, whether it is late, and the status to keep."""

    run_now: bool
    past_due: bool
    status: TimerStatus


def begin(status: TimerStatus | None, schedule: Schedule, *, now: datetime, run_on_startup: bool) -> Start:
    """Return how a timer begins, given what is remembered of it.

    A run that was missed is made up for at once, and once, however many were missed. When the schedule has changed
    since, the next run is reckoned anew and nothing counts as missed.
    """
    if status is None:
        fresh = TimerStatus(last=None, next=schedule.next_after(now), updated=now)
        return Start(run_on_startup, past_due=False, status=fresh)
    if schedule.next_after(status.last or status.updated) != status.next:
        status = replace(status, next=schedule.next_after(now), updated=now)
        # Reckoned from the last run, the next start would take it for a change of the schedule again.
        status = replace(status, last=now) if status.last else status
    past_due = status.next < now
    return Start(past_due or run_on_startup, past_due, status)


def after_run(schedule: Schedule, *, started_at: datetime) -> TimerStatus:
    """Return the status after a run, whether the function succeeded or failed."""
    return TimerStatus(last=started_at, next=schedule.next_after(started_at), updated=started_at)


def payload(status: TimerStatus | None, *, past_due: bool) -> str:
    """Return what the function gets: JSON text."""
    document: dict[str, Any] = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.document() if status else None,
        "IsPastDue": past_due,
    }
    return json.dumps(document)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
