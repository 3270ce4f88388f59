"""What can go wrong, in three kinds: a refusal, later, broken. Every code is explained in docs/errors.md.

A *refusal* (``Refused``) is an answer to a person. *Later* (``TryAgain``) is waited for outside the function: a due row
and a scheduled message. *Broken* (``Unusable``) is a message that can never succeed: it is set aside with its bytes.
Anything else is a bug: the message is abandoned, and dead-lettered after five deliveries.
"""

from datetime import timedelta
from enum import StrEnum

from access.model import Unmet


class Code(StrEnum):
    """The codes of refusals and of messages set aside. A code never changes its meaning and is never used again."""

    ROLE_UNKNOWN = "HG-ROLE-UNKNOWN"
    ROLE_TARGET_GONE = "HG-ROLE-TARGET-GONE"
    PRINCIPAL_UNKNOWN = "HG-PRINCIPAL-UNKNOWN"
    PRINCIPAL_DISABLED = "HG-PRINCIPAL-DISABLED"
    REQUESTER_UNKNOWN = "HG-REQUESTER-UNKNOWN"
    REQUESTER_DISABLED = "HG-REQUESTER-DISABLED"
    NOT_SAME_PERSON = "HG-NOT-SAME-PERSON"
    NOT_ELIGIBLE = "HG-NOT-ELIGIBLE"
    ELIGIBILITY_ENDED = "HG-ELIGIBILITY-ENDED"
    ELIGIBILITY_NOT_STARTED = "HG-ELIGIBILITY-NOT-STARTED"
    ELIGIBILITY_ENDS_FIRST = "HG-ELIGIBILITY-ENDS-FIRST"
    DURATION_INVALID = "HG-DURATION-INVALID"
    DURATION_TOO_LONG = "HG-DURATION-TOO-LONG"
    DURATION_TOO_SHORT = "HG-DURATION-TOO-SHORT"
    START_INVALID = "HG-START-INVALID"
    START_PAST = "HG-START-PAST"
    JUSTIFICATION_MISSING = "HG-JUSTIFICATION-MISSING"
    JUSTIFICATION_TOO_LONG = "HG-JUSTIFICATION-TOO-LONG"
    TICKET_MISSING = "HG-TICKET-MISSING"
    TICKET_INVALID = "HG-TICKET-INVALID"
    DOOR_NOT_ACCEPTED = "HG-DOOR-NOT-ACCEPTED"
    ALREADY_ACTIVE = "HG-ALREADY-ACTIVE"
    FIELD_INVALID = "HG-FIELD-INVALID"
    VERSION_UNKNOWN = "HG-VERSION-UNKNOWN"
    ACTION_UNKNOWN = "HG-ACTION-UNKNOWN"
    COULD_NOT_CHECK = "HG-COULD-NOT-CHECK"
    GRANTING_STOPPED = "HG-GRANTING-STOPPED"
    RESTORING = "HG-RESTORING"

    NOTHING_TO_END = "HG-NOTHING-TO-END"
    NOTHING_TO_CANCEL = "HG-NOTHING-TO-CANCEL"
    NOTHING_TO_EXTEND = "HG-NOTHING-TO-EXTEND"
    ACTIVATION_AMBIGUOUS = "HG-ACTIVATION-AMBIGUOUS"
    ACTIVATION_NOT_YOURS = "HG-ACTIVATION-NOT-YOURS"

    NO_APPROVER = "HG-NO-APPROVER"
    START_MISSED = "HG-START-MISSED"
    DIRECTORY_REFUSED = "HG-DIRECTORY-REFUSED"

    DECISION_SELF = "HG-DECISION-SELF"
    DECISION_NOT_APPROVER = "HG-DECISION-NOT-APPROVER"
    DECISION_WRONG_ACCOUNT = "HG-DECISION-WRONG-ACCOUNT"
    DECISION_TAKEN = "HG-DECISION-TAKEN"
    DECISION_LAPSED = "HG-DECISION-LAPSED"
    DECISION_NOTE_MISSING = "HG-DECISION-NOTE-MISSING"
    DECISION_NOTE_TOO_LONG = "HG-DECISION-NOTE-TOO-LONG"
    ACTIVATION_UNKNOWN = "HG-ACTIVATION-UNKNOWN"
    CARD_INVALID = "HG-CARD-INVALID"
    CARD_NOT_YOURS = "HG-CARD-NOT-YOURS"
    CARD_TOO_LATE = "HG-CARD-TOO-LATE"
    TOKEN_INVALID = "HG-TOKEN-INVALID"  # noqa: S105 - the name of an error, not a token
    TOKEN_WITHOUT_OID = "HG-TOKEN-WITHOUT-OID"  # noqa: S105 - the name of an error, not a token

    BODY_EMPTY = "HG-BODY-EMPTY"
    BODY_TOO_LARGE = "HG-BODY-TOO-LARGE"
    BODY_NOT_UTF8 = "HG-BODY-NOT-UTF8"
    BODY_NOT_JSON = "HG-BODY-NOT-JSON"
    BODY_TOO_DEEP = "HG-BODY-TOO-DEEP"
    BODY_NOT_OBJECT = "HG-BODY-NOT-OBJECT"
    REQUESTER_MISSING = "HG-REQUESTER-MISSING"
    ID_REUSED = "HG-ID-REUSED"
    NUDGE_INVALID = "HG-NUDGE-INVALID"
    DEAD_LETTERED = "HG-DEAD-LETTERED"


class Refused(Exception):
    """The rules say no. ``unmet`` lists every demand that is not met, and is never empty."""

    def __init__(self, *unmet: Unmet) -> None:
        self.unmet = unmet
        super().__init__("; ".join(f"{demand.code}: {demand.what}" for demand in unmet))


class TryAgain(Exception):
    """It can't be done now, and may be done ``after`` this span; ``what`` says what is waited for, ``fault`` if it failed."""

    def __init__(self, what: str, *, after: timedelta, fault: bool = False) -> None:
        self.what, self.after, self.fault = what, after, fault
        super().__init__(f"{what}; again in {after.total_seconds():.0f} s")


class Throttled(TryAgain):
    """The vendor asks everybody to wait ``after``: no host writes to it meanwhile."""


class Restoring(TryAgain):
    """The ledger came back from a backup: nothing outside it is changed until a person says go, by name."""

    def __init__(self) -> None:
        super().__init__("a person to let the restored ledger go on", after=timedelta(minutes=5))


class Unusable(Exception):
    """A message that can never succeed; it is set aside under ``code`` with its bytes."""

    def __init__(self, code: Code, what: str) -> None:
        self.code, self.what = code, what
        super().__init__(f"{code}: {what}")


class Conflict(Exception):
    """Somebody else wrote the row since it was read, or made it first: read again and decide again."""


class WrongState(Exception):
    """An event that the state doesn't know: a bug in a use case, never an answer to a person."""


class AlreadyAssigned(Exception):
    """The directory says that the principal holds the target already."""


class NotAssigned(Exception):
    """The directory says that there is nothing to remove. On its own no proof of anything (protocol section 5)."""


class DirectoryRefused(Exception):
    """The directory refused for good; asking again gives the same answer. Nothing was changed by this call."""
