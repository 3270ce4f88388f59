"""What each mail says: event -> subject, words, facts. Pure; the template escapes every value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from access.cards import html_head, outcome
from access.hold import Outcome
from access.lifecycle import Work, asks_for
from access.model import Action, Activation, Door, Unmet
from access.policy import spoken

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one mail."""

    kind: str
    headline: str
    lines: tuple[str, ...] = ()
    unmet: tuple[Unmet, ...] = ()
    with_facts: bool = True


_UNSURE = (
    "The directory said that the account had it already when it was asked again. If somebody gave it by hand just then, that "
    "can't be told from what was given here: it is removed at the end. Ask them to give it again, if it was meant to stay."
)
_REFUSED = {Action.DEACTIVATE: "given back", Action.CANCEL: "cancelled", Action.EXTEND: "extended"}


def _subject(activation: Activation) -> str:
    """Return what a request was about, within a sentence."""
    return f"more time for {activation.role_name}" if activation.extends else activation.role_name


def _wish(activation: Activation) -> str:
    return _subject(activation) if activation.extends else f"to activate {activation.role_name}"


def _unsure(activation: Activation, *, told: bool) -> tuple[str, ...]:
    return (_UNSURE,) if told and activation.ownership_unsure else ()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def approval_wanted(activation: Activation) -> Words:
    """Ask an approver; the card in the mail's head has the buttons."""
    return Words(
        kind="approval wanted",
        headline=f"{activation.requester_name} wants {_wish(activation)}",
        lines=(
            "Approve or deny with the buttons of the card in this mail. Outlook shows it; other programs may not.",
            f"The question is open until {activation.lapses_at:%Y-%m-%d %H:%M} UTC.",
        ),
    )


def decided(activation: Activation) -> Words:
    """Tell the approvers who did not decide."""
    return Words(
        kind="decided",
        headline=f"{'Decided' if activation.decided_at else 'Closed'}: {activation.requester_name}, {activation.role_name}",
        lines=(outcome(activation), "Nothing is left for you to do."),
    )


def activated(activation: Activation) -> Words:
    """Tell the requester that the access is there, and for how long."""
    before = (
        ("The account had this access before, on its own; it keeps it afterwards.",) if activation.held_before else ()
    )
    is_active = "stays active" if activation.extends else "is active"
    return Words(
        kind="activated",
        headline=f"{activation.role_name} {is_active} until {activation.ends_at:%Y-%m-%d %H:%M} UTC",
        lines=(
            "It may take some minutes until every service sees it; sign in again if it doesn't.",
            "Sessions and tokens that are open at the end can outlive it by about an hour.",
            *before,
            *_unsure(activation, told=True),
        ),
    )


def extended(activation: Activation) -> Words:
    """Tell the requester that the end has moved."""
    return Words(
        kind="extended",
        headline=f"{activation.role_name} stays active until {activation.ends_at:%Y-%m-%d %H:%M} UTC",
        lines=("Its end was moved, as asked.",),
    )


def canceled(activation: Activation) -> Words:
    """Tell the requester that the request is taken back."""
    return Words(
        kind="cancelled",
        headline=f"Your request for {_subject(activation)} was cancelled",
        lines=("Nothing was given. Approvers who were asked are told that nothing is left for them to do.",),
    )


def denied(activation: Activation) -> Words:
    """Tell the requester who said no, and why, where a reason was given."""
    note = (f"They wrote: {activation.decision_note}",) if activation.decision_note else ()
    return Words(
        kind="denied",
        headline=f"{_capital(_subject(activation))} was denied",
        lines=(f"{activation.decided_by_name or 'An approver'} denied your request.", *note),
    )


def refused(activation: Activation) -> Words:
    """Tell the requester everything that stands in the way, at once."""
    count = len(activation.unmet)
    return Words(
        kind="refused",
        headline=f"{activation.role_name or 'Your request'} can't be {_REFUSED.get(activation.action, 'activated')} like this",
        lines=("One thing stands in the way:" if count == 1 else f"{count} things stand in the way:",),
        unmet=activation.unmet,
    )


def withdrawn(activation: Activation) -> Words:
    """Tell the requester that what was allowed once no longer is."""
    return Words(
        kind="closed",
        headline=f"Your request for {_subject(activation)} was closed",
        lines=("It can no longer be granted:",),
        unmet=activation.unmet,
    )


def lapsed(activation: Activation) -> Words:
    """Tell the requester that nobody decided."""
    return Words(
        kind="lapsed",
        headline=f"Nobody decided about {_subject(activation)} in time",
        lines=("Your request has lapsed. You can ask again.",),
    )


def revoked(activation: Activation) -> Words:
    """Tell the requester that somebody else ended it, and why."""
    removal = asks_for(activation.state) is Work.REMOVAL
    onward = ("Whatever access it gave is being removed; another mail says when that is proven.",) if removal else ()
    return Words(
        kind="revoked",
        headline=f"{activation.role_name} was revoked",
        lines=(
            "The people who run Hourglass ended it before its time.",
            f"They wrote: {activation.end_reason}",
            *onward,
        ),
    )


def failed(activation: Activation) -> Words:
    """Tell the requester that the directory said no, and that nothing is left behind."""
    return Words(
        kind="failed",
        headline=f"{_capital(_subject(activation))} could not be granted",
        lines=("Nothing is left behind. This stood in the way:",),
        unmet=activation.unmet,
    )


def ended(activation: Activation) -> Words:
    """Tell the requester that it is over, and what was done with the assignment."""
    how = {
        Outcome.PROVEN_GONE.value: "The access was removed, and a read of the directory has shown that it is gone.",
        Outcome.OTHERS_HOLD.value: "Another activation of yours still needs the same access; it stays until that one ends.",
        Outcome.HELD_BEFORE.value: "The account had this access before the activation; it was left as it was.",
        Outcome.NEVER_GIVEN.value: "The access was never given, so nothing had to be removed.",
    }
    removed = activation.ended_how == Outcome.PROVEN_GONE
    one = "One activation of " if activation.ended_how == Outcome.OTHERS_HOLD else ""
    return Words(
        kind="ended",
        headline=f"{one}{activation.role_name} has ended",
        lines=(how.get(activation.ended_how, "The access has ended."), *_unsure(activation, told=removed)),
    )


WORDS: Mapping[str, Callable[[Activation], Words]] = {
    "approval_wanted": approval_wanted,
    "decided": decided,
    "activated": activated,
    "extended": extended,
    "canceled": canceled,
    "denied": denied,
    "refused": refused,
    "withdrawn": withdrawn,
    "lapsed": lapsed,
    "revoked": revoked,
    "failed": failed,
    "ended": ended,
}
"""Every mail there is about an activation."""


def validated(outcome_of: Mapping[str, object]) -> Words:
    """Tell the requester what would have been decided."""
    role = str(outcome_of.get("role", ""))
    raw = outcome_of.get("unmet")
    unmet = tuple(Unmet(*map(str, item)) for item in raw) if isinstance(raw, list) else ()
    if outcome_of.get("allowed"):
        follow = "an approver would be asked." if outcome_of.get("approval") else "it would be granted at once."
        return Words(
            kind="checked", headline=f"{role} could be activated", lines=(f"As asked, {follow} Nothing was done.",)
        )
    return Words(
        kind="checked",
        headline=f"{role or 'This'} can't be activated like this",
        lines=("Nothing was done. This stands in the way:",),
        unmet=unmet,
    )


def render(
    words: Words, *, reference: str, activation: Activation | None, card: Mapping[str, object] | None
) -> tuple[str, str]:
    """Return subject and HTML. A header can't be injected: the subject is one line."""
    subject = " ".join(f"Hourglass: {words.headline}".split())[:200]
    html = _template().render(
        subject=subject,
        kind=words.kind,
        headline=words.headline,
        lines=words.lines,
        unmet=words.unmet,
        facts=_facts(activation) if activation is not None and words.with_facts else [],
        reference=reference,
        card=html_head(card) if card else "",
    )
    return subject, html


@cache
def _template() -> "Template":
    """Return the one template; jinja2 is imported at the first mail, not at indexing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 30 ms of cold start

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("mail.html")


def _facts(activation: Activation) -> list[tuple[str, str]]:
    facts = [
        ("Role", activation.role_name),
        ("Account", activation.principal_name),
        ("Asked by", activation.requester_name),
    ]
    if activation.duration:
        facts.append(("For", spoken(activation.duration)))
    if activation.starts_at:
        facts.append(("Starts", f"{activation.starts_at:%Y-%m-%d %H:%M} UTC"))
    if activation.ticket is not None:
        facts.append(("Ticket", f"{activation.ticket.system} {activation.ticket.number}".strip()))
    if activation.justification:
        facts.append(("Justification", activation.justification))
    if activation.door is Door.FLOW:
        through = f"flow {activation.through}" if activation.through else "a flow"
        facts.append(("Asked through", f"{through}; who asked is not proven"))
    return [(title, value) for title, value in facts if value]
