"""The seed: a tenant written down as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.directory.model import Group, Relation, User

DEFAULT_PERMISSIONS = ("GroupMember.ReadWrite.All", "Mail.Send", "User.Read.All")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant as it is at the beginning.

    ``app_permissions`` are the Graph application permissions that the app's identity was granted;
    ``app_client_id`` is the registration that actionable messages and signed-in callers get tokens for.
    """

    id: str
    domain: str
    app_client_id: str
    app_permissions: tuple[str, ...]
    users: tuple[User, ...]
    groups: tuple[Group, ...]
    relations: tuple[tuple[str, Relation, str], ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read a seed.

        Raises:
            ValueError: a property is missing or unknown, or a membership names nobody.
        """
        try:
            tenant_id, domain, client_id = str(raw["tenantId"]).lower(), str(raw["domain"]), str(raw["appClientId"])
        except KeyError as missing:
            raise ValueError(f"A seed needs {missing}.") from None
        users = tuple(User.from_json(user) for user in raw.get("users", ()))
        groups, relations = [], []
        for entry in raw.get("groups", ()):
            group = Group.from_json({name: value for name, value in entry.items() if name not in tuple(Relation)})
            groups.append(group)
            relations += [(group.id, kind, str(one).lower()) for kind in Relation for one in entry.get(kind, ())]
        known = {thing.id for thing in (*users, *groups)}
        if strangers := sorted({one for _, _, one in relations} - known):
            raise ValueError(f"No user or group has the id {', '.join(strangers)}.")
        return cls(
            id=tenant_id,
            domain=domain,
            app_client_id=client_id,
            app_permissions=tuple(raw.get("appPermissions", DEFAULT_PERMISSIONS)),
            users=users,
            groups=tuple(groups),
            relations=tuple(relations),
        )

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a seed file.

        Raises:
            ValueError: not JSON, or not a tenant.
            OSError: the file cannot be read.
        """
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
