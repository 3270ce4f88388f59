"""One run of the simulation: a tenant whose workers are stepped one call at a time, in an order that a seed decides.

A worker is a delivery of a message, a sweep, or a press of a button: a coroutine that stops at every gate (chance.py). The
broker here redelivers what a dead or frozen worker held when its lock runs out, and dead-letters after five deliveries.
"""

import contextvars
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from access.adapters.tables import Delete, Operation
from access.errors import Conflict, TryAgain
from tests.fakes.bus import FakeMessage
from tests.fakes.tenant import FakeTenant
from tests.simulation.chance import CALM, SKEW, Chance, Crashed, Gate
from tests.simulation.outside import GatedBus, GatedMailer, GatedTables, LaggingDirectory, SkewedClock

LOCK = timedelta(seconds=60)
DELIVERIES = 5
FREEZES = (12.0, 240.0)
"""Seconds that a worker freezes at most: inside the limit of a call and a little over it, or for minutes."""
WORKERS = 8
SWEEP = "sweep"
"""It passes a gate for each shard, so it fails at each a fifth as often as others: else hardly one would get through."""
STARTED_FRESH = {"provisioning", "expirations"}
"""Queues whose scheduled messages may get lost: a due row stands beside each."""

_TOPIC = "activation-events"


class Broken(AssertionError):
    """A law does not hold."""


@dataclass(slots=True, eq=False)
class Letter:
    """A message in the broker. ``holder`` is the worker whose lock it is under."""

    message: FakeMessage
    at: datetime
    deliveries: int = 0
    locked_until: datetime | None = None
    holder: "Worker | None" = None


@dataclass(slots=True, eq=False)
class Worker:
    """One invocation, in a process of its own."""

    name: str
    work: Coroutine[Any, Any, object]
    skew: timedelta
    letter: Letter | None = None
    at: Gate | None = None
    wakes: datetime | None = None
    dead: bool = False
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class World:
    """The tenant, its workers, its broker and its clock."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.clock = SkewedClock()
        self.began = self.clock.true
        self.history: list[str] = []
        self.workers: list[Worker] = []
        self.current: Worker | None = None
        self.letters: list[Letter] = []
        self.dead_letters: list[FakeMessage] = []
        self.steps = 0
        self.directory = LaggingDirectory(self.clock, self.chance, self.say)
        self.tables = GatedTables(self.chance)
        self.tenant = FakeTenant(
            clock=self.clock,
            tables=self.tables,
            bus=GatedBus(self.clock),
            directory=self.directory,
            mailer=GatedMailer(),
        )
        self.tables.wrote = self._wrote
        self.out: set[str] = set()
        self.checks: list[Callable[[], None]] = []
        self.changed = True
        self._plans: list[tuple[datetime, int, Callable[[], None]]] = []
        self._planned = 0
        self._next_sweep = self.clock.true + timedelta(minutes=1)

    def say(self, what: str) -> None:
        """Add a line to the history."""
        seconds = (self.clock.true - self.began).total_seconds()
        who = self.current.name if self.current else "-"
        self.history.append(f"{seconds:9.1f}  {who:<32} {what}")

    def plan(self, at: datetime, what: Callable[[], None]) -> None:
        """Have something happen at an instant."""
        self._planned += 1
        heappush(self._plans, (at, self._planned, what))

    def start(self, name: str, work: Coroutine[Any, Any, object], letter: Letter | None = None) -> Worker:
        """Start a worker; it runs from the next step on."""
        skew = timedelta() if self.chance.is_calm else self.chance.seconds(-SKEW, SKEW)
        worker = Worker(name=name, work=work, skew=skew, letter=letter)
        self.workers.append(worker)
        return worker

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something outside of the story to its end, without any fault."""
        try:
            while True:
                work.send(None)
        except StopIteration:
            return

    def run_until(self, end: datetime) -> None:
        """Let time pass. After every change, the laws are held against the state."""
        while self.clock.true < end:
            if self.is_idle():
                self.clock.advance_to(end)
                return
            self._plan_ahead()
            awake = [worker for worker in self.workers if worker.wakes is None]
            if awake:
                self._step(self.chance.random.choice(awake))
                self.clock.advance(self.chance.seconds(0, 0.15))
            else:
                self.clock.advance_to(min(self._next_instant(), end))
            if self.changed:
                self.changed = False
                for check in self.checks:
                    check()

    def is_idle(self) -> bool:
        """Whether nothing is left that could ever happen: the sweeps to come would find nothing."""
        busy = self.workers or self.letters or self.directory.late or self._plans or self.tenant.bus.messages
        return not busy and not any(rows for (table, _), rows in self.tables.rows.items() if table == "due")

    def close(self) -> None:
        """End the processes that are left, so that nothing of this run runs on."""
        self.chance.calm()
        for worker in list(self.workers):
            worker.dead, worker.wakes = True, None
            while worker in self.workers:
                self._step(worker)

    def broken(self, law: str, what: str) -> Broken:
        self.say(f"BROKEN {law}: {what}")
        return Broken(f"seed {self.seed}: {law}: {what}")

    def _plan_ahead(self) -> None:
        now = self.clock.true
        self.directory.land()
        while self._plans and self._plans[0][0] <= now:
            heappop(self._plans)[2]()
        for worker in self.workers:
            if worker.wakes is not None and worker.wakes <= now:
                worker.wakes = None
        if now >= self._next_sweep:
            self._next_sweep += timedelta(minutes=1)
            if not any(worker.name == SWEEP and worker.wakes is None for worker in self.workers):
                self.start(SWEEP, self.tenant.sweep())
        self._collect()
        self._deliver()

    def _next_instant(self) -> datetime:
        instants = [self._next_sweep, *(at for at, _ in self.directory.late)]
        instants += [plan[0] for plan in self._plans[:1]]
        instants += [worker.wakes for worker in self.workers if worker.wakes]
        for letter in self.letters:
            instants.append(max(letter.at, letter.locked_until or letter.at))
        return max(min(instants), self.clock.true + timedelta(milliseconds=10))

    def _collect(self) -> None:
        """Take over what was sent; on its way a message may be repeated, delayed, or lost where it was scheduled."""
        chance, rates = self.chance, self.chance.rates
        for message in self.tenant.bus.messages:
            if message.queue == _TOPIC:
                continue
            scheduled = message.at > self.clock.true + timedelta(seconds=SKEW + 1)
            if scheduled and message.queue in STARTED_FRESH and chance.happens(rates.lose_scheduled):
                self.say(f"(lost: a message to {message.queue} for later)")
                continue
            for _ in range(2 if chance.happens(rates.repeat) else 1):
                late = chance.seconds(1, 90) if chance.happens(rates.delay) else timedelta()
                self.letters.append(Letter(message, max(message.at, self.clock.true) + late))
        self.tenant.bus.messages.clear()

    def _deliver(self) -> None:
        now = self.clock.true
        for letter in list(self.letters):
            if letter.holder is not None and letter.holder.wakes is None and not letter.holder.dead:
                letter.locked_until = now + LOCK  # the host renews it while it lives
            elif letter.at <= now and (letter.locked_until is None or letter.locked_until <= now):
                self._deliver_one(letter, now)

    def _deliver_one(self, letter: Letter, now: datetime) -> None:
        if letter.deliveries == DELIVERIES:
            self.letters.remove(letter)
            self.dead_letters.append(letter.message)
            self.say(f"(dead-lettered: a message of {letter.message.queue})")
        elif sum(worker.wakes is None for worker in self.workers) < WORKERS:
            letter.deliveries += 1
            letter.locked_until = now + LOCK
            number = letter.message.sequence_number
            name = f"{letter.message.queue}#{number}.{letter.deliveries}"
            letter.holder = self.start(name, self.tenant.deliver(letter.message), letter)

    def _step(self, worker: Worker) -> None:
        self.steps += 1
        self.current, self.clock.skew = worker, worker.skew
        try:
            fault = Crashed() if worker.dead else self._fault(worker)
            if worker.wakes is not None:
                return
            if fault is None:
                worker.at = worker.context.run(worker.work.send, None)
            else:
                worker.at = worker.context.run(worker.work.throw, fault)
            worker.wakes = worker.at.until
            while worker.dead:  # what stands under finally gets nowhere
                worker.at = worker.context.run(worker.work.throw, Crashed())
        except StopIteration:
            self._ended(worker, completes=True)
        except Crashed:
            self._ended(worker, completes=False)
        except Broken:
            self.workers.remove(worker)
            raise
        except (TryAgain, Conflict) as fault:
            self.say(f"fails ({fault}); its message is abandoned")
            self._abandoned(worker)
        finally:
            self.current, self.clock.skew = None, timedelta()

    def _fault(self, worker: Worker) -> BaseException | None:
        """Say what happens to this worker at its gate; None: nothing, it goes on."""
        chance, rates = self.chance, self.chance.rates
        gate = worker.at
        if rates is CALM or gate is None:
            return None
        if gate.kind in self.out and not gate.answered:
            return TryAgain(f"an outage ({gate.kind})", after=timedelta(seconds=5), fault=True)
        dice = chance.random.random()
        share = 0.2 if worker.name == SWEEP else 1.0
        where = f"{'after' if gate.answered else 'before'} {gate.call}"
        if dice < rates.crash * share:
            self.say(f"DIES {where}")
            worker.dead = True
            return Crashed()
        if dice < (rates.crash + rates.freeze) * share:
            worker.wakes = self.clock.true + chance.seconds(1, chance.random.choice(FREEZES))
            until = (worker.wakes - self.began).total_seconds()
            self.say(f"FREEZES {where} until {until:.1f}")
            return None
        if gate.until is not None:
            return None
        fail = rates.fail_directory if gate.kind == "directory" else rates.fail
        if dice > 1 - fail * share:
            self.say(f"FAILS {where}")
            return TryAgain(f"chance ({gate.call})", after=timedelta(seconds=5), fault=True)
        return None

    def _ended(self, worker: Worker, *, completes: bool) -> None:
        self.workers.remove(worker)
        letter = worker.letter
        if completes and letter is not None and letter.holder is worker and letter in self.letters:
            self.letters.remove(letter)

    def _abandoned(self, worker: Worker) -> None:
        self.workers.remove(worker)
        letter = worker.letter
        if letter is not None and letter.holder is worker:
            letter.holder, letter.locked_until = None, None

    def _wrote(self, table: str, operations: Sequence[Operation]) -> None:
        self.changed = True
        for operation in operations:
            if isinstance(operation, Delete):
                if table == "due":
                    self.say(f"drops due {_short_due(operation.key)}")
                continue
            row = operation.row
            if table == "due":
                self.say(f"writes due {_short_due(row.key)} ({row.values['kind']})")
            elif table == "holds":
                said = {key: row.values[key] for key in sorted(row.values) if key not in _BORING}
                self.say(f"writes hold {said}")
            elif row.key.startswith("event-"):
                self.say(f"COMMITS {row.partition[:6]} {row.key[6:]} {row.values['event']} -> {row.values['state']}")


_BORING = {"schema", "principal", "target", "roles"}


def _short_due(key: str) -> str:
    at, activation, version, nonce = key.split("_")
    return f"{at[9:-1]} {activation[:6]} v{int(version)} {nonce[-3:]}"


def quiet_logs() -> None:
    """Say nothing of what is part of the game: faults by the thousand."""
    logging.disable(logging.CRITICAL)
