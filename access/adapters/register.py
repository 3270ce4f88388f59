"""What the access owner decided, on tables: roles, eligibilities, and which accounts are one person.

``hourglass apply`` writes it, the functions read it. Each change commits together with a row that says who made it and
what was there before (law 10); a copy of that goes to the audit first, so a change without its audit can't be. What is
looked up in two directions has one row that decides, and it is written last: after a crash between two writes the next
apply still sees the difference, and makes it whole.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from access.adapters import keys
from access.adapters.changes import Author, commit, record
from access.adapters.rows import SCHEMA, from_row, to_row
from access.adapters.tables import Delete, Insert, Operation, Put, Replace, Row, Tables, Value
from access.errors import Conflict
from access.model import Eligibility, RoleSettings

_REMOVED = "removed"
_UNFINISHED = "unfinished"
_PERSON = "person"


@dataclass(frozen=True, slots=True)
class PersonLinks:
    """Accounts that the roles file links to one person, and where to write to them. All are object ids."""

    accounts: tuple[str, ...]
    contact: str | None = None
    name: str = ""


class TableRegister:
    """Implements ``ports.Register`` on ``Tables``; the writing side is for ``hourglass apply``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def role(self, role: str) -> RoleSettings | None:
        """Return a role's settings, or None where there is no such role, or it was removed."""
        key = _possible(role)
        row = await self._tables.get("roles", keys.ROLE, key) if key else None
        return None if row is None else _role(row)

    async def direct_eligibility(self, role: str, principal: str) -> Eligibility | None:
        """Return the eligibility of this very principal, when it is a user."""
        if not (_possible(role) and _possible(principal)):
            return None
        row = await self._tables.get("eligibilities", keys.of_role(role), keys.eligible(principal, group=False))
        return None if row is None else from_row(Eligibility, row.values)

    async def group_eligibilities(self, role: str) -> tuple[Eligibility, ...]:
        """Return the eligibilities that groups have for this role."""
        return tuple([found async for found in self._eligible(role, *keys.GROUPS)])

    async def person_links(self, account: str) -> PersonLinks | None:
        """Return the person that the roles file links this account to; None: it says nothing about the account."""
        partition = _possible(account)
        row = await self._tables.get("people", partition, keys.PERSON) if partition else None
        return None if row is None else from_row(PersonLinks, row.values)

    async def roles(self) -> dict[str, RoleSettings]:
        """Return all roles by their keys."""
        rows = self._tables.query("roles", keys.ROLE, start=keys.LISTED[0], end=keys.LISTED[1])
        found = {row.key: _role(row) async for row in rows}
        return {key: settings for key, settings in found.items() if settings is not None}

    async def eligibilities(self) -> dict[tuple[str, str], Eligibility]:
        """Return all eligibilities by role and principal, those of roles that were removed half-way included."""
        start, end = keys.LISTED
        roles = [row.key async for row in self._tables.query("roles", keys.ROLE, start=start, end=end)]
        found: dict[tuple[str, str], Eligibility] = {}
        for role in roles:
            for span in (keys.GROUPS, keys.USERS):
                found |= {(role, each.principal): each async for each in self._eligible(role, *span)}
        return found

    async def people(self) -> dict[str, PersonLinks | None]:
        """Return the persons of the roles file by their keys; None: one whose writing was cut off."""
        rows = self._tables.query("people", keys.PEOPLE, start=keys.LISTED[0], end=keys.LISTED[1])
        return {row.key: None if _UNFINISHED in row.values else from_row(PersonLinks, row.values) async for row in rows}

    async def put_role(self, settings: RoleSettings, author: Author) -> RoleSettings:
        """Write a role over the version that ``settings`` names, 0 where it is new; return it with its new version.

        Versions go on where a role was removed and comes back.

        Raises:
            Conflict: somebody else changed the role meanwhile.
        """
        key = keys.role(settings.key)
        row = await self._tables.get("roles", keys.ROLE, key)
        before = None if row is None else _role(row)
        if settings.version != (before.version if before else 0):
            raise Conflict(f"the role {key} was changed by somebody else")
        after = replace(settings, key=key, version=1 + (_version(row) if row else 0))
        written = Row(partition=keys.ROLE, key=key, values=to_row(after), etag=row.etag if row else "")
        said = _record("role", key, _plain(before), _plain(after), author)
        await self._commit("roles", keys.ROLE, [Replace(written) if row else Insert(written)], said, author)
        return after

    async def remove_role(self, role: str, author: Author) -> None:
        """Take a role out. Its version is remembered; what is active under it ends as it would have.

        Raises:
            Conflict: somebody else changed the role meanwhile.
        """
        key = keys.role(role)
        row = await self._tables.get("roles", keys.ROLE, key)
        before = None if row is None else _role(row)
        if row is None or before is None:
            return
        gone = replace(row, values={"key": key, "version": before.version, _REMOVED: True})
        said = _record("role", key, _plain(before), None, author)
        await self._commit("roles", keys.ROLE, [Replace(gone)], said, author)

    async def put_eligibility(self, eligibility: Eligibility, author: Author) -> None:
        """Write an eligibility, under its principal and under its role: the latter decides."""
        values = to_row(eligibility)
        role, principal = keys.role(eligibility.role), keys.principal(eligibility.principal)
        row = await self._tables.get("eligibilities", keys.of_role(role), _eligible_key(eligibility))
        before = None if row is None else _values(row.values)
        await self._tables.write("eligibilities", [Put(Row(partition=principal, key=role, values=values))])
        said = _record("eligibility", f"{role}/{principal}", before, _values(values), author)
        decides = Put(Row(partition=keys.of_role(role), key=_eligible_key(eligibility), values=values))
        await self._commit("eligibilities", keys.of_role(role), [decides], said, author)

    async def remove_eligibility(self, eligibility: Eligibility, author: Author) -> None:
        """Take an eligibility out, in both directions; what is active under it ends as it would have."""
        role, principal = keys.role(eligibility.role), keys.principal(eligibility.principal)
        row = await self._tables.get("eligibilities", keys.of_role(role), _eligible_key(eligibility))
        await self._tables.write("eligibilities", [Delete(principal, role)])
        if row is None:
            return
        said = _record("eligibility", f"{role}/{principal}", _values(row.values), None, author)
        await self._commit("eligibilities", row.partition, [Delete(row.partition, row.key)], said, author)

    async def put_person(self, person: str, links: PersonLinks, author: Author) -> None:
        """Write a person: the row that lists them, marked as unfinished, then one row for each account, then the list again.

        The first write still names accounts that are dropped, so that a crash can't leave a link that nobody knows of.
        """
        key = keys.person(person)
        row = await self._tables.get("people", keys.PEOPLE, key)
        before = None if row is None else from_row(PersonLinks, row.values)
        dropped = tuple(a for a in (before.accounts if before else ()) if a not in links.accounts)
        unfinished = {**to_row(replace(links, accounts=links.accounts + dropped)), _UNFINISHED: True}
        await self._tables.write("people", [Put(Row(partition=keys.PEOPLE, key=key, values=unfinished))])
        values = to_row(links)
        for account in links.accounts:
            own = Row(partition=keys.principal(account), key=keys.PERSON, values={**values, _PERSON: key})
            await self._tables.write("people", [Put(own)])
        await self._drop_accounts(key, dropped)
        said = _record("person", key, None if row is None else _values(row.values), _values(values), author)
        listed = Put(Row(partition=keys.PEOPLE, key=key, values=values))
        await self._commit("people", keys.PEOPLE, [listed], said, author)

    async def remove_person(self, person: str, author: Author) -> None:
        """Take a person out: their accounts are persons of their own again, unless the directory links them."""
        key = keys.person(person)
        row = await self._tables.get("people", keys.PEOPLE, key)
        if row is None:
            return
        await self._drop_accounts(key, from_row(PersonLinks, row.values).accounts)
        said = _record("person", key, _values(row.values), None, author)
        await self._commit("people", keys.PEOPLE, [Delete(keys.PEOPLE, key)], said, author)

    async def _drop_accounts(self, person: str, accounts: Sequence[str]) -> None:
        """Delete the rows of accounts, except those that have gone over to another person of the same file."""
        for account in accounts:
            row = await self._tables.get("people", keys.principal(account), keys.PERSON)
            if row is not None and row.values.get(_PERSON) == person:
                await self._tables.write("people", [Delete(row.partition, row.key)])

    async def _eligible(self, role: str, start: str, end: str) -> AsyncIterator[Eligibility]:
        if _possible(role):
            async for row in self._tables.query("eligibilities", keys.of_role(role), start=start, end=end):
                yield from_row(Eligibility, row.values)

    async def _commit(
        self, table: str, partition: str, operations: Sequence[Operation], said: str, author: Author
    ) -> None:
        await commit(self._tables, table, partition, operations, said=said, author=author)


_LONGEST = 100
"""Characters of a role's key or an object id: more was never written, and would not fit a key with what stands before it."""


def _possible(text: str) -> str | None:
    """Return the key for what a sender wrote; None: no key can be made of it, so nothing was ever written under it."""
    try:
        return keys.checked(text.strip().lower()) if len(text) <= _LONGEST else None
    except ValueError:
        return None


def _eligible_key(eligibility: Eligibility) -> str:
    return keys.eligible(eligibility.principal, group=eligibility.through_group)


def _version(row: Row) -> int:
    return int(row.values.get("version", 1))


def _role(row: Row) -> RoleSettings | None:
    return None if _REMOVED in row.values else from_row(RoleSettings, row.values)


def _plain(settings: RoleSettings | None) -> Mapping[str, Value] | None:
    return None if settings is None else _values(to_row(settings))


def _values(row: Mapping[str, Value]) -> Mapping[str, Value]:
    return {key: value for key, value in row.items() if key != SCHEMA}


def _record(
    what: str, subject: str, before: Mapping[str, Value] | None, after: Mapping[str, Value] | None, author: Author
) -> str:
    """Return the audit of a change of the register."""
    verb = "removed" if after is None else "added" if before is None else "changed"
    return record(f"{what}.{verb}", subject, before, after, author)
