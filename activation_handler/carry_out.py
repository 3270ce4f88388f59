"""A command about an activation that exists: find it, see whose it is, and record the one outcome.

Done, it is an event of that activation, with the command's own row beside it. Refused, it is an activation of its own,
under the command's id: so each delivery gets the same answer, and the requester hears of it like of any refusal.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from access import ids
from access.change import Change, begin
from access.commands import choose, not_own_account, not_theirs, not_through
from access.errors import Code, Conflict, TryAgain
from access.events import Event, Happened
from access.hold import POLL
from access.lifecycle import Work, asks_for
from access.model import Activation, RoleSettings, Source, State, Target, Unmet
from access.policy import JUSTIFICATION_LIMIT
from access.ports import Ports
from access.wire import Envelope, RequestCommand, tell
from activation_handler.asker import Asker, who_asks
from activation_handler.duplicate import TRIES, go_on

ROUNDS = 6
"""How often the activation is read again when others write it; then the message is put off."""

NEWEST = 20
"""How many of an account's newest activations are looked at for a command that names a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command as it is being decided: its id, what it says, who says it, and the role where there still is one."""

    id: str
    said: RequestCommand
    envelope: Envelope
    asker: Asker
    settings: RoleSettings | None
    now: datetime

    @property
    def by(self) -> str:
        """The account that asks; the text of the request where it can't be looked up."""
        return self.asker.account.id if self.asker.account else self.said.requester

    @property
    def reason(self) -> str:
        """Why, as far as it can be kept."""
        return self.said.justification[:JUSTIFICATION_LIMIT]

    @property
    def details(self) -> dict[str, object]:
        """What the audit is to know about the message."""
        return {
            "through": self.said.through,
            "repairs": self.said.repairs,
            "ignored": self.said.ignored,
            "weak_id": self.said.weak_id,
        }

    @property
    def objections(self) -> tuple[Unmet, ...]:
        """What is wrong with the message and with who sends it, whatever it is about."""
        return (*self.said.problems, *self.asker.unmet)

    def against_ending(self, activation: Activation) -> tuple[Unmet, ...]:
        """What stands against ending an activation by this command. The role's demands don't: it may be gone by now."""
        return (*self.objections, *not_through(activation, self.said.door, self.settings))


Decide = Callable[[Activation, Order, Ports], Awaitable[Change | tuple[Unmet, ...]]]
"""What a command does to the one activation that it can happen to, or everything that stands in the way."""


async def carry_out(said: RequestCommand, envelope: Envelope, decide: Decide, *, ports: Ports) -> Activation:
    """Carry a command out, or refuse it; return the activation in which the outcome is recorded.

    Raises:
        Unusable: the requester is nobody, or the id was used before with other content.
        TryAgain: something can't be looked up yet, or many write the activation; nothing was recorded.
    """
    own = ids.activation_id(
        tenant=ports.tenant, principal=said.principal, door=said.door, source=said.source, request=said.request_id
    )
    for _ in range(ROUNDS):
        now = ports.clock.now()
        recorded = await ports.store.activation(own)
        if recorded is not None:
            await go_on(recorded, recorded.content, said, envelope, now, ports)
            return recorded
        intended, done = await _intended(own, ports)
        if done is not None:
            await go_on(done[0], done[1], said, envelope, now, ports)
            return done[0]
        # Who has chosen one already can wait: refused beside it, the command would have two outcomes.
        asker = await who_asks(said, give_up=intended is None and envelope.attempt >= TRIES, ports=ports)
        settings, found = await _meant(said, asker, ports)
        # The states were read before: where the command has had its effect on one of them, its row is there by now.
        intended, done = await _intended(own, ports)
        if done is not None:
            continue
        if intended is not None:
            found = tuple(one for one in found if one.id == intended)
        order = Order(id=own, said=said, envelope=envelope, asker=asker, settings=settings, now=now)
        change = await _decided(order, found, decide, ports)
        try:
            return await _commit(change, own, intended, now, ports)
        except Conflict:
            continue
    raise TryAgain("an activation that many write", after=POLL)


async def _intended(own: str, ports: Ports) -> tuple[str | None, tuple[Activation, str] | None]:
    """Return which activation the command chose, and that activation with what it said, where it has had its effect."""
    intended = await ports.store.intended_for(own)
    content = await ports.store.content_seen(intended, own) if intended is not None else None
    activation = await ports.store.activation(intended) if intended is not None and content is not None else None
    return intended, (activation, content) if activation is not None and content is not None else None


async def _commit(change: Change, own: str, intended: str | None, now: datetime, ports: Ports) -> Activation:
    """Commit what was decided. Before it changes an activation, its choice is recorded: a late delivery makes no other.

    A refusal writes the command's row, and so does the choice: of two deliveries at once, one decides again. What was chosen
    once is refused only when no other delivery can still change it.

    Raises:
        Conflict: another delivery was first.
        TryAgain: another delivery may be at it.
    """
    if change.before is not None and intended is None:
        await ports.store.intend(own, change.before.id)
    if change.before is None and intended is not None:
        chosen = await ports.store.activation(intended)
        if chosen is not None and asks_for(chosen.state) not in {Work.REMOVAL, Work.NOTHING}:
            raise TryAgain("another delivery of this command", after=POLL)
        change = replace(change, command=None)
    return await ports.store.commit(change, now=now)


async def _meant(
    said: RequestCommand, asker: Asker, ports: Ports
) -> tuple[RoleSettings | None, tuple[Activation, ...]]:
    """Return the role, and the activations that the command may be about: the one it names, or those of the role."""
    if said.activation:
        named = await ports.store.activation(said.activation)
        return (await ports.register.role(named.role), (named,)) if named is not None else (None, ())
    settings = await ports.register.role(said.role) if said.role else None
    listed: list[str] = []
    for principal in asker.holders if said.role else ():
        listed += await ports.store.newest_of(principal, said.role, limit=NEWEST)
        if settings is not None:
            # The list may lag; the hold doesn't, and it keeps the ids that it released for a day.
            hold = await ports.store.hold(principal, settings.target)
            listed += [*hold.roles, *hold.released]
    found = [await ports.store.activation(activation) for activation in dict.fromkeys(listed)]
    return settings, tuple(one for one in found if one is not None and one.role == said.role)


async def _decided(order: Order, found: tuple[Activation, ...], decide: Decide, ports: Ports) -> Change:
    """Return what the command does; where it may not, its refusal with everything that stands in the way."""
    said, person = order.said, order.asker.person
    if person is None or not (said.activation or said.role):
        return _refused(order, None, order.objections)
    if said.activation and not found:
        unknown = Unmet(
            Code.ACTIVATION_UNKNOWN, "There is no such activation.", "Send the id that our mails name, or the role."
        )
        return _refused(order, None, (*order.objections, unknown))
    # Who may not see it is not told how it stands either.
    others = [unmet for one in found if said.activation for unmet in not_theirs(one, person)]
    if order.asker.principal is not None and not said.activation:
        others += not_own_account(order.asker.principal, person)
    if others:
        return _refused(order, None, (*order.objections, *others))
    meant = choose(said.action, found, now=order.now)
    if isinstance(meant, Unmet):
        return _refused(order, found[0] if said.activation else None, (*order.objections, meant))
    decided = await decide(meant, order, ports)
    return decided if isinstance(decided, Change) else _refused(order, meant, decided)


def _refused(order: Order, about: Activation | None, unmet: tuple[Unmet, ...]) -> Change:
    """Return the record of a refusal: under the command's own id, so that it is given once."""
    said = order.said
    new = Activation(
        id=order.id,
        state=State.REFUSED,
        action=said.action,
        role=said.role,
        role_name=said.role,
        target=Target(Source.GROUP_MEMBER, ""),
        requester=order.by,
        requester_name=order.asker.account.name if order.asker.account else said.requester,
        principal="",
        principal_name=said.principal,
        door=said.door,
        through=said.through,
        justification=order.reason,
        ticket=said.ticket,
        requested_at=order.now,
        unmet=unmet,
        correlation_id=order.envelope.correlation_id or order.id,
        content=said.content,
    )
    details = {**order.details, **({"about": about.id} if about else {})}
    happened = Happened(event=Event.REFUSED, at=order.now, by=new.requester, details=details)
    told = tell(new.id, "refused", to=new.requester)
    return begin(_named_in(new, about, order), happened, sends=(told,), command=order.id)


def _named_in(new: Activation, about: Activation | None, order: Order) -> Activation:
    """Return the record with role and account, as far as who asks may know them: of an id alone, nothing."""
    if about is not None:
        return replace(
            new,
            role=about.role,
            role_name=about.role_name,
            target=about.target,
            principal=about.principal,
            principal_name=about.principal_name,
        )
    settings, principal = order.settings, order.asker.principal
    if settings is not None and not order.said.activation:
        new = replace(new, role_name=settings.name, target=settings.target)
    if principal is not None and not order.said.activation:
        new = replace(new, principal=principal.id, principal_name=principal.name)
    return new
