"""What a directory holds: users and groups, in Microsoft Graph's own property names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

type Properties = dict[str, Any]
type Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)


class Relation(StrEnum):
    """How an object stands to a group."""

    MEMBERS = "members"
    OWNERS = "owners"


@dataclass(frozen=True, slots=True)
class DirectoryObject:
    """Something with an object id; every property that Graph would show is present."""

    properties: Properties

    kind: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]]
    shown_unasked: ClassVar[tuple[str, ...]]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read an object, with the directory's defaults for what is not said.

        Raises:
            ValueError: no ``id``, no ``displayName``, or a property that this kind of object does not have.
        """
        if missing := {"id", "displayName"} - raw.keys():
            raise ValueError(f"A {cls.kind} needs {', '.join(sorted(missing))}.")
        if unknown := raw.keys() - {"id", "displayName"} - cls.defaults.keys():
            raise ValueError(f"A {cls.kind} has no property {', '.join(sorted(unknown))}.")
        return cls({**cls.defaults, **raw, "id": str(raw["id"]).lower()})

    @property
    def id(self) -> str:
        """The object id, a GUID in lower case."""
        return str(self.properties["id"])

    @property
    def display_name(self) -> str:
        """The name that people see."""
        return str(self.properties["displayName"])

    @property
    def odata_type(self) -> str:
        """The name of this kind of object in an answer."""
        return f"#microsoft.graph.{self.kind}"


@dataclass(frozen=True, slots=True)
class User(DirectoryObject):
    """An account."""

    kind: ClassVar[str] = "user"
    defaults: ClassVar[Mapping[str, Any]] = {
        "userPrincipalName": "",
        "mail": None,
        "otherMails": [],
        "proxyAddresses": [],
        "employeeId": None,
        "accountEnabled": True,
        "userType": "Member",
        "assignedPlans": [],
        "givenName": None,
        "surname": None,
        "jobTitle": None,
        "businessPhones": [],
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
    }
    shown_unasked: ClassVar[tuple[str, ...]] = (
        "businessPhones",
        "displayName",
        "givenName",
        "jobTitle",
        "mail",
        "mobilePhone",
        "officeLocation",
        "preferredLanguage",
        "surname",
        "userPrincipalName",
        "id",
    )

    @property
    def user_principal_name(self) -> str:
        """The name the account signs in with."""
        return str(self.properties["userPrincipalName"])

    @property
    def has_mailbox(self) -> bool:
        """Whether an Exchange plan is enabled: ``mail`` alone does not prove a mailbox."""
        return any(
            str(plan.get("service", "")).lower() == "exchange" and plan.get("capabilityStatus") == "Enabled"
            for plan in self.properties["assignedPlans"]
        )

    @property
    def addresses(self) -> frozenset[str]:
        """Every address at which this account's mailbox receives, in lower case."""
        proxies = (str(address).partition(":") for address in self.properties["proxyAddresses"])
        known = {address for scheme, _, address in proxies if scheme.lower() == "smtp"}
        known.add(self.properties["mail"] or "")
        return frozenset(address.lower() for address in known if address)


@dataclass(frozen=True, slots=True)
class Group(DirectoryObject):
    """A group of users and of other groups."""

    kind: ClassVar[str] = "group"
    defaults: ClassVar[Mapping[str, Any]] = {
        "description": None,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mail": None,
        "mailEnabled": False,
        "mailNickname": None,
        "membershipRule": None,
        "onPremisesSyncEnabled": None,
        "proxyAddresses": [],
        "securityEnabled": True,
        "visibility": None,
    }
    shown_unasked: ClassVar[tuple[str, ...]] = ("id", "displayName", *defaults)

    @property
    def is_dynamic(self) -> bool:
        """Whether a rule, not people, decides who is a member."""
        return "DynamicMembership" in self.properties["groupTypes"]

    @property
    def is_synced(self) -> bool:
        """Whether the group is mastered on premises."""
        return self.properties["onPremisesSyncEnabled"] is True

    @property
    def is_role_assignable(self) -> bool:
        """Whether the group may hold directory roles, so that only few may change it."""
        return self.properties["isAssignableToRole"] is True
