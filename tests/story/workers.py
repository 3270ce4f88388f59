"""Workers of their own, for stories of what happens at once: slow ones, frozen ones, and calls that land late."""

import asyncio
import copy
import itertools
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.adapters.ledger import Ledger
from access.errors import TryAgain
from access.hold import Hold
from access.model import Target
from tests.fakes.bus import FakeMessage
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tenant import TIMING, FakeTenant

TIMED_OUT = TryAgain("the directory (no answer)", after=timedelta(seconds=5), fault=True)
BEHIND = pytest.mark.parametrize("behind", [-3, -1, 0, 1, 3])
"""By how many calls the second worker is behind the first one, or ahead of it."""


def worker(tenant: FakeTenant) -> FakeTenant:
    """Return the same tenant as another process sees it: nothing that one worker remembers helps the other."""
    other, numbers = copy.copy(tenant), itertools.count(1 << 16)
    other.store = Ledger(tenant.tables, tenant.bus, TIMING, nonce=lambda: f"{next(numbers):08x}")
    other.ports = replace(tenant.ports, store=other.store)
    return other


async def at_once(first: Coroutine[Any, Any, object], second: Coroutine[Any, Any, object], *, behind: int) -> None:
    """Let two workers go on in one instant, call by call."""

    async def begin(step: Coroutine[Any, Any, object], after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        await step

    await asyncio.gather(begin(first, max(-behind, 0)), begin(second, max(behind, 0)))


def taken(tenant: FakeTenant, message: FakeMessage) -> FakeMessage:
    """Take a message off its queue, to be delivered by hand."""
    tenant.bus.messages.remove(message)
    return message


class FrozenLedger(Ledger):
    """The record of a worker that freezes when it is about to read a hold, until the test lets it go on."""

    def __init__(self, tenant: FakeTenant) -> None:
        super().__init__(tenant.tables, tenant.bus, TIMING, nonce=lambda: "ffffffff")
        self.is_there = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def hold(self, principal: str, target: Target) -> Hold:
        self.is_there.set()
        await self.goes_on.wait()
        return await super().hold(principal, target)


class LateDirectory(FakeDirectory):
    """Calls that time out land when the test says so."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.loses = ""
        self.under_way: list[tuple[str, str, str]] = []

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        self._lose("assign", principal, target)
        await super().assign(principal, target, deadline=deadline)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        self._lose("remove", principal, target)
        await super().remove(principal, target, deadline=deadline)

    def _lose(self, call: str, principal: str, target: Target) -> None:
        if self.loses == call:
            self.loses = ""
            self.under_way.append((call, target.id, principal))
            raise TIMED_OUT

    def land(self) -> None:
        """Let what is under way take effect."""
        for call, group, principal in self.under_way:
            act = self.put_member if call == "assign" else self.take_member
            act(group, principal)
        self.under_way.clear()
