"""The values of the domain, in Microsoft Graph's words (design section 3). Frozen; no behaviour beyond their own facts.

Instants are aware, in UTC, to the second. Durations are ``timedelta``. Ids are lower-case object ids unless said otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from string import whitespace


class State(StrEnum):
    """Where an activation is in its life (protocol section 1; moves: ``access/lifecycle.py``)."""

    PENDING_APPROVAL = "pending_approval"
    SCHEDULED = "scheduled"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    ENDING = "ending"
    REFUSED = "refused"
    DENIED = "denied"
    CANCELED = "canceled"
    LAPSED = "lapsed"
    FAILED = "failed"
    ENDED = "ended"


class Cause(StrEnum):
    """Why an activation is ending, or was closed before it was given."""

    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    REVOKED = "revoked"
    CANCELED = "canceled"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Door(StrEnum):
    """How a request came in: through a flow, which only says who asks, or signed in, which proves it (design section 6)."""

    FLOW = "flow"
    SIGNED_IN = "signed-in"


class Action(StrEnum):
    """What a request message asks for (docs/messages/activation-requests.md)."""

    ACTIVATE = "activate"
    VALIDATE = "validate"
    DEACTIVATE = "deactivate"
    CANCEL = "cancel"
    EXTEND = "extend"


class Source(StrEnum):
    """Where an assignment lives (design section 7)."""

    GROUP_MEMBER = "entra-group-member"


class DecideWith(StrEnum):
    """Which account of an approver may decide: any of the person's, or exactly the one that is named (law 6)."""

    PERSON = "person"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Target:
    """What is given: one thing in one role source. Two spellings of one thing are one target (protocol section 2)."""

    source: Source
    id: str

    def __post_init__(self) -> None:
        text = self.id.strip().lower()
        object.__setattr__(self, "id", text.rstrip(f"/{whitespace}") or text[:1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user object of the directory. Names and addresses are for showing; only ``id`` identifies."""

    id: str
    name: str
    user_principal_name: str
    enabled: bool = True
    employee_id: str | None = None
    mail: str | None = None
    has_mailbox: bool = False
    other_mails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with one or more accounts; law 6 compares persons, never accounts or addresses."""

    accounts: tuple[Account, ...]
    contact: str | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The object ids of all accounts of this person."""
        return frozenset(account.id for account in self.accounts)

    def is_same_as(self, other: "Person") -> bool:
        """Whether the two share an account."""
        return bool(self.ids & other.ids)

    @property
    def address(self) -> str | None:
        """Where mail to this person goes; None when nothing can reach them (design section 3, order as there)."""
        mailboxes = (a.mail or a.user_principal_name for a in self.accounts if a.enabled and a.has_mailbox)
        others = (mail for account in self.accounts for mail in account.other_mails)
        return self.contact or next(mailboxes, None) or next(others, None)

    @property
    def card_reader(self) -> Account | None:
        """The account in whose Exchange mailbox a card is shown and pressed; None where the mail goes elsewhere."""
        mailboxes = [account for account in self.accounts if account.enabled and account.has_mailbox]
        return next((a for a in mailboxes if self.address in {a.mail, a.user_principal_name}), None)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Linked work in another system."""

    system: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDemand:
    """What a role asks of the ticket: the system where one is named, and a pattern that the whole number must match."""

    system: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDemand:
    """Who decides, and for how long the question stays open. One stage: the first decision resolves it."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lapses_after: timedelta = timedelta(hours=24)
    decide_with: DecideWith = DecideWith.PERSON
    justification_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """What a role gives and what it demands.

    Source: Entra role management policy, the expiration, enablement and approval rules; the minimum duration is ours
    (PIM's is fixed at five minutes).
    """

    key: str
    name: str
    target: Target
    maximum_duration: timedelta
    default_duration: timedelta
    minimum_duration: timedelta = timedelta(minutes=5)
    justification_required: bool = True
    ticket: TicketDemand | None = None
    approval: ApprovalDemand | None = None
    accepts: frozenset[Door] = frozenset(Door)
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """A principal, a user or a group, may activate a role from ``starts_at`` until ``ends_at``; None: without bound."""

    principal: str
    role: str
    through_group: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether it may be used at ``now``: the start is inside, the end is not."""
        return (self.starts_at is None or self.starts_at <= now) and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Unmet:
    """One demand that is not met: a code that never changes, what is wrong, and what to do (docs/errors.md)."""

    code: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One request for a role, from asking to proven removal. ``ends_at`` is exclusive: held while ``now < ends_at``.

    ``version`` counts commits, ``events`` and ``sends`` count rows ever written; none is used twice (protocol section 2).
    ``alarm`` is the row key of the due row that will act at the end, the lapse or the start. ``etag`` is the store's.

    ``action`` is what the request asked for; ``extends`` names the activation that this one prolongs. ``ended_by`` and
    ``end_reason`` say who ended it before its time, and why. ``ending_since``: when its removal became due; ``alerts``
    counts how often it was reported as overdue. ``look_at``: when to look once more after the proof.

    ``carried``: columns of the row that a newer version added; written back as they are.
    """

    id: str
    state: State
    role: str
    role_name: str
    target: Target
    requester: str
    requester_name: str
    principal: str
    principal_name: str
    door: Door
    through: str = ""
    justification: str = ""
    ticket: Ticket | None = None
    duration: timedelta = timedelta()
    requested_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lapses_at: datetime | None = None
    approvers_asked: int = 0
    decision: str = ""
    decided_by: str | None = None
    decided_by_name: str = ""
    decided_at: datetime | None = None
    decision_note: str = ""
    cause: Cause | None = None
    held_before: bool = False
    ownership_unsure: bool = False
    removal_delayed: bool = False
    ended_how: str = ""
    action: Action = Action.ACTIVATE
    extends: str | None = None
    ended_by: str | None = None
    end_reason: str = ""
    ending_since: datetime | None = None
    alerts: int = 0
    look_at: datetime | None = None
    missing_reported: bool = False
    unmet: tuple[Unmet, ...] = ()
    correlation_id: str = ""
    content: str = ""
    version: int = 0
    events: int = 0
    sends: int = 0
    chain: str = ""
    alarm: str | None = None
    alarm_at: datetime | None = None
    leased_until: datetime | None = None
    carried: Mapping[str, str | int | bool] = field(default_factory=dict)
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An approver who was asked to decide about an activation, and the card that was made for them."""

    account: str
    name: str
    address: str
    card: bool
    nonce: str
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which activations are meant: those of a role, those of an account, or all there are. Empty means: whichever."""

    role: str = ""
    principal: str = ""

    def covers(self, role: str, principal: str) -> bool:
        """Whether an activation of this role for this account is meant."""
        return self.role in {"", role} and self.principal in {"", principal}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Somebody said that nothing more is given in this scope, until it is lifted by name; what runs goes on.

    ``restoring``: the ledger came back from a backup; nothing at all is changed outside it, and only read (prove-only).
    """

    scope: Scope
    restoring: bool = False
    by: str
    through: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the directory may take (protocol, names): all in whole or part seconds, as ``timedelta``."""

    call_limit: timedelta = timedelta(seconds=10)
    tail: timedelta = timedelta(seconds=60)
    proof_window: timedelta = timedelta(minutes=2)

    @property
    def in_flight(self) -> timedelta:
        """How long after its start a call may still land."""
        return self.call_limit + self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A row that says: look at this activation at this instant. A hint; the activation decides (protocol section 4)."""

    shard: str
    key: str
    at: datetime
    activation: str
    version: int
    kind: str
    since: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """An effect that leaves with a commit, through the outbox: a message to ``queue``, not before ``at``."""

    queue: str
    body: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None
