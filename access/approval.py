"""Who may decide about an activation, and what a decision does to it (law 5: one decision; law 6: nobody for themselves)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from access.errors import Code
from access.expiry import is_open
from access.model import Activation, ApprovalDemand, Cause, DecideWith, Person, Unmet

NOTE_LIMIT = 2_000
"""Characters of an approver's own justification."""


class Choice(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decides, as looked up at the instant of the decision.

    ``account`` is the account that presses; ``named`` the accounts that the role names as approvers, groups resolved
    now: an approver who left the group may hold an old mail. ``person`` is None where the link between accounts could not
    be read; then law 6 can't be checked.
    """

    account: str
    person: Person | None
    named: frozenset[str]


def may_decide(
    activation: Activation, demand: ApprovalDemand, decider: Decider, *, concerned: Person | None
) -> list[Unmet]:
    """Return why this decider may not decide; empty: they may. ``concerned``: requester and principal as one person.

    Persons are compared, not accounts: whatever the alias, the second account, the guest twin or the group (law 6).
    """
    return list(_objections(activation, demand, decider, concerned))


def _objections(
    activation: Activation, demand: ApprovalDemand, decider: Decider, concerned: Person | None
) -> Iterator[Unmet]:
    if decider.person is None or concerned is None:
        yield Unmet(
            Code.COULD_NOT_CHECK,
            "Could not check whether you are the person who asked.",
            "Try again in a few minutes; another approver can decide meanwhile.",
        )
        return
    involved = concerned.ids | {activation.requester, activation.principal}
    if decider.account in involved or decider.person.ids & involved:
        yield Unmet(
            Code.DECISION_SELF,
            "You asked for this yourself, with this account or another one of yours.",
            "Another approver of this role must decide.",
        )
    is_named = bool(decider.person.ids & decider.named)
    if is_named and demand.decide_with is DecideWith.ACCOUNT and decider.account not in decider.named:
        yield Unmet(
            Code.DECISION_WRONG_ACCOUNT,
            "This role is decided with the account that is named as its approver, and this is another one of yours.",
            "Decide with the named account.",
        )
    if not is_named:
        yield Unmet(
            Code.DECISION_NOT_APPROVER,
            "You are not an approver of this role now.",
            "Leave it to its approvers; the access owner can tell who they are.",
        )


def may_be_asked(person: Person, concerned: Person, activation: Activation) -> bool:
    """Whether to ask this approver: somebody else than the persons concerned, with an enabled account."""
    involved = concerned.ids | {activation.requester, activation.principal}
    return not person.ids & involved and any(account.enabled for account in person.accounts)


def judge_note(demand: ApprovalDemand, note: str) -> list[Unmet]:
    """Return what is wrong with the approver's own justification; empty: nothing."""
    if demand.justification_required and not note.strip():
        return [
            Unmet(Code.DECISION_NOTE_MISSING, "This role asks approvers for a reason.", "Write one, and press again.")
        ]
    if len(note) > NOTE_LIMIT:
        return [Unmet(Code.DECISION_NOTE_TOO_LONG, "The reason is too long.", f"Use at most {NOTE_LIMIT} characters.")]
    return []


def why_closed(activation: Activation, *, now: datetime) -> Unmet | None:
    """Return why no decision is taken any more at ``now``; None: the question is open. Says who decided, where one did."""
    if is_open(activation, now=now):
        return None
    if activation.decided_at:
        verb = "denied" if activation.decision == Choice.DENY else "approved"
        return Unmet(
            Code.DECISION_TAKEN,
            f"{activation.decided_by_name or 'Somebody'} {verb} this at {activation.decided_at:%H:%M} UTC.",
            "Nothing is left to do.",
        )
    if activation.lapses_at and now >= activation.lapses_at:
        return Unmet(
            Code.DECISION_LAPSED,
            "Nobody decided in time: the request has lapsed.",
            "The requester can ask again.",
        )
    canceled = activation.cause is Cause.CANCELED
    what = "This request was cancelled by who asked." if canceled else "This request is closed."
    return Unmet(Code.DECISION_TAKEN, what, "Nothing is left to do.")
