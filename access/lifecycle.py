"""The life of an activation, as one table (protocol section 1). Nothing else in the code compares states.

Rule 1: whatever decides about a state stands here. Use cases ask ``may`` (can this happen now?) and ``asks_for`` (what is
there to do?), and move by ``advance``. A pair that is not in the table can't happen: ``advance`` raises, nothing changes.

Ending is not ended: ``ENDING`` is left only by a proof, and never by giving up (law 2). ``FAILED`` is reached only
through ``ENDING``: a call that was refused may follow one that landed.
"""

from enum import StrEnum

from access.errors import WrongState
from access.events import Event as E  # noqa: N817 - the table reads as one
from access.model import State as S  # noqa: N817 - the table reads as one

TABLE: dict[S | None, dict[E, S]] = {
    None: {
        E.REFUSED: S.REFUSED,
        E.REQUESTED: S.PENDING_APPROVAL,
        E.SCHEDULED: S.SCHEDULED,
        E.ACCEPTED: S.PROVISIONING,
    },
    S.PENDING_APPROVAL: {
        E.APPROVERS_ASKED: S.PENDING_APPROVAL,
        E.APPROVED: S.PROVISIONING,
        E.APPROVED_FOR_LATER: S.SCHEDULED,
        E.DENIED: S.DENIED,
        E.CANCELED: S.CANCELED,
        E.WITHDRAWN: S.CANCELED,
        E.REVOKED: S.CANCELED,
        E.LAPSED: S.LAPSED,
    },
    S.SCHEDULED: {
        E.START_DUE: S.PROVISIONING,
        E.CANCELED: S.CANCELED,
        E.WITHDRAWN: S.CANCELED,
        E.REVOKED: S.CANCELED,
    },
    S.PROVISIONING: {
        E.PROVISIONED: S.ACTIVE,
        E.PROVISIONING_REFUSED: S.ENDING,
        E.END_DUE: S.ENDING,
        E.DEACTIVATED: S.ENDING,
        E.CANCELED: S.ENDING,
        E.REVOKED: S.ENDING,
    },
    S.ACTIVE: {
        E.EXTENDED: S.ACTIVE,
        E.ASSIGNMENT_MISSING: S.ACTIVE,
        E.END_DUE: S.ENDING,
        E.DEACTIVATED: S.ENDING,
        E.REVOKED: S.ENDING,
    },
    S.ENDING: {
        E.REMOVAL_DELAYED: S.ENDING,
        E.REMOVAL_OVERDUE: S.ENDING,
        E.REMOVAL_PROVEN: S.ENDED,
        E.FAILURE_PROVEN: S.FAILED,
    },
    S.REFUSED: {},
    S.DENIED: {},
    S.CANCELED: {},
    S.LAPSED: {},
    S.FAILED: {E.ASSIGNMENT_RETURNED: S.FAILED},
    S.ENDED: {E.ASSIGNMENT_RETURNED: S.ENDED},
}


class Work(StrEnum):
    """What a state asks for."""

    DECISION = "decision"
    START = "start"
    GIVING = "giving"
    END = "end"
    REMOVAL = "removal"
    NOTHING = "nothing"


_ASKS_FOR = {
    S.PENDING_APPROVAL: Work.DECISION,
    S.SCHEDULED: Work.START,
    S.PROVISIONING: Work.GIVING,
    S.ACTIVE: Work.END,
    S.ENDING: Work.REMOVAL,
}


def may(state: S | None, event: E) -> bool:
    """Whether ``event`` can happen in ``state``; None is the state of what doesn't exist yet."""
    return event in TABLE[state]


def advance(state: S | None, event: E) -> S:
    """Return the state after ``event``.

    Raises:
        WrongState: the table has no such move. Nothing has changed.
    """
    try:
        return TABLE[state][event]
    except KeyError:
        raise WrongState(f"{event} can't happen in {state}") from None


def is_final(state: S) -> bool:
    """Whether no move leads out of ``state``."""
    return all(after is state for after in TABLE[state].values())


def asks_for(state: S) -> Work:
    """What is to be done for an activation in ``state``; a final one asks for nothing."""
    return _ASKS_FOR.get(state, Work.NOTHING)


def is_busy(state: S) -> bool:
    """Whether the directory is being asked, or may have been: work that goes on without waiting for an instant."""
    return asks_for(state) in {Work.GIVING, Work.REMOVAL}
