"""The command on a tenant in memory: the people and groups of examples/tenant.json, tables that forget."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from access.adapters.blobs import Blobs
from access.adapters.tables import Tables
from access.errors import TryAgain
from access.model import Account
from access.ports import Bus, Ports, Store
from hourglass.cli import app
from hourglass.roles_file.names import Names
from tests.fakes.clock import ARBITRARY_MORNING
from tests.fakes.tenant import TENANT, FakeTenant

EXAMPLES = Path(__file__).parents[2] / "examples"
NOW = ARBITRARY_MORNING


class FakeDirectory:
    """Finds what examples/tenant.json has, exactly one or none; ``is_down`` makes it unable to answer."""

    def __init__(self) -> None:
        tenant = json.loads((EXAMPLES / "tenant.json").read_text())
        self.users: list[dict[str, Any]] = tenant["users"]
        self.groups: list[dict[str, Any]] = tenant["groups"]
        self.is_down = False

    async def account(self, reference: str) -> Account | None:
        self._answer()
        found = [user for user in self.users if reference in (user["id"], user["userPrincipalName"])]
        if len(found) != 1:
            return None
        return Account(
            id=found[0]["id"], name=found[0]["displayName"], user_principal_name=found[0]["userPrincipalName"]
        )

    async def group(self, reference: str) -> tuple[str, str] | None:
        self._answer()
        found = [group for group in self.groups if reference in (group["id"], group["displayName"])]
        return (found[0]["id"], found[0]["displayName"]) if len(found) == 1 else None

    def id_of(self, name: str) -> str:
        """The object id of the one user or group of this name."""
        named = [
            *((u["userPrincipalName"], u["id"]) for u in self.users),
            *((g["displayName"], g["id"]) for g in self.groups),
        ]
        return str(dict(named)[name])

    def _answer(self) -> None:
        if self.is_down:
            raise TryAgain("the directory (503)", after=timedelta(seconds=7), fault=True)


class FakeOutside:
    """Implements ``Outside`` in memory. ``sent`` is what was put on queues.

    ``meanwhile`` is what happens in pauses, one after the other; ``works`` what happens in each of them.
    """

    def __init__(self, tenant: FakeTenant) -> None:
        self.rows = tenant.tables
        self.timing = tenant.ports.timing
        self.record = tenant.store
        self.bytes = tenant.blobs
        self.queues = tenant.bus
        self.people = FakeDirectory()
        self.sent: list[tuple[str, bytes, str]] = []
        self.meanwhile: list[Callable[[], Awaitable[Any]]] = []
        self.works: Callable[[], Awaitable[Any]] | None = None
        self._clock = tenant.clock
        self._ports = tenant.ports

    @property
    def tenant(self) -> str:
        return TENANT

    def now(self) -> datetime:
        return self._clock.now()

    @asynccontextmanager
    async def tables(self) -> AsyncIterator[Tables]:
        yield self.rows

    @asynccontextmanager
    async def blobs(self) -> AsyncIterator[Blobs]:
        yield self.bytes

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Bus]:
        yield self.queues

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        yield self.record

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[Names]:
        yield self.people

    @asynccontextmanager
    async def ports(self) -> AsyncIterator[Ports]:
        yield self._ports

    def send(self, queue: str, body: bytes, *, message_id: str) -> None:
        self.sent.append((queue, body, message_id))

    def tick(self) -> None:
        """Let a second pass."""
        self._clock.advance(timedelta(seconds=1))

    async def pause(self, seconds: float) -> None:
        self._clock.advance(timedelta(seconds=seconds))
        if self.meanwhile:
            await self.meanwhile.pop(0)()
        if self.works is not None:
            await self.works()


@pytest.fixture
def outside(tenant: FakeTenant) -> FakeOutside:
    return FakeOutside(tenant)


Run = Callable[..., Result]


@pytest.fixture
def run(outside: FakeOutside) -> Run:
    """Runs the command as in a pipe, 80 columns wide."""

    def run_it(*arguments: str, stdin: str | bytes | None = None) -> Result:
        environment = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": None, "LOGNAME": "ada"}
        return CliRunner().invoke(
            app, list(arguments), input=stdin, env=environment, obj=outside, prog_name="hourglass"
        )

    return run_it
