"""What the rules need to know of a request, read from the directory and the register. A failed read is never empty."""

from collections.abc import Awaitable
from datetime import datetime

from access.errors import TryAgain
from access.events import Event
from access.hold import rivals as rivals_of
from access.lifecycle import Work, asks_for, may
from access.model import Eligibility, RoleSettings
from access.policy import Extended, Facts
from access.ports import Controls, Directory, People, Register, Store, Wanted


class TenantLookup:
    """Implements ``ports.Lookup``."""

    def __init__(
        self, directory: Directory, register: Register, people: People, store: Store, controls: Controls
    ) -> None:
        self._directory = directory
        self._register = register
        self._people = people
        self._store = store
        self._controls = controls

    async def facts(self, wanted: Wanted, *, give_up: bool) -> Facts:
        """Return what is known now."""
        unknown: list[str] = []

        async def known[T](what: str, read: Awaitable[T]) -> T | None:
            try:
                return await read
            except TryAgain:
                if not give_up:
                    raise
                unknown.append(what)
                return None

        person = wanted.person
        by_id = {account.id: account for account in person.accounts} if person else {}
        requester = by_id.get(wanted.requester) or await known(
            "the account that asked", self._directory.account(wanted.requester)
        )
        principal = requester if wanted.principal == wanted.requester else by_id.get(wanted.principal)
        if principal is None and wanted.principal != wanted.requester:
            principal = await known(
                "the account that is to receive the role", self._directory.account(wanted.principal)
            )
        if person is None and requester is not None:
            person = await known("which accounts are one person's", self._people.person_of(requester))
        settings = await known("the role's settings", self._register.role(wanted.role))
        stops = await known(
            "whether granting is stopped",
            self._controls.stops(
                settings.key if settings else wanted.role, principal.id if principal else wanted.principal
            ),
        )
        exists, eligibilities, held_until = True, None, None
        if settings is not None:
            exists = bool(await known("what the role gives", self._directory.target_exists(settings.target)))
        if settings is not None and principal is not None:
            eligibilities = await known("the eligibilities", self._eligibilities(settings.key, principal.id))
            held_until = await known("what is held now", self._held_until(settings, principal.id, wanted))
        extended = await known("what is to last longer", self._extended(wanted.extends)) if wanted.extends else None
        return Facts(
            settings=settings,
            requester=requester,
            principal=principal,
            same_person=person is not None and principal is not None and principal.id in person.ids,
            eligibilities=eligibilities or (),
            target_exists=exists,
            held_until=held_until,
            extended=extended,
            stopped=stops or (),
            unknown=tuple(unknown),
        )

    async def _held_until(self, settings: RoleSettings, principal: str, wanted: Wanted) -> datetime | None:
        """Return when the last other activation of the role ends; one that is ending already is in nobody's way."""
        hold = await self._store.hold(principal, settings.target)
        rivals = rivals_of(hold, wanted.activation, role=settings.key, extends=wanted.extends)
        found = [await self._store.activation(rival) for rival in rivals]
        ends = [one.ends_at for one in found if one is not None and asks_for(one.state) in {Work.GIVING, Work.END}]
        return max(filter(None, ends), default=None)

    async def _extended(self, activation: str) -> Extended | None:
        """Return since when and until when an active one is held; what it extends itself counts with it."""
        found = await self._store.activation(activation)
        if found is None or found.ends_at is None or not may(found.state, Event.EXTENDED):
            return None
        starts_at, extends = found.ends_at - found.duration, found.extends
        while extends and (earlier := await self._store.activation(extends)) and earlier.ends_at:
            starts_at, extends = min(starts_at, earlier.ends_at - earlier.duration), earlier.extends
        return Extended(starts_at=starts_at, ends_at=found.ends_at)

    async def _eligibilities(self, role: str, principal: str) -> tuple[Eligibility, ...]:
        direct = await self._register.direct_eligibility(role, principal)
        through = await self._register.group_eligibilities(role)
        groups = [eligibility.principal for eligibility in through]
        member_of = await self._directory.groups_among(principal, groups) if groups else frozenset[str]()
        reached = tuple(eligibility for eligibility in through if eligibility.principal in member_of)
        return (*((direct,) if direct else ()), *reached)
