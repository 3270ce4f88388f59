"""The second act: what ends before its time. Given back, revoked by ops, and what was done behind our back."""

from access.model import State
from local.demo.teller import CY, DEE, Teller, request_body

ROLE = "helpdesk-tier-2"
INCIDENT = "Incident 4711: stop and clean up"


class EarlyEnds(Teller):
    """Cy activates a role that needs no approval, and never keeps it to its end."""

    async def given_back(self) -> None:
        """Activate, extend in place, give back."""
        self._timeline.chapter("Longer, then given back early")
        step = self._timeline.step
        activation = await self._activate("early")
        before = await self._world.activation(activation)
        await self._send("extend", self._about(activation, "extend", duration="PT5M"))
        await step(
            "Cy asks for five more minutes: told the new end", lambda: self._told(CY, "stays", activation), within=15
        )
        after = await self._world.activation(activation)
        moved = bool(before and after and before.ends_at and after.ends_at and after.ends_at > before.ends_at)
        self._timeline.fact("The same activation, with a later end", true=moved)
        await self._send("deactivate", self._about(activation, "deactivate"))
        await step("Cy gives it back, and it is proven gone", lambda: self._is_gone(activation), within=30)

    async def kill_switch(self) -> None:
        """Stop granting, end everything, start again; by name and with a reason."""
        self._timeline.chapter("The kill switch")
        step, fact, say = self._timeline.step, self._timeline.fact, self._timeline.say
        activation = await self._activate("running")
        code, said = await self._command("stop", "granting", "--direct", "--yes", "--reason", INCIDENT)
        fact(f"hourglass stop granting --reason {INCIDENT!r}", true=code == 0)
        refused = await self._send("stopped", self._request("stopped"))
        named = lambda: self._refused_with(refused, "HG-GRANTING-STOPPED", INCIDENT)  # noqa: E731 - read where it is used
        await step("Who asks now is refused, and reads that reason", named, within=15)
        fact("What runs goes on", true=await self._is(activation, State.ACTIVE))
        code, said = await self._command("revoke", "--all", "--direct", "--yes", "--reason", INCIDENT)
        gone = code == 0 and await self._is_gone(activation)
        fact("hourglass revoke --all: returns when everything is proven gone", true=gone)
        for line in said.splitlines()[-3:]:
            say(line.strip())
        await step("Cy is told who ended it, and why", lambda: self._told(CY, "was revoked", activation), within=15)
        code, _ = await self._command("start", "granting", "--direct", "--yes", "--reason", "Incident closed")
        fact("hourglass start granting, by name again", true=code == 0)

    async def behind_our_back(self) -> None:
        """Somebody adds a member by hand: it is reported, and left alone."""
        self._timeline.chapter("Added by hand, behind our back")
        dee, group = self._ids["dee"], self._ids["helpdesk"]
        await self._world.add_member(group, dee)
        code, said = await self._command("reconcile")
        self._timeline.fact(
            "hourglass reconcile reports a member that no record explains", true=code == 1 and DEE in said
        )
        self._timeline.fact(
            "It is still there: we take only what we gave", true=dee in await self._world.members(group)
        )

    async def _activate(self, name: str) -> str:
        activation = await self._send(name, self._request(name))
        active = lambda: self._is(activation, State.ACTIVE)  # noqa: E731 - read where it is used
        await self._timeline.step("Cy activates Helpdesk Tier 2, with a ticket: given at once", active, within=15)
        return activation

    def _request(self, name: str) -> bytes:
        return request_body(
            self._run,
            name,
            requester=CY,
            principal=CY,
            role=ROLE,
            duration="PT10M",
            ticket={"system": "ServiceNow", "number": "INC0012345"},
        )

    def _about(self, activation: str, action: str, **fields: object) -> bytes:
        body = {"action": action, "activation": activation, "requester": CY, "principal": CY}
        ticket = {"system": "ServiceNow", "number": "INC0012345"}
        return request_body(self._run, action, **body, role=ROLE, ticket=ticket, **{"duration": None, **fields})

    async def _is_gone(self, activation: str) -> bool:
        held = self._ids["cy"] in await self._world.members(self._ids["helpdesk"])
        return not held and await self._is(activation, State.ENDED)

    async def _refused_with(self, activation: str, *words: str) -> bool:
        mail = await self._mail(CY, "can't be activated", about=activation)
        return mail is not None and all(word in mail["html"] for word in words)
