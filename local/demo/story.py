"""The story: Ada needs a role, Bo approves, it ends and is proven gone; then what must not work, and doesn't."""

import itertools
import json
from datetime import datetime
from http import HTTPStatus

from access.lifecycle import is_final
from access.model import State
from local.demo.teller import ADA, BO, CY, HELD_FOR, Teller, request_body

LAB = "lab@contoso.example"
CONTRACTOR = "ada.ext@contoso.example"
LAB_ID = "00000000-0000-4000-a000-000000000109"
_EXCHANGE = {
    "service": "exchange",
    "capabilityStatus": "Enabled",
    "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
}


class Story(Teller):
    """Plays the main job."""

    async def main_job(self) -> str:
        """Ask, decide, give, end, prove."""
        say, step, world = self._timeline.say, self._timeline.step, self._world
        self._timeline.chapter("The main job")
        body = request_body(self._run, "first")
        activation = await self._send("first", body)
        self._timeline.fact("Ada's flow put a request on the queue, for her admin account", true=True)
        say(f"{len(body)} bytes of JSON on activation-requests; it becomes activation {activation}")
        await step(
            "It is decided: an approval is needed", lambda: self._is(activation, State.PENDING_APPROVAL), within=15
        )

        async def both_asked() -> bool:
            return all([await self._mail(who, "wants to activate", about=activation) for who in (BO, CY)])

        await step("Both approvers, Bo and Cy, have the mail with its card", both_asked, within=15)
        spared = not await self._told(CONTRACTOR, "wants to activate", activation)
        self._timeline.fact("Ada's contractor account, an approver too, is not asked: it is hers", true=spared)
        mail = await self._mail(BO, "wants to activate", about=activation)
        pressed = await world.press(BO, mail["id"], "Approve", "Go ahead") if mail else {}
        self._timeline.fact(
            f"Bo presses Approve on the card: {pressed.get('cardActionStatus')!r}",
            true=pressed.get("status") == HTTPStatus.OK,
        )
        say("Entra's token said who pressed; the card's own token said for whom it was made")

        async def is_member() -> bool:
            return self._ids["ada.admin"] in await world.members(self._ids["target"])

        await step(
            "Ada's admin account is a member of Backup Operators (read from the directory)", is_member, within=15
        )
        await step("Ada is told, and until when", lambda: self._told(ADA, "is active until", activation), within=15)

        async def is_gone() -> bool:
            return not await is_member()

        await step(f"After {HELD_FOR} it ends: she is no longer a member", is_gone, within=45)
        await step("Its end is proven by a read of the directory", lambda: self._is(activation, State.ENDED), within=30)
        await step("Ada is told that it has ended", lambda: self._told(ADA, "has ended", activation), within=15)
        await self._audit(activation)
        return activation

    async def _audit(self, activation: str) -> None:
        self._timeline.chapter("The audit of it all")
        events = await self._world.events(activation)
        for event in events:
            at = datetime.fromisoformat(str(event["at"]))
            self._timeline.say(
                f"{at:%H:%M:%S}  {event['event']:<26} -> {event['state']:<17} {self._name(str(event['by']))}"
            )
        chained = all(later["previous"] == earlier["hash"] for earlier, later in itertools.pairwise(events))
        self._timeline.fact(f"{len(events)} events, each chained to the one before", true=chained and len(events) >= 6)  # noqa: PLR2004 - the six of the story
        proof = next((event for event in events if event["event"] == "removal.proven"), None)
        details = json.loads(str(proof["details"])) if proof else {}
        lag = details.get("lag_seconds", -1.0)
        self._timeline.fact("The removal is proven gone", true=details.get("outcome") == "proven_gone")
        self.figures["Revocation lag (proven gone minus due)"] = f"{lag:.0f} s"
        window = self._world.settings.timing.proof_window.total_seconds()
        self.figures["Proof window"] = f"{window:.0f} s here; 2 minutes where the directory is real (PROOF_WINDOW)"

    def _name(self, account: str) -> str:
        return next((name for name, known in self._ids.items() if known == account), account)

    async def law_six(self) -> None:
        """An approver turns out to be the person who asked."""
        self._timeline.chapter("Nobody decides for themselves")
        world, step = self._world, self._timeline.step
        lab = {"displayName": "Lab", "userPrincipalName": LAB, "mail": LAB, "assignedPlans": [_EXCHANGE]}
        await world.add_user(LAB_ID, {"id": LAB_ID, **lab})
        await world.add_member(self._ids["approvers"], LAB_ID)
        self._timeline.say("A lab account becomes an approver; nobody has said whose it is")
        activation = await self._send("self", request_body(self._run, "self"))
        asked = lambda: self._told(LAB, "wants to activate", activation)  # noqa: E731 - read where it is used
        await step("It gets the mail and its card when Ada asks again", asked, within=20)
        await world.change_user(LAB_ID, {"employeeId": "E1001"})
        self._timeline.say("HR gives it Ada's employee id: it is another account of hers")
        mail = await self._mail(LAB, "wants to activate", about=activation)
        pressed = await world.press(LAB, mail["id"], "Approve") if mail else {}
        refused = pressed.get("status") == HTTPStatus.FORBIDDEN and "HG-DECISION-SELF" in str(
            pressed.get("cardActionStatus")
        )
        self._timeline.fact(f"Its Approve is refused: {pressed.get('cardActionStatus')!r}", true=refused)
        mail = await self._mail(CY, "wants to activate", about=activation)
        pressed = await world.press(CY, mail["id"], "Deny", "Not twice in an hour") if mail else {}
        await step("Cy denies it, and that counts", lambda: self._is(activation, State.DENIED), within=10)
        await step("Ada is told who denied it", lambda: self._told(ADA, "was denied", activation), within=15)

    async def refusal(self) -> None:
        """A request with two things wrong hears of both."""
        self._timeline.chapter("A refusal says everything at once")
        activation = await self._send("long", request_body(self._run, "long", duration="PT9H", justification=""))

        async def both_named() -> bool:
            mail = await self._mail(ADA, "can't be activated", about=activation)
            return mail is not None and all(
                code in mail["html"] for code in ("HG-DURATION-TOO-LONG", "HG-JUSTIFICATION-MISSING")
            )

        await self._timeline.step("Nine hours, and no justification: both named in one mail", both_named, within=15)
        found = await self._world.activation(activation)
        for demand in found.unmet if found else ():
            self._timeline.say(f"{demand.code}: {demand.what} {demand.remedy}")

    async def duplicate(self, first: str) -> None:
        """The first message once more: nothing happens twice."""
        self._timeline.chapter("The same message again")
        before = (
            await self._world.events(first),
            len(await self._world.mails(ADA)),
            await self._world.members(self._ids["target"]),
        )
        await self._world.send(
            request_body(self._run, "first"), message_id=f"{self._run}-first", correlation_id=f"{self._run}-first"
        )
        # The queue is worked in order of arrival: when a later request is answered, the duplicate was handled.
        marker = await self._send("marker", request_body(self._run, "marker", role="no-such-role"))
        await self._timeline.step("A later request is answered", lambda: self._is(marker, State.REFUSED), within=15)
        after = (
            await self._world.events(first),
            len(await self._world.mails(ADA)),
            await self._world.members(self._ids["target"]),
        )
        self._timeline.fact(
            "The duplicate changed nothing: no event, no membership",
            true=(before[0], before[2]) == (after[0], after[2]),
        )

    async def broken(self) -> None:
        """A message that is no JSON is set aside, with its reason."""
        self._timeline.chapter("A message that can't be read")
        await self._world.send(
            b"{ this is not JSON", message_id=f"{self._run}-broken", correlation_id=f"{self._run}-broken"
        )

        async def set_aside() -> bool:
            return any(row["identity"] == f"{self._run}-broken" for row in await self._world.set_aside())

        await self._timeline.step("It is set aside at once, not retried", set_aside, within=15)
        for row in await self._world.set_aside():
            if row["identity"] == f"{self._run}-broken":
                self._timeline.say(f"{row['code']}: {row['what']}")

    async def everything_final(self, *activations: str) -> None:
        """At the end nothing is left open that this story began."""
        found = [await self._world.activation(activation) for activation in activations]
        done = all(activation is not None and is_final(activation.state) for activation in found)
        self._timeline.fact("Nothing that was begun is left open", true=done)
