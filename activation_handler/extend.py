"""Let an activation last longer, up to its role's maximum; never shorter. The rules are asked as for a new one.

Where the role asks for approval, the time on top is an activation of its own on the same target, held from approval: the
hold counts both, and the first one ends quietly.
"""

from access import hold as holding
from access.change import Change, begin, move
from access.errors import Conflict, TryAgain
from access.events import Event, Happened
from access.lifecycle import Work, asks_for
from access.model import Action, Activation, State, Unmet
from access.policy import Allowed, Ask, NotAllowed, evaluate
from access.ports import Ports, Wanted
from access.wire import Envelope, RequestCommand, nudge, tell
from activation_handler.carry_out import ROUNDS, Order, carry_out
from activation_handler.duplicate import TRIES


async def extend(said: RequestCommand, envelope: Envelope, *, ports: Ports) -> None:
    """Move the end of an active activation, or have its approvers asked for that.

    Raises:
        Unusable: it can never succeed, and nobody can be told.
        TryAgain: something can't be looked up yet; what was recorded is gone on from.
    """
    after = await carry_out(said, envelope, _decide, ports=ports)
    if asks_for(after.state) is Work.END:
        await _show_in_hold(after, ports)


async def _decide(activation: Activation, order: Order, ports: Ports) -> Change | tuple[Unmet, ...]:
    said, asker = order.said, order.asker
    wanted = Wanted(
        activation=activation.id,
        role=activation.role,
        requester=order.by,
        principal=activation.principal,
        person=asker.person,
        extends=activation.id,
    )
    facts = await ports.lookup.facts(wanted, give_up=order.envelope.attempt >= TRIES)
    ask = Ask(
        role=activation.role,
        door=said.door,
        duration=said.duration,
        justification=said.justification,
        ticket=said.ticket,
        extends=activation.id,
        problems=said.problems,
    )
    verdict = evaluate(ask, facts, now=order.now)
    if isinstance(verdict, NotAllowed):
        return verdict.unmet
    return _asked(activation, order, verdict) if verdict.approval_required else _longer(activation, order, verdict)


def _longer(activation: Activation, order: Order, verdict: Allowed) -> Change:
    """Return the change that moves the end; its alarm moves with it, and the old one finds nothing to do."""
    assert activation.ends_at is not None  # noqa: S101 - the rules saw an end
    ends_at = activation.ends_at + verdict.duration
    details = {
        **order.details,
        "more_seconds": int(verdict.duration.total_seconds()),
        "ends_at": ends_at.isoformat(),
        "justification": order.reason,
        "ticket": order.said.ticket.number if order.said.ticket else "",
    }
    return move(
        activation,
        Happened(event=Event.EXTENDED, at=order.now, by=order.by, details=details),
        sends=(tell(activation.id, "extended", to=activation.requester, number=activation.events + 1),),
        command=order.id,
        content=order.said.content,
        ends_at=ends_at,
        duration=activation.duration + verdict.duration,
    )


def _asked(activation: Activation, order: Order, verdict: Allowed) -> Change:
    """Return the change that makes the activation of the time on top, which waits for approval."""
    approval = verdict.settings.approval
    assert activation.ends_at is not None  # noqa: S101 - the rules saw an end
    assert approval is not None  # noqa: S101 - it is required
    said = order.said
    new = Activation(
        id=order.id,
        state=State.PENDING_APPROVAL,
        action=Action.EXTEND,
        extends=activation.id,
        role=activation.role,
        role_name=verdict.settings.name,
        target=activation.target,
        requester=order.by,
        requester_name=order.asker.account.name if order.asker.account else activation.requester_name,
        principal=activation.principal,
        principal_name=activation.principal_name,
        door=said.door,
        through=said.through,
        justification=order.reason,
        ticket=said.ticket,
        duration=verdict.duration,
        requested_at=order.now,
        ends_at=activation.ends_at + verdict.duration,
        lapses_at=min(order.now + approval.lapses_after, activation.ends_at),
        correlation_id=order.envelope.correlation_id or order.id,
        content=said.content,
    )
    happened = Happened(event=Event.REQUESTED, at=order.now, by=order.by, details=order.details)
    return begin(new, happened, sends=(nudge("approvals", new.id),), command=order.id)


async def _show_in_hold(activation: Activation, ports: Ports) -> None:
    """Write the new end into the hold, for those who read it; a second delivery makes up for what a crash left out."""
    for _ in range(ROUNDS):
        hold = await ports.store.hold(activation.principal, activation.target)
        longer = holding.prolong(hold, activation.id, activation.ends_at) if activation.ends_at else None
        if longer is None:
            return
        try:
            await ports.store.write_hold(longer)
        except Conflict:
            continue
        return
    raise TryAgain("a hold that many write", after=holding.POLL)
