"""A directory in memory: accounts, groups in groups, members; refuses, lags and fails as told."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from access.errors import AlreadyAssigned, DirectoryRefused, NotAssigned, TryAgain
from access.hold import Presence
from access.model import Account, Target
from tests.fakes.clock import FakeClock


class FakeDirectory:
    """Memberships are true at once for writes; reads are ``lag`` old.

    ``faults`` maps a method to exceptions, raised one a call, before the call takes effect; ``after_faults`` the same,
    after it took effect.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, set[str]] = {}
        self.names: dict[str, str] = {}
        self.lag = timedelta()
        self.faults: dict[str, list[Exception]] = {}
        self.after_faults: dict[str, list[Exception]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self._history: list[tuple[datetime, str, frozenset[str]]] = []

    def add_account(self, account: Account) -> Account:
        self.accounts[account.id] = account
        return account

    def add_group(self, group: str, name: str, *members: str) -> str:
        self.groups[group] = set(members)
        self.names[group] = name
        self._remember(group)
        return group

    def remove_account(self, account: str) -> None:
        """Somebody deletes an account: it is no member of anything any more."""
        del self.accounts[account]
        for group, members in self.groups.items():
            if account in members:
                self.take_member(group, account)

    def remove_group(self, group: str) -> None:
        """Somebody deletes a group."""
        del self.groups[group]
        for members in self.groups.values():
            members.discard(group)

    def put_member(self, group: str, member: str) -> None:
        """Somebody adds a member by hand."""
        self.groups[group].add(member)
        self._remember(group)

    def take_member(self, group: str, member: str) -> None:
        """Somebody removes a member by hand."""
        self.groups[group].discard(member)
        self._remember(group)

    def holds(self, group: str, member: str) -> bool:
        """Return the truth, without lag."""
        return member in self.groups.get(group, set())

    async def account(self, reference: str) -> Account | None:
        self._fault("account")
        key = reference.lower()
        found = [
            account
            for account in self.accounts.values()
            if key in {account.id, account.user_principal_name.lower(), account.mail and account.mail.lower()}
        ]
        return found[0] if len(found) == 1 else None

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        self._fault("linked_accounts")
        return tuple(a for a in self.accounts.values() if a.employee_id == employee_id)

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        self._fault("groups_among")
        return frozenset(group for group in groups if account in self._deep(group))

    async def people_in(self, group: str) -> tuple[str, ...]:
        self._fault("people_in")
        return tuple(sorted(member for member in self._deep(group) if member in self.accounts))

    async def target_exists(self, target: Target) -> bool:
        self._fault("target_exists")
        return target.id in self.groups

    async def group(self, reference: str) -> tuple[str, str] | None:
        found = [(id_, name) for id_, name in self.names.items() if reference in {id_, name} and id_ in self.groups]
        return found[0] if len(found) == 1 else None

    async def presence(self, principal: str, target: Target) -> Presence:
        self._fault("presence")
        self.calls.append(("presence", principal, target.id))
        if target.id not in self.groups:
            return Presence.GONE
        seen = self._seen(target.id)
        return Presence.HELD if principal in seen else Presence.NOT_HELD

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        self._fault("holders")
        self.calls.append(("holders", "", target.id))
        return tuple(sorted(self._seen(target.id))) if target.id in self.groups else None

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        self._fault("assign")
        if self._clock.monotonic() >= deadline:
            raise TryAgain("the directory (deadline)", after=timedelta(seconds=5), fault=True)
        self.calls.append(("assign", principal, target.id))
        if principal not in self.accounts or target.id not in self.groups:
            raise DirectoryRefused("Request_ResourceNotFound")
        if principal in self.groups[target.id]:
            raise AlreadyAssigned
        self.put_member(target.id, principal)
        self._fault("assign", after=True)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        self._fault("remove")
        if self._clock.monotonic() >= deadline:
            raise TryAgain("the directory (deadline)", after=timedelta(seconds=5), fault=True)
        self.calls.append(("remove", principal, target.id))
        if principal not in self.groups.get(target.id, set()):
            raise NotAssigned
        self.take_member(target.id, principal)
        self._fault("remove", after=True)

    def _remember(self, group: str) -> None:
        self._history.append((self._clock.now(), group, frozenset(self.groups[group])))

    def _seen(self, group: str) -> frozenset[str]:
        if not self.lag:
            return frozenset(self.groups[group])
        old = [members for at, name, members in self._history if name == group and at <= self._clock.now() - self.lag]
        return old[-1] if old else frozenset()

    def _deep(self, group: str) -> set[str]:
        found: set[str] = set()
        waiting = [group]
        while waiting:
            for member in self.groups.get(waiting.pop(), set()):
                if member not in found:
                    found.add(member)
                    waiting.append(member)
        return found

    def _fault(self, method: str, *, after: bool = False) -> None:
        waiting = (self.after_faults if after else self.faults).get(method, [])
        if waiting:
            raise waiting.pop(0)
