"""One run of the simulation: a tenant whose workers are stepped one call at a time, in an order that a seed decides.

A worker is a delivery of a message, a sweep, a press of a button, an order of ops: a coroutine that stops at every gate
(line.py). Everything that happens stands in one queue of events by its time. The broker here redelivers what a dead or
frozen worker held when its lock runs out, and dead-letters after five deliveries.
"""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import replace
from datetime import timedelta
from heapq import heappop, heappush
from typing import Any
from zlib import crc32

from access.adapters.ledger import Ledger
from access.adapters.lookup import TenantLookup
from access.adapters.pace import TablePace
from access.errors import Conflict, TryAgain
from expiry_timer.tick import call_for_sweep
from tests.fakes.outside import FakeQuarantine
from tests.fakes.tenant import FakeTenant
from tests.simulation.chance import SKEW, Case, Chance, Crashed, Fault
from tests.simulation.line import Letter, Line, Worker
from tests.simulation.outside import GatedBlobs, GatedBus, GatedMailer, GatedTables, LaggingDirectory

HOSTS = 2
"""Each remembers for itself what it has written."""
LOCK = 60.0
DELIVERIES = 5
SLOWEST = 0.25
"""Seconds that a call takes at most, if nothing holds it up."""
MOST_STEPS = 20_000
"""Ten times what a long history needs."""
TURN_BACK_AT_ONCE = 0.5
MINUTE = 60.0

STARTED_FRESH = {"provisioning", "expirations"}
"""Queues whose scheduled messages may get lost: a due row stands beside each."""
_TOPIC = "activation-events"


class Broken(AssertionError):
    """A law does not hold."""

    def __init__(self, case: Case, law: str, what: str) -> None:
        self.case, self.law, self.what = case, law, what
        super().__init__(f"seed {case.seed}: {law}: {what}")


class World:
    """The tenant, its workers, its broker and its clock."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.chance = Chance(case)
        self.line = Line(self.chance)
        self.clock = self.line.clock
        self.say = self.line.say
        self.directory = LaggingDirectory(self.line, self._land_later)
        self.tables = GatedTables(self.line)
        self.mailer = GatedMailer(self.line)
        self.bus = GatedBus(self.line)
        self.tenant = FakeTenant(
            clock=self.clock, tables=self.tables, bus=self.bus, directory=self.directory, mailer=self.mailer
        )
        self.quarantine = FakeQuarantine(self.tables, GatedBlobs(self.line))
        self.tenant.ports = replace(self.tenant.ports, quarantine=self.quarantine)
        self._nonces = self.chance.dice("nonces")
        self.hosts = [self._new_host() for _ in range(HOSTS)]
        self.workers: list[Worker] = []
        self.letters: dict[Letter, None] = {}
        self.dead_letters = 0
        self.steps = 0
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._numbers = itertools.count()
        self._endless = (self.sweep_every_minute, self._tick)
        """What is always to come, and so no reason to wait."""
        self._waiting = 0
        self.timer_runs = True
        self.unreadable: set[str] = set()
        """Due rows whose activation can't be read: they stay, and must be in nobody's way."""
        self._copies: Counter[str] = Counter()

    # -- time

    def after(self, seconds: float, what: Callable[[Any], None], about: object = None) -> None:
        """Have something happen after some seconds of true time."""
        self._waiting += what not in self._endless
        heappush(self._events, (self.clock.seconds + seconds, next(self._numbers), what, about))

    def run(self, *, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            self._next()
        self.clock.seconds = until

    def run_quiet(self, *, until: float) -> None:
        """Let time pass until nothing is left that could ever happen: the sweeps to come would find nothing."""
        while not self.is_quiet() and self._events[0][0] <= until:
            self._next()

    def is_quiet(self) -> bool:
        """Whether only sweeps are to come, and nothing for them to find."""
        return not self._waiting and not self._is_due()

    def _next(self) -> None:
        at, _, what, about = heappop(self._events)
        self._waiting -= what not in self._endless
        self.clock.seconds = max(self.clock.seconds, at)
        what(about)

    def _is_due(self) -> bool:
        return bool(self.bus.dead) or any(
            key not in self.unreadable
            for (table, _), rows in self.tables.rows.items()
            if table == "due"
            for key in rows
        )

    def _land_later(self, seconds: float, land: Callable[[], None]) -> None:
        def lands(_: object) -> None:
            self.say("(a call lands late)")
            land()

        self.after(seconds, lands)

    # -- workers

    def start(
        self, key: str, name: str, work: Coroutine[Any, Any, object], letter: Letter | None = None, *, after: float = 0
    ) -> Worker:
        """Start a worker; it runs from its first turn on."""
        dice = self.chance.dice(key)
        skew = dice.choice([-SKEW, SKEW, dice.uniform(-SKEW, SKEW)])
        worker = Worker(key=key, name=name, work=work, dice=dice, skew=skew, letter=letter)
        if self.chance.is_calm or Fault.SKEW in self.case.without:
            worker.skew = 0
        self.workers.append(worker)
        self.after(after, self._turn, worker)
        return worker

    def kill(self, worker: Worker) -> None:
        """End a worker's process: nothing of it runs any more, and its message comes back when its lock runs out."""
        worker.dead = True
        self._throw_out(worker)
        if worker.letter is not None:
            self.after(worker.dice.uniform(0.5 * LOCK, LOCK), self._lock_runs_out, worker)

    def _new_host(self) -> FakeTenant:
        """Return the same tenant as another host sees it, which remembers nothing yet."""
        host, ports = copy(self.tenant), self.tenant.ports
        host.store = Ledger(self.tables, self.bus, ports.timing, nonce=self._nonce)
        lookup = TenantLookup(self.directory, host.register, host.people, host.store, host.controls)
        pace = TablePace(self.tables, self.clock, host.quota)
        host.ports = replace(ports, store=host.store, lookup=lookup, pace=pace)
        return host

    def host_for(self, key: str) -> FakeTenant:
        """Return the host that runs this worker."""
        return self.hosts[crc32(key.encode()) % HOSTS]

    def deploy(self) -> None:
        """A new version: every process is killed, and the next messages find new ones."""
        self.say("a new version is deployed: all workers are killed")
        for worker in list(self.workers):
            self.kill(worker)
        self.hosts = [self._new_host() for _ in range(HOSTS)]

    def calm(self) -> None:
        """End all faults. Where no sweep comes any more, somebody is told, and calls for one until it does."""
        self.chance.calm()
        self.line.out.clear()
        self.say("--- faults stop")
        for minutes in (0, 3):
            call = call_for_sweep(ports=self.tenant.ports)
            self.start(f"call for a sweep {minutes}", "ops", call, after=minutes * MINUTE)

    def close(self) -> None:
        """End the processes that are left, so that nothing of this run runs on."""
        for worker in list(self.workers):
            worker.dead = True
            self._throw_out(worker)

    def broken(self, law: str, what: str) -> Broken:
        self.say("BROKEN {}: {}", law, what)
        return Broken(self.case, law, what)

    def _turn(self, worker: Worker) -> None:
        """Let a worker go on to its next gate, unless chance has other plans."""
        if worker.dead:
            return
        goes_on, fault = self._meet(worker)
        if not goes_on:
            return
        self._count()
        self.line.current, self.clock.skew = worker, worker.skew
        try:
            resume: Callable[[Any], Any] = worker.work.send if fault is None else worker.work.throw
            worker.at = worker.context.run(resume, fault)
        except StopIteration:
            self._ended(worker, completes=True)
        except (TryAgain, Conflict) as failure:
            self._failed(worker, failure)
        except Broken:
            self.workers.remove(worker)
            raise
        except Exception as bug:
            self.workers.remove(worker)
            raise self.broken("a bug", repr(bug)) from bug
        else:
            takes = worker.at.takes
            self.after(worker.dice.uniform(0.01, SLOWEST) if takes is None else takes, self._turn, worker)
        finally:
            self.line.current, self.clock.skew = None, 0.0
            if self.bus.messages:
                self.collect()

    def _count(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise self.broken("economy", f"more than {MOST_STEPS} steps: messages breed")

    def _meet(self, worker: Worker) -> tuple[bool, TryAgain | None]:
        """Say whether this worker goes on from its gate, and with which fault."""
        gate, chance, dice = worker.at, self.chance, worker.dice
        if gate is None or chance.is_calm:
            return True, None
        if chance.strikes(Fault.CRASH, dice, worker):
            self.say("{} DIES after {}", worker.name, gate.call)
            self.kill(worker)
            return False, None
        if chance.strikes(Fault.FREEZE, dice, worker):
            seconds = dice.uniform(1, dice.choice(chance.style.freezes))
            self.say("{} FREEZES after {} for {:.0f} s", worker.name, gate.call, seconds)
            worker.frozen = True
            self.after(seconds, self._thaw, worker)
            self.after(dice.uniform(0.5 * LOCK, LOCK), self._lock_runs_out, worker)
            return False, None
        if gate.takes is None and chance.strikes(Fault.LOSE_ANSWER, dice, worker):
            worker.faults += 1
            self.say("{} gets no answer from {}", worker.name, gate.call)
            after = timedelta(seconds=dice.choice([0, 5, 30]))
            return True, TryAgain(f"chance ({gate.call})", after=after, fault=True)
        return True, None

    def _thaw(self, worker: Worker) -> None:
        worker.frozen = False
        self._turn(worker)

    def _throw_out(self, worker: Worker) -> None:
        """Have the process end where it is: what stands under ``finally`` gets nowhere."""
        self.line.current = worker
        try:
            while True:
                worker.context.run(worker.work.throw, Crashed())
        except (StopIteration, Crashed):
            pass
        finally:
            self.line.current = None
            self.workers.remove(worker)

    # -- sweeps

    def sweep_every_minute(self, _: object = None) -> None:
        """Start a sweep where none is at work and something is due, and do it again in a minute."""
        minute = round(self.clock.seconds / MINUTE)
        awake = any(worker.key.startswith("sweep") and not worker.frozen for worker in self.workers)
        if self.timer_runs and self._is_due() and not awake:
            key = f"sweep {minute}"
            self.start(key, "sweep", self.host_for(key).sweep())
        self.after(MINUTE, self.sweep_every_minute)

    def stop_timer(self) -> None:
        """The host's timer stands still from here on: only ticks start a sweep."""
        self.timer_runs = False

    def _tick(self, message: Any) -> None:
        """Deliver a tick, where it is not the timer that all hangs on; it is never lost, but a call for a sweep mends that."""
        if not self.timer_runs:
            letter = Letter(f"ticks {message.message_id}", message)
            self.letters[letter] = None
            self._deliver(letter)

    # -- broker

    def collect(self) -> None:
        """Take over what was sent; on its way a message may be repeated, delayed, or lost where it was scheduled."""
        chance = self.chance
        messages, self.bus.messages = self.bus.messages, []
        for message in messages:
            if message.queue == _TOPIC:
                continue
            if message.queue == "ticks":
                self.after(max(self.clock.since(message.at) - self.clock.seconds, 0), self._tick, message)
                continue
            identity = f"{message.queue} {message.message_id}"
            self._copies[identity] += 1
            key = f"{identity} {self._copies[identity]}"
            dice = chance.dice(key)
            wait = self.clock.since(message.at) - self.clock.seconds
            scheduled = wait > SKEW + 1 and message.queue in STARTED_FRESH
            if scheduled and chance.strikes(Fault.LOSE, dice, key):
                self.say("(lost: a message to {} for {:%H:%M:%S})", message.queue, message.at)
                continue
            for number in range(1 + chance.strikes(Fault.REPEAT, dice, key)):
                late = dice.uniform(1, 90) if chance.strikes(Fault.DELAY, dice, f"{key}/{number}") else 0.0
                letter = Letter(f"{key}/{number}", message)
                self.letters[letter] = None
                self.after(max(wait, 0) + late + dice.uniform(0.01, 0.1), self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        if letter not in self.letters or letter.holder is not None:
            return
        message = letter.message
        if letter.deliveries == DELIVERIES:
            del self.letters[letter]
            self.dead_letters += 1
            self.bus.kill(message)
            self.say("(dead-lettered: a message of {})", message.queue)
            return
        letter.deliveries += 1
        key = f"{letter.key}.{letter.deliveries}"
        name = f"{message.queue}#{message.sequence_number}.{letter.deliveries}"
        worker = letter.holder = self.start(key, name, self.host_for(key).deliver(message), letter)
        if self.chance.strikes(Fault.LOSE_LOCK, worker.dice, key):
            self.after(worker.dice.uniform(0, 3), self._lose_lock, worker)

    def _lose_lock(self, worker: Worker) -> None:
        letter = worker.letter
        if letter is not None and letter.holder is worker and letter in self.letters:
            self.say("(the lock of {} is lost)", worker.name)
            letter.holder = None
            self._deliver(letter)

    def _lock_runs_out(self, worker: Worker) -> None:
        """The host renews a lock while it lives and isn't frozen."""
        letter = worker.letter
        if letter is not None and letter.holder is worker and (worker.dead or worker.frozen):
            letter.holder = None
            self._deliver(letter)

    def _failed(self, worker: Worker, failure: Exception) -> None:
        """Give a message back; what only waits is never to do that (protocol 6)."""
        self.say("fails ({}); its message is abandoned", failure)
        self._ended(worker, completes=False)
        if worker.letter is not None and worker.faults == 0:
            raise self.broken("economy", f"{worker.name} met no fault, and gives its message back ({failure})")

    def _ended(self, worker: Worker, *, completes: bool) -> None:
        self.workers.remove(worker)
        letter = worker.letter
        if letter is None or letter.holder is not worker:
            return
        letter.holder = None
        if completes:
            self.letters.pop(letter, None)
        else:
            self.after(TURN_BACK_AT_ONCE, self._deliver, letter)

    def _nonce(self) -> str:
        worker = self.line.current
        return f"{(worker.dice if worker else self._nonces).getrandbits(32):08x}"


def quiet_logs() -> None:
    """Say nothing of what is part of the game: faults by the thousand."""
    logging.disable(logging.CRITICAL)
