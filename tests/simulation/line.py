"""The line between a worker and the outside: every call passes it, and chance sits on it.

A call takes effect, and then its worker waits at a gate until the scheduler lets it go on. So whatever others do between
any two calls of a worker, they do it here.
"""

import contextvars
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from access.errors import Throttled, TryAgain
from tests.fakes.bus import FakeMessage
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.simulation.chance import CALL_LIMIT, Chance, Crashed, Fault, Gate, kind_of

FAILURES = (
    ("no connection", 0.1, 5),
    ("429, Retry-After: 30", 0.2, 30),
    ("503, Retry-After: 5", 0.2, 5),
    ("503, Retry-After: 150", 0.2, 150),
    ("no answer in time", CALL_LIMIT, 0),
)
"""What a call fails with, how many seconds it takes to, and after how many it asks to be tried again."""


@dataclass(slots=True, eq=False)
class Letter:
    """A message in the broker. ``holder`` is the worker whose lock it is under."""

    key: str
    message: FakeMessage
    deliveries: int = 0
    holder: "Worker | None" = None


@dataclass(slots=True, eq=False)
class Worker:
    """One invocation, in a process of its own. ``key`` names it the same in every run of a seed, ``name`` for people."""

    key: str
    name: str
    work: Coroutine[Any, Any, object]
    dice: Random
    skew: float
    letter: Letter | None = None
    at: Gate | None = None
    calls: int = 0
    faults: int = 0
    """How many of its calls failed."""
    frozen: bool = False
    dead: bool = False
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def __str__(self) -> str:
        return f"{self.key}.{self.calls}"


class SkewedClock(FakeClock):
    """True time in seconds, and the clock of the worker whose turn it is, which is off by its skew."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.skew = 0.0

    _BEGAN = ARBITRARY_MORNING.timestamp()

    def now(self) -> datetime:
        return datetime.fromtimestamp(int(self._BEGAN + self.seconds + self.skew), UTC)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, span: timedelta) -> None:
        self.seconds += span.total_seconds()

    def advance_to(self, instant: datetime) -> None:
        self.seconds = max(self.seconds, self.since(instant))

    async def sleep(self, span: timedelta) -> None:
        await Gate("sleep", takes=span.total_seconds())

    def since(self, instant: datetime) -> float:
        """Return an instant as seconds of true time."""
        return instant.timestamp() - self._BEGAN

    def instant(self, seconds: float) -> datetime:
        """Return a point of true time as an instant, to the second."""
        return datetime.fromtimestamp(int(self._BEGAN + seconds), UTC)


class Line:
    """Where all calls pass. ``current`` is the worker whose turn it is; None: nothing can go wrong, as in setting up."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.clock = SkewedClock()
        self.current: Worker | None = None
        self.out: set[str] = set()
        self._history: list[tuple[float, str, str, tuple[object, ...]]] = []

    def say(self, what: str, *facts: object) -> None:
        """Add a line to the history; ``{}`` in it stands for the facts, which are written only if somebody reads it."""
        self._history.append((self.clock.seconds, self.current.name if self.current else "-", what, facts))

    @property
    def history(self) -> list[str]:
        """Everything that happened, in words: seconds, who, what."""
        return [f"{at:9.1f}  {who:<34} {what.format(*facts)}" for at, who, what, facts in self._history]

    async def call[T](self, what: str, effect: Coroutine[Any, Any, T]) -> T:
        """Let a call take effect, if it gets through, and return its answer, if it comes back."""
        try:
            await self.before(what)
        except BaseException:
            effect.close()
            raise
        answer = await effect
        await self.after(what)
        return answer

    async def before(self, what: str) -> None:
        """Let a call reach the other side.

        Raises:
            TryAgain: it doesn't get there.
        """
        worker = self.current
        if worker is None:
            return
        if worker.dead:
            raise Crashed
        worker.calls += 1
        kind = kind_of(what)
        if kind in self.out:
            worker.faults += 1
            await Gate(what, takes=worker.dice.uniform(0.1, CALL_LIMIT))
            raise TryAgain(f"an outage ({kind})", after=timedelta(seconds=5), fault=True)
        if self.chance.strikes(Fault.FAIL, worker.dice, worker, times=3 if kind == "directory" else 1):
            worker.faults += 1
            why, takes, after = worker.dice.choice(FAILURES)
            self.say("FAILS: {} ({})", what, why)
            await Gate(what, takes=takes)
            kind_of_fault = Throttled if kind == "directory" and why.startswith("429") else TryAgain
            raise kind_of_fault(f"chance ({what}: {why})", after=timedelta(seconds=after), fault=True)

    async def after(self, what: str) -> None:
        """Let others have their turn before the answer is there."""
        if self.current is not None:
            await Gate(what)
