"""An approval is needed: resolve the approvers now, record who is asked, and have each of them told once.

Once it is decided or closed, the same nudge has the others told that nothing is left for them to do.

Approvers who are the requester or the principal are not asked (law 6), nor those whom no mail can reach.
"""

from datetime import datetime

from access import ids
from access.approval import may_be_asked
from access.change import move
from access.errors import Code
from access.events import Event, Happened
from access.expiry import is_open
from access.model import Activation, ApprovalDemand, Asked, Cause, Person, Unmet
from access.ports import Ports
from access.wire import Telling, tell
from approval_queue.who import concerned, named_approvers

AT_ONCE = 20
"""Approvers in one commit: each takes two rows, and a transaction holds a hundred."""


async def ask_approvers(activation_id: str, *, ports: Ports) -> None:
    """Ask whoever may decide and was not asked yet; nobody at all: the request is withdrawn, and its requester told.

    Raises:
        TryAgain: the directory can't answer; nobody is asked twice when it does.
        Conflict: somebody decided meanwhile; the next delivery sees it.
    """
    now = ports.clock.now()
    activation = await ports.store.activation(activation_id)
    if activation is None:
        return
    if not is_open(activation, now=now):
        await _tell_the_others(activation, ports)
        return
    settings = await ports.register.role(activation.role)
    demand = settings.approval if settings else None
    asked_before = {asked.account for asked in await ports.store.asked(activation_id)}
    wanted = await _to_ask(activation, demand, now, ports) if demand else []
    if not wanted and not asked_before:
        await _withdraw(activation, now, ports)
        return
    fresh = [asked for asked in wanted if asked.account not in asked_before]
    for start in range(0, len(fresh), AT_ONCE):
        asked = tuple(fresh[start : start + AT_ONCE])
        tells = tuple(tell(activation.id, "approval_wanted", to=one.account) for one in asked)
        happened = Happened(event=Event.APPROVERS_ASKED, at=now, details={"approvers": [one.account for one in asked]})
        activation = await ports.store.commit(
            move(
                activation, happened, sends=tells, asked=asked, approvers_asked=activation.approvers_asked + len(asked)
            ),
            now=now,
        )


async def _to_ask(activation: Activation, demand: ApprovalDemand, now: datetime, ports: Ports) -> list[Asked]:
    """Return one entry for each person who may decide and can be reached."""
    involved = await concerned(activation, ports)
    if involved is None:
        return []
    people: list[Person] = []
    for account in await named_approvers(demand, ports):
        person = await ports.people.person_of(account)
        if person is None or any(person.is_same_as(other) for other in people):
            continue
        if may_be_asked(person, involved, activation) and person.address is not None:
            people.append(person)
    return [_asked(activation, person, now) for person in people]


def _asked(activation: Activation, person: Person, now: datetime) -> Asked:
    reader = person.card_reader or person.accounts[0]
    return Asked(
        account=reader.id,
        name=reader.name,
        address=person.address or "",
        card=person.card_reader is not None,
        nonce=ids.digest("card", activation.id, reader.id, now.isoformat()),
        asked_at=now,
    )


async def _tell_the_others(activation: Activation, ports: Ports) -> None:
    """Tell the approvers who did not decide that it is decided or closed; the mail itself goes to each only once."""
    for one in await ports.store.asked(activation.id):
        if one.account != activation.decided_by:
            await ports.bus.send(
                "notifications",
                Telling(activation=activation.id, what="decided", to=one.account).body(),
                message_id=ids.digest("decided", activation.id, one.account),
                correlation_id=activation.correlation_id,
            )


async def _withdraw(activation: Activation, now: datetime, ports: Ports) -> None:
    unmet = Unmet(
        Code.NO_APPROVER,
        "No approver of this role can be reached, other than you.",
        "Tell the access owner of this role, and ask again when that is mended.",
    )
    told = tell(activation.id, "withdrawn", to=activation.requester)
    happened = Happened(event=Event.WITHDRAWN, at=now, details={"unmet": [Code.NO_APPROVER.value]})
    change = move(activation, happened, sends=(told,), cause=Cause.WITHDRAWN, unmet=(unmet,))
    await ports.store.commit(change, now=now)
