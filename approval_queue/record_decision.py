"""Somebody decides: may they, and is it still open? One conditional write takes the first decision (law 5).

One use case for every channel: the card's button today, a page tomorrow. The right to decide is checked here, now.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from access.approval import Choice, judge_note, may_decide, why_closed
from access.change import Change, move
from access.errors import Code, Conflict, Refused, TryAgain
from access.events import Event, Happened
from access.expiry import is_open
from access.model import Activation, Cause, Person, Send, Unmet
from access.policy import Allowed, NotAllowed, ask_again, evaluate, is_restoring, stopped
from access.ports import Ports, Wanted
from access.wire import nudge, tell
from approval_queue.who import concerned, decider

ROUNDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody said about an activation. ``command`` is the same for every delivery of one press."""

    activation: str
    account: str
    choice: Choice
    note: str
    command: str


async def record_decision(decision: Decision, *, ports: Ports) -> Activation:
    """Record a decision and return the activation as it is now; a second delivery has no second effect.

    Raises:
        Refused: they may not decide, it is closed, or the rules no longer allow the activation. All reasons are listed.
    """
    for _ in range(ROUNDS):
        now = ports.clock.now()
        activation = await ports.store.activation(decision.activation)
        if activation is None:
            raise Refused(Unmet(Code.ACTIVATION_UNKNOWN, "There is no such request.", "Use the card in your own mail."))
        if not is_open(activation, now=now) and await ports.store.seen(activation.id, decision.command):
            await ports.store.flush(activation.id, now=now)
            return activation
        try:
            change = await _decide(activation, decision, now, ports)
        except TryAgain as fault:
            raise Refused(
                Unmet(
                    Code.COULD_NOT_CHECK,
                    f"Could not check {fault.what}.",
                    "Press again in a minute; nothing was decided.",
                )
            ) from fault
        try:
            after = await ports.store.commit(change, now=now)
        except Conflict:
            continue
        if change.happened.event is Event.WITHDRAWN:
            raise Refused(*after.unmet)
        return after
    raise Refused(Unmet(Code.COULD_NOT_CHECK, "Many are deciding at once.", "Press again in a minute."))


async def _decide(activation: Activation, decision: Decision, now: datetime, ports: Ports) -> Change:
    """Return what the decision does.

    Raises:
        Refused: it may not be taken.
    """
    closed = why_closed(activation, now=now)
    if closed is not None:
        raise Refused(closed)
    settings = await ports.register.role(activation.role)
    if settings is None or settings.approval is None:
        raise Refused(
            Unmet(Code.ROLE_UNKNOWN, "This role asks for no approval any more.", "The requester can ask again.")
        )
    pressing = await decider(decision.account, settings.approval, ports)
    involved = await concerned(activation, ports)
    unmet = may_decide(activation, settings.approval, pressing, concerned=involved)
    unmet += judge_note(settings.approval, decision.note)
    if unmet:
        raise Refused(*unmet)
    name = (
        next((one.name for one in pressing.person.accounts if one.id == decision.account), "")
        if pressing.person
        else ""
    )
    decided = replace(
        activation,
        decision=decision.choice.value,
        decided_by=decision.account,
        decided_by_name=name,
        decided_at=now,
        decision_note=decision.note,
    )
    others = (nudge("approvals", activation.id),)
    if decision.choice is Choice.DENY:
        happened = Happened(event=Event.DENIED, at=now, by=decision.account, details={"note": decision.note})
        told = tell(activation.id, "denied", to=activation.requester)
        return move(decided, happened, sends=(told, *others), command=decision.command)
    verdict = await _rules_again(activation, involved, now, ports)
    if isinstance(verdict, NotAllowed):
        details = {"unmet": [demand.code for demand in verdict.unmet], "approved_by": decision.account}
        happened = Happened(event=Event.WITHDRAWN, at=now, by=decision.account, details=details)
        told = tell(activation.id, "withdrawn", to=activation.requester)
        return move(
            activation,
            happened,
            sends=(told, *others),
            command=decision.command,
            cause=Cause.WITHDRAWN,
            unmet=verdict.unmet,
        )
    return _approved(decided, decision, now, sends=others)


def _approved(activation: Activation, decision: Decision, now: datetime, *, sends: tuple[Send, ...]) -> Change:
    later = activation.starts_at is not None and activation.starts_at > now
    event = Event.APPROVED_FOR_LATER if later else Event.APPROVED
    happened = Happened(event=event, at=now, by=decision.account, details={"note": decision.note})
    onward = () if later else (nudge("provisioning", activation.id),)
    ends_at = activation.ends_at or now + activation.duration
    return move(activation, happened, sends=(*onward, *sends), command=decision.command, ends_at=ends_at)


async def _rules_again(
    activation: Activation, person: Person | None, now: datetime, ports: Ports
) -> Allowed | NotAllowed:
    """Ask the rules again: eligibility, settings and accounts may have changed since the request (protocol 1)."""
    wanted = Wanted(
        activation=activation.id,
        role=activation.role,
        requester=activation.requester,
        principal=activation.principal,
        person=person if person and activation.principal in person.ids else None,
        extends=activation.extends,
    )
    facts = await ports.lookup.facts(wanted, give_up=False)
    if is_restoring(facts.stopped):
        raise Refused(*map(stopped, facts.stopped))
    return evaluate(ask_again(activation, now=now), facts, now=now)
