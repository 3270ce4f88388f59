"""Nothing outside is changed while the ledger is being restored: asked right before each change, so no use case can forget.

Reads pass: what is being restored is to be compared with what is there.
"""

from collections.abc import Sequence

from access.errors import Restoring
from access.hold import Presence
from access.model import Account, Target
from access.ports import Controls, Directory, Mail, Mailer


async def ensure_changes(controls: Controls) -> None:
    """Raise where nothing may be changed now.

    Raises:
        Restoring: a restored ledger waits for a person's word.
        TryAgain: whether it does can't be read.
    """
    if await controls.prove_only() is not None:
        raise Restoring


class GuardedDirectory:
    """Implements ``ports.Directory``: gives and takes only where changes are allowed."""

    def __init__(self, directory: Directory, controls: Controls) -> None:
        self._directory = directory
        self._controls = controls

    async def account(self, reference: str) -> Account | None:
        """Return the one account that a reference names."""
        return await self._directory.account(reference)

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        """Return all accounts with this employee id."""
        return await self._directory.linked_accounts(employee_id)

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        """Return which of ``groups`` the account belongs to."""
        return await self._directory.groups_among(account, groups)

    async def people_in(self, group: str) -> tuple[str, ...]:
        """Return the object ids of the users in a group."""
        return await self._directory.people_in(group)

    async def target_exists(self, target: Target) -> bool:
        """Whether what a role gives is there."""
        return await self._directory.target_exists(target)

    async def presence(self, principal: str, target: Target) -> Presence:
        """Read whether the principal holds the target."""
        return await self._directory.presence(principal, target)

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        """Return everybody who holds the target itself."""
        return await self._directory.holders(target)

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        """Give the target, unless changes are withheld."""
        await ensure_changes(self._controls)
        await self._directory.assign(principal, target, deadline=deadline)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        """Take the target back, unless changes are withheld."""
        await ensure_changes(self._controls)
        await self._directory.remove(principal, target, deadline=deadline)


class GuardedMailer:
    """Implements ``ports.Mailer``: a restored ledger would tell the past again."""

    def __init__(self, mailer: Mailer, controls: Controls) -> None:
        self._mailer = mailer
        self._controls = controls

    async def send(self, mail: Mail, *, deadline: float) -> None:
        """Send one mail, unless changes are withheld."""
        await ensure_changes(self._controls)
        await self._mailer.send(mail, deadline=deadline)
