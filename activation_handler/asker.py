"""Who asks for something to be done about an activation, looked up now: which account, which person."""

from collections.abc import Awaitable
from dataclasses import dataclass

from access.errors import Code, TryAgain, Unusable
from access.model import Account, Person, Unmet
from access.ports import Ports
from access.wire import RequestCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The account that asks and its person; ``principal`` where an account is named instead of an activation.

    ``holders``: the accounts that a role without an activation's id may be held by: the one that is named, else all of the
    person's, since a day account asks and an admin account holds. ``unmet`` says what is wrong with them, or could not be
    checked: then they are None.
    """

    account: Account | None
    person: Person | None
    principal: Account | None
    holders: tuple[str, ...]
    unmet: tuple[Unmet, ...]


async def who_asks(command: RequestCommand, *, give_up: bool, ports: Ports) -> Asker:
    """Return who asks. With ``give_up``, what can't be read now is unmet instead of waited for (law 9).

    Raises:
        Unusable: the requester is no account, so nobody can be told.
        TryAgain: the directory can't answer.
    """
    unmet: list[Unmet] = []

    async def known[T](what: str, read: Awaitable[T]) -> T | None:
        try:
            return await read
        except TryAgain:
            if not give_up:
                raise
            remedy = "Nothing is wrong with the request itself: ask again in a few minutes."
            unmet.append(Unmet(Code.COULD_NOT_CHECK, f"Could not check {what}.", remedy))
            return None

    account = await known("the account that asked", ports.directory.account(command.requester))
    if account is None and not unmet:
        raise Unusable(Code.REQUESTER_UNKNOWN, "the requester is no account of this tenant, or fits more than one")
    if account is not None and not account.enabled:
        what = f"The account that asked, {account.name}, is disabled."
        unmet.append(Unmet(Code.REQUESTER_DISABLED, what, "Ask with an account that can sign in."))
    person = await known("which accounts are one person's", ports.people.person_of(account)) if account else None
    principal = account
    if command.principal and command.principal != command.requester and not command.activation:
        before = len(unmet)
        principal = await known("the account that holds the role", ports.directory.account(command.principal))
        if principal is None and len(unmet) == before:
            what = "The account that holds the role was not found, or the name fits more than one."
            unmet.append(
                Unmet(Code.PRINCIPAL_UNKNOWN, what, "Name it by its object id, or by its user principal name.")
            )
    is_named = bool(command.principal) and command.principal != command.requester
    holders = {principal.id} if principal else set()
    if person is not None and not is_named:
        holders |= person.ids
    return Asker(
        account=account, person=person, principal=principal, holders=tuple(sorted(holders)), unmet=tuple(unmet)
    )
