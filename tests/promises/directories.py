"""The sample tenant in two shapes: the fake directory, and Graph's adapter at the local directory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, Self

import httpx
from azure.core.credentials import AccessToken

from access.adapters.clock import SystemClock
from access.adapters.directory import GraphDirectory
from access.adapters.graph import Graph
from access.model import Account
from access.ports import Clock, Directory
from local.directory.model import Relation, User
from local.directory.testing import SAMPLE_TENANT, RunningDirectory
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory


class World(Protocol):
    """A directory with the sample tenant in it, and what happens to it without us."""

    directory: Directory
    clock: Clock

    def members(self, group: str) -> list[str]:
        """Return the truth, without lag."""
        ...

    def change_user(self, user: str, **properties: Any) -> None:
        """Change properties of a user, by Graph's names."""
        ...

    def add_member(self, group: str, member: str) -> None: ...

    def add_crowd(self, group: str, count: int) -> list[str]:
        """Add that many users, all members of the group, and return their ids."""
        ...

    def remove_user(self, user: str) -> None: ...

    def remove_group(self, group: str) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        seed = json.loads(SAMPLE_TENANT.read_text(encoding="utf-8"))
        self._clock = FakeClock()
        self._directory = FakeDirectory(self._clock)
        self.clock: Clock = self._clock
        self.directory: Directory = self._directory
        for user in seed["users"]:
            self._directory.add_account(_account(user))
        for group in seed["groups"]:
            self._directory.add_group(group["id"], group["displayName"], *group["members"])

    def members(self, group: str) -> list[str]:
        return sorted(self._directory.groups[group])

    def change_user(self, user: str, **properties: Any) -> None:
        names = {"mail": "mail", "employeeId": "employee_id", "otherMails": "other_mails", "accountEnabled": "enabled"}
        changed = {names[name]: value for name, value in properties.items()}
        if "employee_id" in changed:
            changed["employee_id"] = changed["employee_id"].strip() or None  # as an account says it: empty is none
        self._directory.add_account(replace(self._directory.accounts[user], **changed))

    def add_member(self, group: str, member: str) -> None:
        self._directory.put_member(group, member)

    def add_crowd(self, group: str, count: int) -> list[str]:
        crowd = _crowd(count)
        for user in crowd:
            self._directory.add_account(Account(id=user, name=user, user_principal_name=f"{user}@contoso.example"))
            self._directory.put_member(group, user)
        return crowd

    def remove_user(self, user: str) -> None:
        self._directory.remove_account(user)

    def remove_group(self, group: str) -> None:
        self._directory.remove_group(group)


class RealWorld:
    def __init__(self, running: RunningDirectory, directory: GraphDirectory) -> None:
        self.clock: Clock = SystemClock()
        self.directory: Directory = directory
        self._admin = running.admin
        self._state = running.state

    def members(self, group: str) -> list[str]:
        return sorted(self._admin.members(group))

    def change_user(self, user: str, **properties: Any) -> None:
        self._admin.patch(f"/users/{user}", {name: _listed(value) for name, value in properties.items()})

    def add_member(self, group: str, member: str) -> None:
        self._admin.add_member(group, member)

    def add_crowd(self, group: str, count: int) -> list[str]:
        crowd = _crowd(count)
        for user in crowd:
            name = f"{user}@contoso.example"
            self._state.put(User.from_json({"id": user, "displayName": user, "userPrincipalName": name}))
            self._state.relate(group, Relation.MEMBERS, user)
        return crowd

    def remove_user(self, user: str) -> None:
        self._admin.delete(f"/users/{user}")

    def remove_group(self, group: str) -> None:
        self._admin.delete(f"/groups/{group}")


def app_token(url: str) -> str:
    """Return a token of the local Entra that says: this is the app."""
    answer = httpx.get(
        f"{url}/msi/token",
        params={"resource": "https://graph.microsoft.com", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": "local"},
        trust_env=False,
    )
    return str(answer.raise_for_status().json()["access_token"])


class Credential:
    """The app's identity, which gives its token as slowly as a test wants it."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.takes = 0.0  # seconds
        self.scopes: list[str] = []
        self.asked = asyncio.Event()

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        self.asked.set()
        await asyncio.sleep(self.takes)
        return AccessToken(self._token, 2**31)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        pass


@asynccontextmanager
async def graph_at(
    url: str, credential: Credential, *, clock: Clock | None = None, call_limit: timedelta = timedelta(seconds=10)
) -> AsyncIterator[Graph]:
    """Graph's client at ``url``; its connections are closed after use, which the app never has to."""
    graph = Graph(url, credential, clock or SystemClock(), call_limit=call_limit)
    try:
        yield graph
    finally:
        # The SDK wraps the transport that holds the connections, and no close of its own reaches it.
        await graph._http._transport.transport.aclose()  # type: ignore[attr-defined] # the SDK's wrapper


def _account(user: dict[str, Any]) -> Account:
    return Account(
        id=user["id"],
        name=user["displayName"],
        user_principal_name=user["userPrincipalName"],
        enabled=user.get("accountEnabled", True),
        employee_id=user.get("employeeId"),
        mail=user["mail"],
        has_mailbox=any(plan["service"] == "exchange" for plan in user["assignedPlans"]),
    )


def _crowd(count: int) -> list[str]:
    return [f"00000000-0000-4000-d000-{number:012d}" for number in range(count)]


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
