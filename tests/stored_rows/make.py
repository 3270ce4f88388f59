"""Writes the tables of a tenant with a life in every state, by the code of the version that PYTHONPATH names.

For the rows of an earlier version, from the top of the project:

    mkdir ../earlier; git archive e2e83c5 | tar -x -C ../earlier
    PYTHONPATH=../earlier .venv/bin/python tests/stored_rows/make.py > tests/stored_rows/version_1.json

It asks of that version only what its own stories did: a tenant in memory, requests, cards, faults of directory and bus. Each
life has a role and a group of its own, named for where it stands at the end. What was on its way in the queues is kept too.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from access.adapters.quarantine import TableQuarantine
from access.adapters.register import PersonLinks
from access.errors import DirectoryRefused, TryAgain
from access.hold import Presence
from access.model import ApprovalDemand, Eligibility, Source, Target
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT, APPROVERS, BO, OWNER, FakeTenant
from tests.story.acts import press

ONLY_ADA = "99999999-0000-0000-0000-000000000009"
BY_APPROVERS = ApprovalDemand(groups=(APPROVERS,), lapses_after=timedelta(hours=5))
TOPIC = "activation-events"
FAULT = TryAgain("the directory (504)", after=timedelta(seconds=20), fault=True)


class Stubborn(FakeDirectory):
    """Fails for one group and not for another: ``does`` says by group what its calls meet."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.does: dict[str, str] = {}

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        does = self.does.get(target.id)
        if does == "refuse":
            raise DirectoryRefused("Authorization_RequestDenied")
        if does != "fail the ask":
            await super().assign(principal, target, deadline=deadline)
        if does in {"fail the ask", "lose the answer of the ask"}:
            raise FAULT

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        does = self.does.get(target.id)
        if does == "lose the answer of the removal":
            self.take_member(target.id, principal)
        if does in {"fail the removal", "lose the answer of the removal"}:
            raise FAULT
        await super().remove(principal, target, deadline=deadline)

    async def presence(self, principal: str, target: Target) -> Presence:
        does = self.does.get(target.id)
        if does == "fail the read":
            raise FAULT
        shown = {"show it still": Presence.HELD, "don't show it yet": Presence.NOT_HELD}
        return shown[does] if does in shown else await super().presence(principal, target)


class Maker:
    """A tenant, and the lives in it."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.directory = Stubborn(clock)
        self.tenant = FakeTenant(clock=clock, directory=self.directory)
        self.blobs: dict[str, bytes] = {}
        self.directory.add_group(ONLY_ADA, "Ada herself", ADA_EXT.id)

    async def role(self, life: str, *, group: str = "", approval: ApprovalDemand | None = None, does: str = "") -> str:
        """Make a role, and its group where none is named; return the group."""
        if not group:
            group = f"99999999-0000-0000-0001-{len(self.directory.groups):012d}"
            self.directory.add_group(group, life)
        role = replace(
            self.tenant.role,
            key=life,
            name=life,
            target=Target(Source.GROUP_MEMBER, group),
            approval=approval,
            version=0,
        )
        await self.tenant.register.put_role(role, OWNER)
        await self.tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role=life), OWNER)
        if does:
            self.directory.does[group] = does
        return group

    async def ask(self, life: str, duration: str, **more: object) -> None:
        """Ask for the role, and let everything happen that follows from it."""
        self._put(life, duration, **more)
        await self.tenant.run()

    async def ask_while_the_bus_is_down(self, life: str, duration: str) -> None:
        """Have the request recorded, and nothing leave."""
        message = self._put(life, duration)
        self.tenant.bus.messages.remove(message)
        self.tenant.bus.down = True
        await self.tenant.deliver(message)
        self.tenant.bus.down = False

    async def decide(self, life: str, choice: str, *, bus_is_down: bool = False) -> None:
        """Have Bo press the newest card."""
        self.tenant.bus.down = bus_is_down
        await press(self.tenant, BO.id, self.tenant.card_of(BO), choice, request=f"press-{life}")
        self.tenant.bus.down = False

    def _put(self, life: str, duration: str, **more: object) -> Any:
        return self.tenant.ask(message_id=f"m-{life}", requestId=life, role=life, duration=duration, **more)

    async def make(self) -> None:
        links = PersonLinks((ADA.id, ADA_ADMIN.id, ADA_EXT.id), contact="ada@contoso.example", name="Ada")
        await self.tenant.register.put_person("ada", links, OWNER)
        await self._at_nine()
        await self.tenant.run_for(timedelta(hours=2))
        await self._at_eleven()
        await self.tenant.run_for(timedelta(minutes=10))
        await self._at_ten_past()
        self.tenant.clock.advance(timedelta(seconds=5))

    async def _at_nine(self) -> None:
        """What is over by now, but for those who still hold."""
        await self.role("refused")
        await self.ask("refused", "PT99H")
        await self.role("denied", approval=BY_APPROVERS)
        await self.ask("denied", "PT1H")
        await self.decide("denied", "deny")
        await self.role("lapsed", approval=replace(BY_APPROVERS, lapses_after=timedelta(minutes=30)))
        await self.ask("lapsed", "PT1H")
        await self.role("withdrawn", approval=ApprovalDemand(groups=(ONLY_ADA,)))
        await self.ask("withdrawn", "PT1H")
        await self.role("failed", does="refuse")
        await self.ask("failed", "PT1H")
        await self.role("ended")
        await self.ask("ended", "PT1H")
        shared = await self.role("shared-and-ended")
        await self.role("shared-and-active", group=shared)
        await self.ask("shared-and-ended", "PT30M")
        await self.ask("shared-and-active", "PT4H")
        group = await self.role("held-before")
        self.directory.put_member(group, ADA_ADMIN.id)
        await self.ask("held-before", "PT4H")

    async def _at_eleven(self) -> None:
        """What waits, and what ends while the directory fails."""
        await self.role("active", approval=BY_APPROVERS)
        await self.ask("active", "PT2H", ticket={"system": "ServiceNow", "number": "INC0012345"})
        await self.decide("active", "approve")
        await self.role("scheduled")
        await self.ask("scheduled", "PT1H", start="2026-03-02T12:00:00Z")
        await self.role("approved-for-later", approval=BY_APPROVERS)
        await self.ask("approved-for-later", "PT1H", start="2026-03-02T13:00:00Z")
        await self.decide("approved-for-later", "approve")
        await self.role("removal-not-landed", does="fail the removal")
        await self.ask("removal-not-landed", "PT5M")
        await self.role("removal-landed", does="lose the answer of the removal")
        await self.ask("removal-landed", "PT5M")
        group = await self.role("removal-not-proven")
        await self.ask("removal-not-proven", "PT9M")
        self.directory.does[group] = "show it still"

    async def _at_ten_past(self) -> None:
        """What is under way."""
        await self.role("ask-not-landed", does="fail the ask")
        await self.ask("ask-not-landed", "PT1H")
        await self.role("ask-landed", does="lose the answer of the ask")
        await self.ask("ask-landed", "PT1H")
        await self.role("claimed", does="fail the read")
        await self.ask("claimed", "PT1H")
        await self.role("not-confirmed", does="don't show it yet")
        await self.ask("not-confirmed", "PT1H")
        await self.role("decided-with-effects-left", approval=BY_APPROVERS)
        await self.ask("decided-with-effects-left", "PT1H")
        await self.decide("decided-with-effects-left", "approve", bus_is_down=True)
        await self.role("pending", approval=BY_APPROVERS)
        await self.ask("pending", "PT1H")
        await self.role("accepted-with-effects-left")
        await self.ask_while_the_bus_is_down("accepted-with-effects-left", "PT1H")
        await self.ask("ended", "PT1H", action="validate")
        await self.tenant.register.remove_role("refused", OWNER)
        await self._set_aside()
        await self._die_at("ask-landed")

    async def _die_at(self, life: str) -> None:
        """Take the lease of a life, and never give it back."""
        (found,) = [each for each in await self.tenant.activations() if each.role == life]
        self.driving = self.tenant.store.drive(found, now=self.tenant.clock.now())
        await self.driving.__aenter__()

    async def _set_aside(self) -> None:
        """Version 1's tenant kept this in memory alone, so its real adapter writes to the same tables."""
        quarantine = TableQuarantine(self.tenant.tables, _Container(self.blobs))  # type: ignore[arg-type] # version 1's
        await quarantine.set_aside(
            queue="activation-requests",
            identity="m-broken",
            code="HG-BODY-NOT-JSON",
            what="the body is not JSON",
            body=b'{"requester": "ada@contoso.example"',
            properties={"flow": "Ask for access", "a": "b=c"},
            now=self.tenant.clock.now(),
        )

    def said(self) -> dict[str, Any]:
        """Return everything that is there, as plain values."""
        tables: dict[str, dict[str, dict[str, Any]]] = {}
        for (table, partition), rows in sorted(self.tenant.tables.rows.items()):
            if rows:
                kept = {key: dict(row.values) for key, row in sorted(rows.items())}
                tables.setdefault(table, {})[partition] = kept
        return {
            "now": self.tenant.clock.now().isoformat(),
            "groups": {
                group: {"name": self.directory.names[group], "members": sorted(members)}
                for group, members in self.directory.groups.items()
            },
            "blobs": {name: base64.b64encode(content).decode() for name, content in self.blobs.items()},
            "messages": [_message(message) for message in self.tenant.bus.messages if message.queue != TOPIC],
            "tables": tables,
        }


class _Container:
    """A container as version 1 used the SDK's."""

    def __init__(self, blobs: dict[str, bytes], name: str = "") -> None:
        self._blobs, self._name = blobs, name

    def get_blob_client(self, name: str) -> "_Container":
        return _Container(self._blobs, name)

    async def upload_blob(self, body: bytes, *, overwrite: bool) -> None:
        assert overwrite
        self._blobs[self._name] = body


def _message(message: Any) -> dict[str, Any]:
    return {
        "queue": message.queue,
        "body": message.body.decode(),
        "message_id": message.message_id,
        "correlation_id": message.correlation_id,
        "properties": dict(message.application_properties),
        "at": message.at.isoformat(),
    }


def main(_arguments: Sequence[str]) -> None:
    """Write the JSON to the standard output."""
    maker = Maker()
    asyncio.run(maker.make())
    json.dump(maker.said(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
