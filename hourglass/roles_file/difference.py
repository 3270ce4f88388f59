"""What applying a file would change: added, changed, removed; and carrying that out.

What takes away is done first, and what makes somebody eligible last: an apply that is cut off in between leaves less
access than the file asks for, never more, and the next one goes on from there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from access.adapters.changes import Author
from access.adapters.register import PersonLinks, TableRegister
from access.model import ApprovalDemand, Eligibility, RoleSettings
from hourglass.roles_file.wanted import Wanted
from hourglass.saying import instant, iso_duration

_MARKS = {"added": "+", "changed": "~", "removed": "-"}


@dataclass(frozen=True, slots=True)
class Sides[T]:
    """What is stored and what the file asks for; None: nothing. Never the same."""

    before: T | None
    after: T | None

    @property
    def verb(self) -> str:
        """Whether it is ``added``, ``changed`` or ``removed``."""
        return "removed" if self.after is None else "added" if self.before is None else "changed"


@dataclass(frozen=True, slots=True)
class RoleDifference(Sides[RoleSettings]):
    """A role that is to change."""

    key: str


@dataclass(frozen=True, slots=True)
class EligibilityDifference(Sides[Eligibility]):
    """An eligibility that is to change."""

    role: str
    principal: str


@dataclass(frozen=True, slots=True)
class PersonDifference(Sides[PersonLinks]):
    """A person that is to change."""

    key: str


Difference = RoleDifference | EligibilityDifference | PersonDifference
_UNFINISHED = PersonLinks((), name="(half written)")


async def compare(wanted: Wanted, register: TableRegister) -> tuple[Difference, ...]:
    """Return what is to be done, in the order in which it is to be done; empty: nothing."""
    roles = list(_roles(wanted.roles, await register.roles()))
    eligibilities = list(_eligibilities(wanted.eligibilities, await register.eligibilities()))
    people = list(_people(wanted.people, await register.people()))
    changes: tuple[Difference, ...] = (*roles, *eligibilities, *people)
    order = {RoleDifference: 1, EligibilityDifference: 2, PersonDifference: 0}
    removals = sorted((c for c in changes if c.after is None), key=lambda c: -order[type(c)])
    return (*removals, *sorted((c for c in changes if c.after is not None), key=lambda c: order[type(c)]))


def _roles(wanted: Mapping[str, RoleSettings], stored: Mapping[str, RoleSettings]) -> Iterator[RoleDifference]:
    for key in sorted({*wanted, *stored}):
        before, after = stored.get(key), wanted.get(key)
        after = replace(after, version=before.version) if before and after else after
        if before != after:
            yield RoleDifference(before, after, key)


def _eligibilities(
    wanted: Mapping[tuple[str, str], Eligibility], stored: Mapping[tuple[str, str], Eligibility]
) -> Iterator[EligibilityDifference]:
    for role, principal in sorted({*wanted, *stored}):
        before, after = stored.get((role, principal)), wanted.get((role, principal))
        if before != after:
            yield EligibilityDifference(before, after, role, principal)


def _people(wanted: Mapping[str, PersonLinks], stored: Mapping[str, PersonLinks | None]) -> Iterator[PersonDifference]:
    known = {key: links or _UNFINISHED for key, links in stored.items()}
    for key in sorted({*wanted, *known}):
        before, after = known.get(key), wanted.get(key)
        if before != after:
            yield PersonDifference(before, after, key)


async def carry_out(difference: Difference, register: TableRegister, author: Author) -> None:
    """Make one change.

    Raises:
        Conflict: somebody else changed the same role meanwhile.
    """
    if isinstance(difference, RoleDifference):
        if difference.after is None:
            await register.remove_role(difference.key, author)
        else:
            await register.put_role(difference.after, author)
    elif isinstance(difference, EligibilityDifference):
        if difference.after is not None:
            await register.put_eligibility(difference.after, author)
        elif difference.before is not None:
            await register.remove_eligibility(difference.before, author)
    elif difference.after is None:
        await register.remove_person(difference.key, author)
    else:
        await register.put_person(difference.key, difference.after, author)


def said(difference: Difference, names: Mapping[str, str]) -> list[str]:
    """Return a difference as lines for a person, in the file's own words; the first one is the heading."""
    before, after = _lines(difference.before, names), _lines(difference.after, names)
    heading = f"{_MARKS[difference.verb]} {_title(difference, names)}"
    if difference.after is None:
        return [heading]
    if difference.before is None:
        return [heading, *(f"    {name}: {value}" for name, value in after.items() if value)]
    changed = [name for name in after if before[name] != after[name]]
    return [heading, *(f"    {name}: {before[name] or 'nothing'} -> {after[name] or 'nothing'}" for name in changed)]


def _title(difference: Difference, names: Mapping[str, str]) -> str:
    if isinstance(difference, RoleDifference):
        return f"role {difference.key}"
    if isinstance(difference, PersonDifference):
        return f"person {difference.key}"
    either = difference.after or difference.before
    kind = "group" if either and either.through_group else "user"
    return f"eligibility {difference.role}: {kind} {names.get(difference.principal, difference.principal)}"


def ids_of(differences: tuple[Difference, ...]) -> tuple[set[str], set[str]]:
    """Return the object ids of users and of groups that ``said`` would show names for."""
    users, groups = set[str](), set[str]()
    for difference in differences:
        for side in (difference.before, difference.after):
            match side:
                case RoleSettings():
                    groups |= {side.target.id, *(side.approval.groups if side.approval else ())}
                    users |= set(side.approval.users if side.approval else ())
                case Eligibility():
                    (groups if side.through_group else users).add(side.principal)
                case PersonLinks():
                    users |= set(side.accounts)
                case None:
                    pass
    return users, groups


def _lines(side: RoleSettings | Eligibility | PersonLinks | None, names: Mapping[str, str]) -> dict[str, str]:
    match side:
        case RoleSettings():
            return _role_lines(side, names)
        case Eligibility():
            return {"from": _utc(side.starts_at), "until": _utc(side.ends_at)}
        case PersonLinks():
            accounts = ", ".join(names.get(account, account) for account in side.accounts)
            return {"name": side.name, "accounts": accounts, "contact": side.contact or ""}
        case None:
            return {}


def _role_lines(settings: RoleSettings, names: Mapping[str, str]) -> dict[str, str]:
    ticket = settings.ticket
    asked = " ".join(part for part in (ticket.system, ticket.pattern) if part) or "any" if ticket else ""
    return {
        "name": settings.name,
        "gives": f"group {names.get(settings.target.id, settings.target.id)}",
        "maximum": iso_duration(settings.maximum_duration),
        "default": iso_duration(settings.default_duration),
        "minimum": iso_duration(settings.minimum_duration),
        "justification": "required" if settings.justification_required else "optional",
        "ticket": asked,
        **_approval_lines(settings.approval, names),
        "accepts": ", ".join(sorted(settings.accepts)),
    }


def _approval_lines(approval: ApprovalDemand | None, names: Mapping[str, str]) -> dict[str, str]:
    if approval is None:
        return {f"approval.{name}": "" for name in ("approvers", "lapses-after", "decide-with", "justification")}
    return {
        "approval.approvers": ", ".join(names.get(each, each) for each in (*approval.users, *approval.groups)),
        "approval.lapses-after": iso_duration(approval.lapses_after),
        "approval.decide-with": str(approval.decide_with),
        "approval.justification": "required" if approval.justification_required else "optional",
    }


def _utc(at: datetime | None) -> str:
    return f"{instant(at)} UTC" if at else ""
