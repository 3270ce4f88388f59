"""A request arrives: may they, on what terms? Record the answer in one change; what follows leaves with it.

Refused, asked, scheduled or given: the requester hears of every outcome, and a second delivery gets the same one.
"""

from dataclasses import replace
from datetime import datetime

from access import ids
from access.change import begin
from access.errors import Code, Conflict, Unusable
from access.events import Event, Happened
from access.model import Action, Activation, Send, Source, State, Target
from access.policy import JUSTIFICATION_LIMIT, Allowed, Ask, Facts, NotAllowed, evaluate
from access.ports import Ports, Wanted
from access.wire import Envelope, RequestCommand, Telling, nudge, tell
from activation_handler.duplicate import TRIES, go_on


async def request_activation(command: RequestCommand, envelope: Envelope, *, ports: Ports) -> None:
    """Decide about one request.

    Raises:
        Unusable: it can never succeed, and nobody can be told.
        TryAgain: something can't be looked up yet; nothing was recorded.
    """
    now = ports.clock.now()
    activation = ids.activation_id(
        tenant=ports.tenant,
        principal=command.principal,
        door=command.door,
        source=command.source,
        request=command.request_id,
    )
    validate_only = command.action is Action.VALIDATE
    known = None if validate_only else await ports.store.activation(activation)
    if known is not None:
        await go_on(known, known.content, command, envelope, now, ports)
        return
    wanted = Wanted(activation=activation, role=command.role, requester=command.requester, principal=command.principal)
    facts = await ports.lookup.facts(wanted, give_up=envelope.attempt >= TRIES)
    if facts.requester is None and not facts.unknown:
        raise Unusable(Code.REQUESTER_UNKNOWN, "the requester is no account of this tenant, or fits more than one")
    verdict = evaluate(_ask(command), facts, now=now)
    if validate_only:
        await _tell_verdict(activation, command, facts, verdict, ports)
        return
    new = _recorded(activation, command, envelope, facts, now)
    event, new, sends = _terms(new, verdict, now)
    details = {
        "through": command.through,
        "repairs": command.repairs,
        "ignored": command.ignored,
        "weak_id": command.weak_id,
    }
    happened = Happened(event=event, at=now, by=new.requester, details=details)
    try:
        await ports.store.commit(begin(new, happened, sends=sends, command=envelope.identity), now=now)
    except Conflict:
        winner = await ports.store.activation(activation)
        if winner is None:
            raise
        await go_on(winner, winner.content, command, envelope, now, ports)


def _ask(command: RequestCommand) -> Ask:
    return Ask(
        role=command.role,
        door=command.door,
        duration=command.duration,
        starts_at=command.starts_at,
        justification=command.justification,
        ticket=command.ticket,
        problems=command.problems,
    )


def _recorded(activation: str, command: RequestCommand, envelope: Envelope, facts: Facts, now: datetime) -> Activation:
    """Return the record of the request, before any decision."""
    requester, principal, settings = facts.requester, facts.principal, facts.settings
    return Activation(
        id=activation,
        state=State.REFUSED,
        role=settings.key if settings else command.role,
        role_name=settings.name if settings else command.role,
        target=settings.target if settings else Target(Source.GROUP_MEMBER, ""),
        requester=requester.id if requester else command.requester,
        requester_name=requester.name if requester else command.requester,
        principal=principal.id if principal else "",
        principal_name=principal.name if principal else command.principal,
        door=command.door,
        through=command.through,
        justification=command.justification[:JUSTIFICATION_LIMIT],
        ticket=command.ticket,
        duration=command.duration or (settings.default_duration if settings else now - now),
        requested_at=now,
        correlation_id=envelope.correlation_id or activation,
        content=command.content,
    )


def _terms(new: Activation, verdict: Allowed | NotAllowed, now: datetime) -> tuple[Event, Activation, tuple[Send, ...]]:
    """Return what the verdict makes of the request: the event, the record, and who hears of it."""
    if isinstance(verdict, NotAllowed):
        refused = tell(new.id, "refused", to=new.requester)
        return Event.REFUSED, replace(new, unmet=verdict.unmet), (refused,)
    new = replace(new, duration=verdict.duration, starts_at=verdict.starts_at)
    if verdict.starts_at is not None:
        new = replace(new, ends_at=verdict.starts_at + verdict.duration)
    approval = verdict.settings.approval
    if approval is not None:
        lapses_at = now + approval.lapses_after
        new = replace(new, lapses_at=min(lapses_at, new.ends_at) if new.ends_at else lapses_at)
        return Event.REQUESTED, new, (nudge("approvals", new.id),)
    if verdict.starts_at is not None:
        return Event.SCHEDULED, new, ()
    return Event.ACCEPTED, replace(new, ends_at=now + verdict.duration), (nudge("provisioning", new.id),)


async def _tell_verdict(
    activation: str,
    command: RequestCommand,
    facts: Facts,
    verdict: Allowed | NotAllowed,
    ports: Ports,
) -> None:
    """Say what would be decided; nothing is recorded, so the message carries it."""
    allowed = isinstance(verdict, Allowed)
    outcome = {
        "allowed": allowed,
        "role": facts.settings.name if facts.settings else command.role,
        "approval": isinstance(verdict, Allowed) and verdict.approval_required,
        "unmet": [] if isinstance(verdict, Allowed) else [[d.code, d.what, d.remedy] for d in verdict.unmet],
    }
    to = facts.requester.id if facts.requester else command.requester
    await ports.bus.send(
        "notifications",
        Telling(activation=activation, what="validated", to=to, outcome=outcome).body(),
        message_id=ids.digest("validated", activation),
        correlation_id=activation,
    )
