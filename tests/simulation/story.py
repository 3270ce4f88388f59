"""Who does what in one run, by the same seed: people ask, ask twice, approve, deny, both at once, and meddle by hand."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from access.adapters import keys
from access.adapters.rows import from_row
from access.model import Account, ApprovalDemand, Asked, Eligibility, RoleSettings, State
from approval_queue.answer_card import Answer, answer_card
from tests.fakes.tenant import ADA_ADMIN, APPROVERS, BO, CY, GROUP, OWNER
from tests.simulation.chance import CALM, LAG
from tests.simulation.laws import Laws
from tests.simulation.world import World

FAULTS_FOR = timedelta(minutes=50)
CALM_FOR = timedelta(hours=3)
ASK_AGAIN = timedelta(seconds=45)
PATIENCE = 12
"""How often somebody presses again who got no answer."""

ROLES = ("backup-operators", "restore-operators", "archive-operators")


@dataclass(slots=True)
class Pressed:
    """A press, and what its decider was told."""

    activation: str
    account: str
    answers: list[Answer] = field(default_factory=list)


class Story:
    """Sets a world up, tells its people what to do, and runs it to its end."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.laws = Laws(self.world)
        self.random = self.world.chance.random
        self.asked: list[str] = []
        self.pressed: list[Pressed] = []

    def run(self) -> None:
        """Run faults, then calm.

        Raises:
            Broken: a law doesn't hold.
        """
        try:
            self._set_up()
            self._plan()
            start = self.world.clock.true
            self.world.run_until(start + FAULTS_FOR)
            self.world.chance.calm()
            self.world.say("--- faults stop")
            self.world.run_until(start + FAULTS_FOR + CALM_FOR)
            self._check_requests()
            self._check_answers()
            self.laws.check_end()
        finally:
            self.world.close()

    def _set_up(self) -> None:
        world, rates = self.world, self.world.chance.rates
        world.chance.rates = CALM
        demand = ApprovalDemand(groups=(APPROVERS,), lapses_after=timedelta(minutes=10))
        for key in ROLES:
            approval = demand if self.random.random() < 0.3 else None
            name = key.replace("-", " ").capitalize()
            shortest = timedelta(minutes=1)
            role = replace(world.tenant.role, key=key, name=name, approval=approval, minimum_duration=shortest)
            world.finish(_put(world, role, key))
        if self.random.random() < 0.2:
            world.directory.put_member(GROUP, ADA_ADMIN.id)
            world.directory.remember((GROUP, ADA_ADMIN.id))
            world.say("Ada holds the group before")
        world.clock.advance(timedelta(minutes=10))
        world.chance.rates = rates

    def _plan(self) -> None:
        random, now = self.random, self.world.clock.true
        meeting = now + timedelta(seconds=random.uniform(0, 1200))
        for number in range(random.choice([1, 2, 3, 3, 4, 5])):
            at = random.choice([now, meeting, meeting, now + timedelta(seconds=random.uniform(0, 2000))])
            self._plan_ask(number, at)
        if random.random() < 0.15:
            self.world.plan(now + timedelta(seconds=random.uniform(0, 2400)), self._remove_by_hand)
        if random.random() < 0.2:  # half the time just when people ask
            at = random.choice([meeting, now + timedelta(seconds=random.uniform(0, 2400))])
            self.world.plan(at, self._seem_gone)
        if random.random() < 0.05:
            self.world.plan(now + timedelta(seconds=random.uniform(0, 2400)), self._delete_group)
        if random.random() < 0.05:
            self.world.plan(now + timedelta(seconds=random.uniform(0, 2400)), self._lose_eligibility)
        for kind in ("tables", "bus", "directory", "mail"):
            if random.random() < 0.08:
                self._plan_outage(kind, now + timedelta(seconds=random.uniform(0, 2000)))

    def _plan_ask(self, number: int, at: datetime) -> None:
        random, world = self.random, self.world
        role = random.choice(ROLES)
        minutes = random.choice([1, 1, 2, 2, 3, 5, 8, 12, 20])
        delay = random.uniform(60, 700)
        start = f"{at + timedelta(seconds=delay):%Y-%m-%dT%H:%M:%SZ}" if random.random() < 0.3 else None
        correlation = f"ask-{number}"
        self.asked.append(correlation)

        def ask() -> None:
            message = world.tenant.ask(
                message_id=f"m-{number}", requestId=f"run-{number}", role=role, duration=f"PT{minutes}M", start=start
            )
            message.correlation_id = correlation

        world.plan(at, ask)
        if random.random() < 0.3:
            world.plan(at + timedelta(seconds=random.uniform(0, 300)), ask)
        together = at + timedelta(seconds=random.uniform(20, 700))
        for account in (BO, CY):
            if random.random() < 0.7:
                press_at = together if random.random() < 0.5 else at + timedelta(seconds=random.uniform(20, 700))
                choice = "approve" if random.random() < 0.75 else "deny"
                self._plan_press(correlation, account, choice, press_at)

    def _plan_press(self, correlation: str, account: Account, choice: str, at: datetime, *, tries: int = 0) -> None:
        if tries < PATIENCE:
            self.world.plan(at, lambda: self._press(correlation, account, choice, tries))

    def _press(self, correlation: str, account: Account, choice: str, tries: int) -> None:
        world = self.world
        found = [key for key, row in self.laws.activations().items() if row["correlation_id"] == correlation]
        card = world.tables.rows["activations", found[0]].get(keys.decision(account.id)) if found else None
        if card is None:
            self._plan_press(correlation, account, choice, world.clock.true + ASK_AGAIN, tries=tries + 1)
            return
        asked = from_row(Asked, card.values)
        token = world.tenant.cards.issue(
            activation=found[0],
            approver=account.id,
            nonce=asked.nonce,
            expires_at=world.clock.true + timedelta(hours=1),
        )
        pressed = Pressed(found[0], account.id)
        self.pressed.append(pressed)
        raw = (json.dumps({"token": token, "decision": choice}) + "\n").encode()
        headers = {
            "action-authorization": f"Bearer {account.id}",
            "action-request-id": f"{account.name}-{self.random.choice([0, tries])}",
        }

        async def press() -> None:
            answer = await answer_card(raw, headers, ports=world.tenant.ports)
            world.say(f"is told: {answer.status} {answer.line}")
            pressed.answers.append(answer)

        def press_again() -> None:
            if not pressed.answers or pressed.answers[-1].status == 503:
                self._plan_press(correlation, account, choice, world.clock.true, tries=tries + 1)

        world.start(f"{account.name} presses {choice} {found[0][:6]}", press())
        world.plan(world.clock.true + ASK_AGAIN, press_again)

    def _remove_by_hand(self) -> None:
        if GROUP not in self.world.directory.groups:
            return
        self.world.directory.by_hand(GROUP, ADA_ADMIN.id)
        self.world.say("somebody removes the assignment by hand")

    def _seem_gone(self) -> None:
        self.world.directory.seem_gone(timedelta(seconds=self.random.uniform(5, LAG)))
        self.world.say("some replicas don't know the group for a while")

    def _delete_group(self) -> None:
        self.world.directory.delete_group(GROUP)
        self.world.say("somebody deletes the group")

    def _lose_eligibility(self) -> None:
        for (table, _), rows in self.world.tables.rows.items():
            if table == "eligibilities":
                rows.clear()
        self.world.say("nobody is eligible any more")

    def _plan_outage(self, kind: str, at: datetime) -> None:
        def begin() -> None:
            self.world.say(f"the {kind} can't be reached from here on")
            self.world.out.add(kind)

        def end() -> None:
            self.world.say(f"the {kind} can be reached again")
            self.world.out.discard(kind)

        self.world.plan(at, begin)
        self.world.plan(at + timedelta(seconds=self.random.uniform(30, 900)), end)

    def _check_requests(self) -> None:
        """Every request has its one activation, or lies where somebody will find it (law 8)."""
        rows = self.laws.activations().values()
        for correlation in self.asked:
            found = sum(row["correlation_id"] == correlation for row in rows)
            lost = any(message.correlation_id == correlation for message in self.world.dead_letters)
            if found != 1 and not (lost and found == 0):
                raise self.world.broken("law 8", f"{correlation} has {found} activations")

    def _check_answers(self) -> None:
        """Whoever was told that their decision counts, made it (law 5)."""
        rows = self.laws.activations()
        for pressed in self.pressed:
            values = rows[pressed.activation]
            for answer in pressed.answers:
                said = {"Approved.": "approve", "Denied.": "deny"}.get(answer.line)
                if said and (values.get("decision"), values.get("decided_by")) != (said, pressed.account):
                    raise self.world.broken("law 5", f"{pressed.account} was told {answer.line}")
                if said == "deny" and values["state"] != State.DENIED:
                    raise self.world.broken("law 5", f"{pressed.activation[:6]} was denied, and is {values['state']}")


async def _put(world: World, role: RoleSettings, key: str) -> None:
    await world.tenant.register.put_role(role, OWNER)
    await world.tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role=key), OWNER)
