"""Who does what in one run, by the same seed: people ask, ask twice, decide, both at once, give back, and meddle by hand.

All of it is drawn before the run begins, as acts with names: a run that leaves an act out draws the others the same.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from access import ids
from access.adapters import keys
from access.adapters.changes import Author
from access.adapters.rows import from_row
from access.adapters.tables import Row, Value
from access.approval import Choice
from access.errors import Code, Refused
from access.expiry import NOW_ROW
from access.model import Account, Asked, Door, Scope, Stop
from approval_queue.answer_card import Answer, answer_card
from approval_queue.record_decision import Decision, record_decision
from expiry_timer.reconcile import reconcile
from expiry_timer.revoke import Revocation, revoke
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT, BO, CY, DEE, GROUP, TENANT
from tests.simulation.chance import LAG
from tests.simulation.laws import Laws

OTHER_GROUP = "99999999-0000-0000-0000-000000000004"
GROUPS = (GROUP, OTHER_GROUP)
REQUESTERS = {ADA_ADMIN: ADA, DEE: DEE, CY: CY}
"""Who may receive a role, and who asks for it."""

ASK_AGAIN = 45.0
PATIENCE = 12
"""How often somebody presses again who got no answer."""

SPAN = 2400.0
"""Seconds in which people act."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does at some second, by its name and in words."""

    name: str
    at: float
    what: str
    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A message that somebody sent: its id, and the id of the command that is in it."""

    message: str
    command: str


@dataclass(slots=True)
class Pressed:
    """A press, and what its decider was told."""

    activation: str
    account: str
    answers: list[Answer] = field(default_factory=list)


class People:
    """Draws what people do, and does it when its time comes."""

    def __init__(self, laws: Laws, roles: Sequence[str]) -> None:
        self.laws, self.world = laws, laws.world
        self.asked: dict[str, Request] = {}
        """Every request that was sent, by its correlation."""
        self.pressed: list[Pressed] = []
        self._roles = roles
        self._dice = self.world.chance.dice("people")
        self._acts: list[Act] = []

    def plan(self) -> list[Act]:
        """Return everything that people will do, in the order in which it was drawn."""
        dice = self._dice
        principals = [ADA_ADMIN] if dice.random() < 0.6 else [ADA_ADMIN, ADA_ADMIN, DEE, CY]
        meeting = dice.uniform(0, SPAN / 2)
        again = self.world.chance.style.again
        if again:
            for number in range(6):
                at = number * (60 * again + 110) + dice.uniform(0, 120)
                self._plan_ask(number, ADA_ADMIN, at, minutes=again)
        else:
            for number in range(dice.choice([1, 2, 3, 3, 4, 5])):
                at = dice.choice([0.0, meeting, meeting, dice.uniform(0, SPAN)])
                minutes = dice.choice([1, 1, 2, 2, 3, 5, 8, 12, 20])
                self._plan_ask(number, dice.choice(principals), at, minutes=minutes)
        for principal in dict.fromkeys(principals):
            self._plan_meddling(principal, meeting)
        self._plan_disasters(meeting)
        return self._acts

    def _plan(self, chance: float, name: str, at: float, what: str, do: Callable[[], None]) -> None:
        """Plan an act, with some chance."""
        if self._dice.random() < chance:
            self._acts.append(Act(name, at, what, do))

    def _plan_ask(self, number: int, principal: Account, at: float, *, minutes: int) -> None:
        dice, name = self._dice, f"ask-{number}"
        role = self._roles[0] if self.world.chance.style.again else dice.choice(self._roles)
        start = dice.uniform(-200, 700) if dice.random() < 0.3 else None
        enqueued = dice.uniform(-86_400, 86_400)
        ask = partial(self._ask, name, principal, role, f"PT{minutes}M", start and at + start, enqueued)
        self._plan(1, name, at, f"{principal.name} asks for {role} for {minutes} min", ask)
        self._plan(0.3, f"{name}-again", at + dice.uniform(0, 300), "asks again, by the same message", ask)
        together = at + dice.uniform(20, 700)
        for account in (BO, CY, ADA_EXT, ADA):
            press_at = together if dice.random() < 0.5 else at + dice.uniform(20, 700)
            choice = Choice.APPROVE if dice.random() < 0.75 else Choice.DENY
            press = partial(self._press, f"{name}-{account.name}", name, account, choice, 0)
            self._plan(0.7, f"{name}-{account.name}", press_at, f"{account.name} wants to {choice} {name}", press)
        for command, chance in (("deactivate", 0.2), ("cancel", 0.12), ("extend", 0.25), ("extend-more", 0.15)):
            action, longer = command.partition("-")[0], dice.choice(["PT1M", "PT5M"])
            say_at = at + (
                dice.uniform(0.5, 8) if self.world.chance.style.hasty else dice.uniform(5, 60 * minutes + 120)
            )
            say = partial(self._command, f"{name}-{command}", action, principal, role, longer)
            self._plan(chance, f"{name}-{command}", say_at, f"{principal.name}: {action} {role}", say)
            self._plan(0.2 * chance, f"{name}-{command}-again", say_at + dice.uniform(0, 300), "the same again", say)
        revoke = partial(self._revoke, name)
        self._plan(0.15, f"{name}-revoke", at + dice.uniform(0, 60 * minutes + 60), f"ops revoke {name}", revoke)

    def _plan_meddling(self, principal: Account, meeting: float) -> None:
        """Somebody works in the directory by hand, often just when people ask."""
        dice = self._dice
        for group in GROUPS:
            key = (group, principal.id)
            for what, do, chance in (
                ("takes out by hand", self._take_by_hand, 0.15),
                ("puts in by hand", self._put_by_hand, self.world.chance.style.by_hand),
            ):
                at = dice.choice([max(meeting + dice.uniform(-60, 120), 0), dice.uniform(0, SPAN)])
                name = f"{what.split()[0]} {principal.id[-1]} {group[-1]}"
                self._plan(chance, name, at, f"somebody {what} {principal.name}", partial(do, key))
        delete = partial(self._delete_user, principal)
        self._plan(0.03, f"delete {principal.id[-1]}", dice.uniform(0, SPAN), f"{principal.name} is deleted", delete)
        disable = partial(self._disable, principal)
        self._plan(0.03, f"disable {principal.id[-1]}", dice.uniform(0, SPAN), f"{principal.name} is disabled", disable)

    def _plan_disasters(self, meeting: float) -> None:
        dice, directory = self._dice, self.world.directory
        for group in GROUPS:
            at = dice.choice([meeting, dice.uniform(0, SPAN)])
            gone = partial(directory.seem_gone, group, dice.uniform(5, LAG))
            self._plan(
                self.world.chance.style.seem_gone,
                f"seem-gone {group[-1]}",
                at,
                "some replicas don't know a group for a while",
                gone,
            )
            at = dice.uniform(0, SPAN)
            self._plan(0.03, f"delete-group {group[-1]}", at, "a group is deleted", partial(self._delete_group, group))
        self._plan(
            0.05, "lose-eligibility", dice.uniform(0, SPAN), "nobody is eligible any more", self._lose_eligibility
        )
        self._plan(0.2, "deploy", dice.uniform(0, SPAN), "a new version is deployed", self.world.deploy)
        self._plan(0.1, "deploy-again", dice.uniform(0, SPAN), "a new version is deployed", self.world.deploy)
        stop = Stop(scope=Scope(), by="ops", through="direct", at=self.world.clock.now(), reason="told so")
        stop_at = dice.choice([meeting + dice.uniform(0, 6), dice.uniform(0, SPAN)])
        self._plan(
            self.world.chance.style.stopped, "stop", stop_at, "ops stop granting", partial(self._stop_granting, stop)
        )
        self._plan(
            1, "start", stop_at + dice.uniform(30, 900), "ops start granting", partial(self._start_granting, stop)
        )
        restore = replace(stop, restoring=True)
        restore_at = dice.uniform(0, SPAN)
        stops, starts = partial(self._stop_granting, restore), partial(self._start_granting, restore)
        self._plan(0.05, "restore", restore_at, "a ledger is restored", stops)
        self._plan(1, "restored", restore_at + dice.uniform(30, 600), "the restored ledger is believed", starts)
        for number in range(2):
            at = dice.uniform(0, SPAN)
            self._plan(0.2, f"reconcile-{number}", at, "directory and record are compared", self._reconcile)
            self._plan(0.2, f"replay-{number}", at + 60, "ops replay", self.replay_what_was_given_up)
        self._plan(0.15, "unreadable", dice.uniform(0, SPAN), "a row can't be read", self._leave_an_unreadable_row)
        self._plan(0.15, "timer", dice.uniform(0, SPAN), "the host's timer stands still", self.world.stop_timer)
        for kind in ("tables", "bus", "directory", "mail", "blobs"):
            outage = partial(self._outage, kind, dice.uniform(30, 900))
            self._plan(0.08, f"outage {kind}", dice.uniform(0, SPAN), f"the {kind} can't be reached", outage)

    # -- what is done

    def _ask(
        self, name: str, principal: Account, role: str, duration: str, start: float | None, enqueued: float
    ) -> None:
        at = f"{self.world.clock.instant(start):%Y-%m-%dT%H:%M:%SZ}" if start is not None else None
        self._send(name, principal, enqueued, role=role, duration=duration, start=at)

    def _command(self, name: str, action: str, principal: Account, role: str, longer: str) -> None:
        self._send(name, principal, 0, role=role, action=action, duration=longer if action == "extend" else None)

    def _send(self, name: str, principal: Account, enqueued: float, **fields: object) -> None:
        """Put a request on the queue; what the sender's clock says is anything."""
        who = principal.user_principal_name
        message = self.world.tenant.ask(
            message_id=f"m-{name}",
            requestId=f"run-{name}",
            requester=REQUESTERS[principal].user_principal_name,
            principal=who,
            **fields,
        )
        message.correlation_id = name
        message.enqueued_time_utc = self.world.clock.now() + timedelta(seconds=enqueued)
        self.world.collect()
        command = ids.activation_id(
            tenant=TENANT, principal=who, door=Door.FLOW, source=message.queue, request=f"run-{name}"
        )
        self.asked[name] = Request(f"m-{name}", command)

    def _revoke(self, about: str) -> None:
        for activation in self._made_by(about):
            work = revoke(
                activation,
                Revocation(by="ops", through="direct", reason="told so"),
                store=self.world.host_for(about).store,
                now=self.world.clock.now(),
            )
            self.world.start(f"revoke {about}", "ops", work)

    def _stop_granting(self, stop: Stop) -> None:
        self._ops("stop", self.world.tenant.controls.set(stop))

    def _start_granting(self, stop: Stop) -> None:
        self._ops("start", self.world.tenant.controls.lift(stop, self._author(), reason="over"))

    def start_again(self) -> None:
        """Ops lift every stop that is left."""
        self._ops("lift", self._lift())

    async def _lift(self) -> None:
        for stop in await self.world.tenant.controls.in_force():
            await self.world.tenant.controls.lift(stop, self._author(), reason="over")

    def _author(self) -> Author:
        return Author(by="ops", through="direct", at=self.world.clock.now())

    def _ops(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        """Have ops run a command, which fails where it has to."""
        self.world.start(f"ops {what} {self.world.clock.seconds:.0f}", "ops", work)

    def _reconcile(self) -> None:
        self._ops("reconcile", self._compare())

    async def _compare(self) -> None:
        try:
            await reconcile(ports=self.world.host_for("ops").ports)
        except ValueError:
            if not self.world.unreadable:  # what can't be read can't be compared, and says so
                raise

    def replay_what_was_given_up(self) -> None:
        """Ops put back what the broker gave up."""
        self._ops("replay", self._replay())

    async def _replay(self) -> None:
        world = self.world
        for day in (timedelta(days=back) for back in (-1, 0, 1)):
            for entry in await world.quarantine.on(world.clock.now() + day):
                body = await world.quarantine.body(entry)
                if entry.verdict is None and entry.code == Code.DEAD_LETTERED and body is not None:
                    world.say("replays a message of {}", entry.queue)
                    await world.quarantine.replay(entry, body, world.bus, self._author(), "mended")

    def _leave_an_unreadable_row(self) -> None:
        """Something that nobody can judge is due, and most overdue of all."""
        activation, long_ago = "0" * 32, self.world.clock.now() - timedelta(days=1)
        key = keys.due(long_ago, activation, 1, "00000000")
        values: dict[str, Value] = {"kind": NOW_ROW, "version": 1, "since": keys.instant(long_ago), "tries": 0}
        due = Row(partition=keys.shard(activation), key=key, values={**values, "activation": activation}, etag="0")
        broken = Row(partition=activation, key=keys.ACTIVATION, values={"state": "unheard of"}, etag="0")
        self.world.tables.rows.setdefault(("due", due.partition), {})[due.key] = due
        self.world.tables.rows["activations", activation] = {broken.key: broken}
        self.world.unreadable.add(key)

    def _made_by(self, name: str) -> list[str]:
        return [key for key, values in self.laws.rows.items() if values["correlation_id"] == name]

    def _press(self, name: str, about: str, account: Account, choice: Choice, tries: int) -> None:
        """Press as soon as one can; who has no card tries the page, where only the account is proven."""
        world = self.world
        found = self._made_by(about)
        rows = world.tables.rows["activations", found[0]] if found else {}
        card, asked_anybody = rows.get(keys.decision(account.id)), any(key.startswith("decision-") for key in rows)
        if card is None and not (asked_anybody and account in {ADA, ADA_EXT}):
            self._press_later(name, about, account, choice, tries, after=ASK_AGAIN)
            return
        pressed = Pressed(found[0], account.id)
        if card is None:
            work = self._decide(account, choice, pressed)
        else:
            self.pressed.append(pressed)
            work = self._press_card(from_row(Asked, card.values), account, choice, pressed, f"{name}-{tries % 2}")
        world.start(f"press {name} {tries}", f"{account.name} presses {choice} {found[0][:6]}", work)

        def press_again(_: object) -> None:
            if not pressed.answers or pressed.answers[-1].status == 503:
                self._press_later(name, about, account, choice, tries, after=0)

        world.after(ASK_AGAIN, press_again)

    def _press_later(
        self, name: str, about: str, account: Account, choice: Choice, tries: int, *, after: float
    ) -> None:
        if tries < PATIENCE:
            self.world.after(after, lambda _: self._press(name, about, account, choice, tries + 1))

    async def _press_card(self, asked: Asked, account: Account, choice: Choice, pressed: Pressed, request: str) -> None:
        world = self.world
        expires = world.clock.instant(world.clock.seconds + 3600)
        token = world.tenant.cards.issue(
            activation=pressed.activation, approver=account.id, nonce=asked.nonce, expires_at=expires
        )
        raw = (json.dumps({"token": token, "decision": choice}) + "\n").encode()
        headers = {"action-authorization": f"Bearer {account.id}", "action-request-id": request}
        answer = await answer_card(raw, headers, ports=world.host_for(request).ports)
        world.say("is told: {} {}", answer.status, answer.line)
        pressed.answers.append(answer)

    async def _decide(self, account: Account, choice: Choice, pressed: Pressed) -> None:
        decision = Decision(
            activation=pressed.activation, account=account.id, choice=choice, note="", command=account.id
        )
        try:
            await record_decision(decision, ports=self.world.host_for(account.id).ports)
        except Refused as refused:
            self.world.say("is told: {}", refused)
        pressed.answers.append(Answer(status=200, line=""))

    def _take_by_hand(self, key: tuple[str, str]) -> None:
        if self.world.directory.holds(*key):
            self.world.directory.take_by_hand(key)

    def _put_by_hand(self, key: tuple[str, str]) -> None:
        directory = self.world.directory
        if key[0] in directory.groups and key[1] in directory.accounts and not directory.holds(*key):
            directory.put_by_hand(key)

    def _delete_user(self, account: Account) -> None:
        if account.id in self.world.directory.accounts:
            self.world.directory.delete_user(account.id)

    def _disable(self, account: Account) -> None:
        self.world.directory.disable(account.id)

    def _delete_group(self, group: str) -> None:
        self.world.directory.delete_group(group)

    def _lose_eligibility(self) -> None:
        for (table, _), rows in self.world.tables.rows.items():
            if table == "eligibilities":
                rows.clear()

    def _outage(self, kind: str, seconds: float) -> None:
        def end(_: object) -> None:
            self.world.say("the {} can be reached again", kind)
            self.world.line.out.discard(kind)

        self.world.line.out.add(kind)
        self.world.after(seconds, end)
