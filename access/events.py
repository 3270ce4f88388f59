"""What happened to an activation: the names, and one value for all of them. Names never change; they are in the audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Event(StrEnum):
    """A dotted noun and a past verb. Which state takes which event: ``access/lifecycle.py``."""

    REFUSED = "activation.refused"
    REQUESTED = "activation.requested"
    SCHEDULED = "activation.scheduled"
    ACCEPTED = "activation.accepted"

    APPROVERS_ASKED = "approval.asked"
    APPROVED = "approval.approved"
    APPROVED_FOR_LATER = "approval.approved_for_later"
    DENIED = "approval.denied"
    LAPSED = "approval.lapsed"

    CANCELED = "activation.canceled"
    WITHDRAWN = "activation.withdrawn"
    START_DUE = "activation.start_due"
    PROVISIONED = "activation.provisioned"
    PROVISIONING_REFUSED = "activation.provisioning_refused"
    EXTENDED = "activation.extended"
    END_DUE = "activation.end_due"
    DEACTIVATED = "activation.deactivated"
    REVOKED = "activation.revoked"

    REMOVAL_DELAYED = "removal.delayed"
    REMOVAL_OVERDUE = "removal.overdue"
    REMOVAL_PROVEN = "removal.proven"
    FAILURE_PROVEN = "removal.failure_proven"
    ASSIGNMENT_MISSING = "assignment.missing"
    ASSIGNMENT_RETURNED = "assignment.returned"


ALARMING = frozenset({Event.REMOVAL_OVERDUE, Event.ASSIGNMENT_RETURNED})
"""Events that somebody is to look at now: their log record is an ERROR."""

SYSTEM = "system"
"""Who acted when nobody did: the sweep, the clock, the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event as it is recorded. ``by`` is an account id or ``SYSTEM``; ``details`` are plain JSON values."""

    event: Event
    at: datetime
    by: str = SYSTEM
    details: Mapping[str, object] = field(default_factory=dict)
