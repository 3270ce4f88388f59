"""Names of the file -> object ids, by the directory. Each must be exactly one; what can't be asked now is not guessed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from access.model import Account
from hourglass.roles_file.mistakes import Mistake, Path, quoted
from hourglass.roles_file.placed_yaml import Placed


class Names(Protocol):
    """What is asked of the directory. Both may raise ``TryAgain``."""

    async def account(self, reference: str) -> Account | None:
        """Return the one account that an object id or a user principal name names; None: none, or several."""
        ...

    async def group(self, reference: str) -> tuple[str, str] | None:
        """Return id and name of the one group that an object id or a display name names; None: none, or several."""
        ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """``ids`` has the object id of each name by its path; ``names`` what to show for an id."""

    ids: Mapping[Path, str]
    names: Mapping[str, str]


@dataclass(slots=True)
class _Asked:
    """Answers so far; each name is asked for once, however often the file says it."""

    users: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    groups: dict[str, tuple[str, str] | None] = field(default_factory=dict)


async def resolve(placed: Placed, directory: Names) -> tuple[Resolved, list[Mistake]]:
    """Look up every user and group that the file names; return what was found, and what wasn't or was twice.

    Raises:
        TryAgain: the directory can't answer now.
    """
    asked, ids, names, mistakes = _Asked(), dict[Path, str](), dict[str, str](), list[Mistake]()
    for path, kind, text in _references(placed.value):
        found = await _found(directory, asked, kind, text)
        if found is None:
            how = "an object id or a user principal name" if kind == "user" else "an object id or a display name"
            what = f"{quoted(text)} is not exactly one {kind} of the directory; write {how} that fits one only"
            mistakes.append(Mistake(placed.place(path), path, what))
        else:
            ids[path] = found[0]
            names[found[0]] = found[1]
    mistakes += [Mistake(placed.place(path), path, what) for path, what in _twice(placed.value, ids)]
    return Resolved(ids, names), mistakes


async def _found(directory: Names, asked: _Asked, kind: str, text: str) -> tuple[str, str] | None:
    if kind == "group":
        if text not in asked.groups:
            asked.groups[text] = await directory.group(text)
        return asked.groups[text]
    if text not in asked.users:
        account = await directory.account(text)
        known = None if account is None else (account.id, account.user_principal_name or account.name)
        asked.users[text] = known
    return asked.users[text]


def _references(value: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Yield path, kind and text of every name in the file."""
    for key, role in value["roles"].items():
        yield ("roles", key, "gives", "group"), "group", role["gives"]["group"]
        approvers = role.get("approval", {}).get("approvers", {})
        for kind, listed in (("user", "users"), ("group", "groups")):
            for index, text in enumerate(approvers.get(listed, [])):
                yield ("roles", key, "approval", "approvers", listed, index), kind, text
        for index, eligible in enumerate(role.get("eligible", [])):
            kind = "user" if "user" in eligible else "group"
            yield ("roles", key, "eligible", index, kind), kind, eligible[kind]
    for key, person in value.get("people", {}).items():
        for index, text in enumerate(person["accounts"]):
            yield ("people", key, "accounts", index), "user", text


def _twice(value: Mapping[str, Any], ids: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    """Yield what two names, different or not, turned out to say twice."""
    for key, role in value["roles"].items():
        first: dict[str, int] = {}
        for index, eligible in enumerate(role.get("eligible", [])):
            path: Path = ("roles", key, "eligible", index, "user" if "user" in eligible else "group")
            if path in ids and (other := first.setdefault(ids[path], index)) != index:
                yield path, f"this is the same as eligible[{other}]; keep one entry"
    owners: dict[str, Path] = {}
    for key, person in value.get("people", {}).items():
        for index in range(len(person["accounts"])):
            path = ("people", key, "accounts", index)
            if path in ids and (owner := owners.setdefault(ids[path], path)) != path:
                yield path, f"this account is in people.{owner[1]} already; an account belongs to one person"
