"""One history from its beginning to its end: a tenant is set up, faults and people do their worst, then all is calm."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache

from access.adapters.register import PersonLinks
from access.adapters.tables import Row
from access.model import ApprovalDemand, Eligibility, Source, State, Target
from tests.fakes.tenant import ADA, ADA_EXT, APPROVERS, GROUP, OWNER, FakeTenant
from tests.simulation.chance import Case
from tests.simulation.closing import Closing
from tests.simulation.laws import Laws
from tests.simulation.people import OTHER_GROUP, REQUESTERS, Act, People
from tests.simulation.world import World

BEFORE = 600.0
"""Seconds between the setting up and the beginning: what was there before is older than any lag."""

FAULTS_FOR = 3000.0
CALM_FOR = 4 * 3600.0

ROLES = {
    "backup-operators": GROUP,
    "restore-operators": GROUP,
    "archive-operators": GROUP,
    "key-operators": OTHER_GROUP,
}
"""Roles by their groups: some give the same."""

DEMAND = ApprovalDemand(groups=(APPROVERS,), lapses_after=timedelta(minutes=10))
APPROVED = 0.35
"""How many roles ask for approval."""


class Story:
    """Sets a world up, tells its people what to do, and runs it to its end."""

    def __init__(self, case: Case | int) -> None:
        self.world = World(Case(seed=case) if isinstance(case, int) else case)
        self.laws = Laws(self.world)
        self.people = People(self.laws, list(ROLES))
        self.acts: list[Act] = []
        self.worst_lag = 0.0

    def run(self) -> None:
        """Run faults, then calm.

        Raises:
            Broken: a law doesn't hold.
        """
        world = self.world
        try:
            world.say("this run is aimed at: {}", world.chance.choose_style())
            self._set_up()
            world.clock.seconds = BEFORE
            self.acts = self.people.plan()
            for act in self.acts:
                if act.name not in world.case.without:
                    world.after(act.at, self._do, act)
            world.chance.begin()
            world.bus.unheard.clear()
            world.sweep_every_minute()
            world.run(until=BEFORE + FAULTS_FOR)
            world.calm()
            self.people.start_again()
            world.run_quiet(until=BEFORE + FAULTS_FOR + CALM_FOR / 2)
            self.people.replay_what_was_given_up()
            world.run_quiet(until=BEFORE + FAULTS_FOR + CALM_FOR)
            closing = Closing(self.laws, calm_since=BEFORE + FAULTS_FOR)
            closing.check(self.people.asked)
            self.worst_lag = closing.worst_lag
            self._check_answers()
        finally:
            world.close()

    def _do(self, act: object) -> None:
        assert isinstance(act, Act), "acts are planned"
        self.world.say("[{}] {}", act.name, act.what)
        act.do()

    def _set_up(self) -> None:
        world, dice = self.world, self.world.chance.dice("set up")
        world.directory.add_group(OTHER_GROUP, "Key Operators")
        asking = tuple(role for role in ROLES if dice.random() < APPROVED and not world.chance.style.again)
        for place, rows in _registered(asking).items():
            world.tables.rows[place] = dict(rows)
        for group in dict.fromkeys(ROLES.values()):
            for account in REQUESTERS:
                if dice.random() < world.chance.style.held_before:
                    world.directory.put_member(group, account.id)
                    world.directory.remember((group, account.id))
                    world.say("{} is a member of {} from the beginning", account.name, group[-4:])

    def _check_answers(self) -> None:
        """Whoever was told that their decision counts, made it (law 5)."""
        for pressed in self.people.pressed:
            values = self.laws.rows[pressed.activation]
            for answer in pressed.answers:
                said = {"Approved.": "approve", "Denied.": "deny"}.get(answer.line)
                if said and (values.get("decision"), values.get("decided_by")) != (said, pressed.account):
                    self.laws.break_("law 5", f"{pressed.account} was told {answer.line}")
                if said == "deny" and values["state"] != State.DENIED:
                    self.laws.break_("law 5", f"{pressed.activation[:6]} was denied, and is {values['state']}")


@cache
def _registered(asking: tuple[str, ...]) -> Mapping[tuple[str, str], Mapping[str, Row]]:
    """Return the register's rows with all roles, those that ask for approval among them; made once for each choice."""
    tenant = FakeTenant()

    async def write() -> None:
        await tenant.register.put_person("ada", PersonLinks((ADA.id, ADA_EXT.id)), OWNER)
        for key, group in ROLES.items():
            role = replace(
                tenant.role,
                key=key,
                name=key.replace("-", " ").capitalize(),
                target=Target(Source.GROUP_MEMBER, group),
                minimum_duration=timedelta(minutes=1),
                approval=DEMAND if key in asking else None,
            )
            await tenant.register.put_role(role, OWNER)
            for account in REQUESTERS:
                await tenant.register.put_eligibility(Eligibility(principal=account.id, role=key), OWNER)

    asyncio.run(write())
    return tenant.tables.rows
