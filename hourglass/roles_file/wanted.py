"""The file as the values that are stored: only object ids, only what the rules know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from access.adapters.register import PersonLinks
from access.model import (
    ApprovalDemand,
    DecideWith,
    Door,
    Eligibility,
    RoleSettings,
    Source,
    Target,
    TicketDemand,
)
from hourglass.roles_file import meaning, names, placed_yaml, shape
from hourglass.roles_file.mistakes import FileWrong, Path
from hourglass.roles_file.names import Names, Resolved

_USUAL_LAPSE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the file asks for: roles by key, eligibilities by role and principal, persons by key; ``names`` to show ids by."""

    roles: Mapping[str, RoleSettings]
    eligibilities: Mapping[tuple[str, str], Eligibility]
    people: Mapping[str, PersonLinks]
    names: Mapping[str, str] = field(default_factory=dict)


async def read(raw: bytes, directory: Names) -> Wanted:
    """Read, check and resolve a roles file.

    Raises:
        FileWrong: something is wrong with it; all of it is said, as far as one mistake doesn't hide another.
        TryAgain: the directory can't answer now.
    """
    placed = placed_yaml.read(raw)
    if mistakes := shape.check(placed):
        raise FileWrong(mistakes)
    mistakes = meaning.check(placed)
    resolved, unresolved = await names.resolve(placed, directory)
    if mistakes or unresolved:
        raise FileWrong([*mistakes, *unresolved])
    roles = {key.lower(): _role(key, role, resolved) for key, role in placed.value["roles"].items()}
    eligible = [
        _eligibility(("roles", key, "eligible", index), entry, resolved)
        for key, role in placed.value["roles"].items()
        for index, entry in enumerate(role.get("eligible", []))
    ]
    people = {key.lower(): _person(key, person, resolved) for key, person in placed.value.get("people", {}).items()}
    return Wanted(
        roles=roles,
        eligibilities={(each.role, each.principal): each for each in eligible},
        people=people,
        names=resolved.names,
    )


def _role(key: str, role: Mapping[str, Any], resolved: Resolved) -> RoleSettings:
    terms, path, ticket = meaning.terms(role), ("roles", key), role.get("ticket")
    return RoleSettings(
        key=key.lower(),
        name=role["name"],
        target=Target(Source.GROUP_MEMBER, resolved.ids[*path, "gives", "group"]),
        maximum_duration=terms.maximum,
        default_duration=terms.default,
        minimum_duration=terms.minimum,
        justification_required=role.get("justification", "required") == "required",
        ticket=None if ticket is None else TicketDemand(system=ticket.get("system"), pattern=ticket.get("pattern")),
        approval=_approval((*path, "approval"), role["approval"], resolved) if "approval" in role else None,
        accepts=frozenset(Door(door) for door in role["accepts"]) if "accepts" in role else frozenset(Door),
        version=0,
    )


def _approval(path: Path, approval: Mapping[str, Any], resolved: Resolved) -> ApprovalDemand:
    def ids(listed: str) -> tuple[str, ...]:
        texts = approval["approvers"].get(listed, [])
        return tuple(sorted({resolved.ids[*path, "approvers", listed, index] for index in range(len(texts))}))

    lapse = approval.get("lapses-after")
    return ApprovalDemand(
        users=ids("users"),
        groups=ids("groups"),
        lapses_after=_USUAL_LAPSE if lapse is None else meaning.duration(lapse),
        decide_with=DecideWith(approval.get("decide-with", "person")),
        justification_required=approval.get("justification", "optional") == "required",
    )


def _eligibility(path: Path, entry: Mapping[str, Any], resolved: Resolved) -> Eligibility:
    kind = "user" if "user" in entry else "group"
    return Eligibility(
        principal=resolved.ids[*path, kind],
        role=str(path[1]).lower(),
        through_group=kind == "group",
        starts_at=meaning.instant(entry["from"]) if "from" in entry else None,
        ends_at=meaning.instant(entry["until"]) if "until" in entry else None,
    )


def _person(key: str, person: Mapping[str, Any], resolved: Resolved) -> PersonLinks:
    accounts = sorted(resolved.ids["people", key, "accounts", index] for index in range(len(person["accounts"])))
    return PersonLinks(tuple(accounts), contact=person.get("contact"), name=person.get("name", key))
