"""Persons: accounts linked by the same employee id, or listed together in the roles file (design section 3)."""

from typing import Protocol

from access.model import Account, Person
from access.ports import Directory


class Links(Protocol):
    """Accounts that the roles file lists as one person's."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Object ids."""
        ...

    @property
    def contact(self) -> str | None:
        """Where mail to the person goes."""
        ...


class LinkReader(Protocol):
    """Reads what the roles file says about an account's person."""

    async def person_links(self, account: str) -> Links | None:
        """Return the links, or None where the file doesn't name the account."""
        ...


class LinkedPeople:
    """Implements ``ports.People``. Links are followed until nothing new turns up; a link that can't be read raises."""

    def __init__(self, directory: Directory, links: LinkReader) -> None:
        self._directory = directory
        self._links = links

    async def person_of(self, account: str | Account) -> Person | None:
        """Return the person of an account; None where the account doesn't exist."""
        first = await self._directory.account(account) if isinstance(account, str) else account
        if first is None:
            return None
        found: dict[str, Account] = {}
        contact: str | None = None
        followed: set[str] = set()
        open_accounts = [first]
        while open_accounts:
            one = open_accounts.pop(0)
            if one.id in found:
                continue
            found[one.id] = one
            if one.employee_id and one.employee_id not in followed:
                followed.add(one.employee_id)
                open_accounts += await self._directory.linked_accounts(one.employee_id)
            listed = await self._links.person_links(one.id)
            if listed is not None:
                contact = contact or listed.contact
                named = [await self._directory.account(other) for other in listed.accounts if other not in found]
                open_accounts += [other for other in named if other is not None]
        return Person(accounts=tuple(found.values()), contact=contact)
