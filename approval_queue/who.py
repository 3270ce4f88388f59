"""Who may decide about an activation, looked up now: groups are resolved at the instant, not when the mail was sent."""

from access.approval import Decider
from access.model import Activation, ApprovalDemand, Person
from access.ports import Ports


async def named_approvers(demand: ApprovalDemand, ports: Ports) -> tuple[str, ...]:
    """Return the accounts that the role names, directly or by a group, in a stable order.

    Raises:
        TryAgain: a group can't be read; it is never taken as empty (law 9).
    """
    named = list(demand.users)
    for group in demand.groups:
        named += await ports.directory.people_in(group)
    return tuple(dict.fromkeys(named))


async def concerned(activation: Activation, ports: Ports) -> Person | None:
    """Return requester and principal, with all their accounts, as one person; None: an account can't be found.

    Raises:
        TryAgain: the links can't be read.
    """
    requester = await ports.people.person_of(activation.requester)
    if requester is not None and activation.principal in requester.ids:
        return requester
    principal = await ports.people.person_of(activation.principal)
    if requester is None or principal is None:
        return None
    return Person(accounts=(*requester.accounts, *principal.accounts))


async def decider(account: str, demand: ApprovalDemand, ports: Ports) -> Decider:
    """Return who presses, as approval.py wants to know it.

    Raises:
        TryAgain: something can't be read.
    """
    person = await ports.people.person_of(account)
    return Decider(account=account, person=person, named=frozenset(await named_approvers(demand, ports)))
