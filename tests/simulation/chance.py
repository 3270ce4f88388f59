"""Chance, from one seed: what goes wrong, how often, and which of it a run leaves out.

Every concern has dice of its own: what people do, what each worker meets, what becomes of each message. So a run that leaves
one act or one fault out is the same run but for what follows from it: that is how a failing run shrinks (shrink.py).
"""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from types import MappingProxyType

from tests.fakes.tenant import TIMING

SKEW = 2.5
"""Seconds that a worker's clock is off at most, either way: two of them differ by 5."""

LAG = TIMING.proof_window.total_seconds() - 2 * SKEW - 2
"""Seconds that a read of the directory is old at most: the proof window, less two clocks' difference and two whole seconds."""

TAIL = TIMING.tail.total_seconds()
CALL_LIMIT = TIMING.call_limit.total_seconds()


class Fault(StrEnum):
    """Everything that chance does; the words are those of the summary, and of ``--without``."""

    CRASH = "crash"
    """The worker's process is gone, between one call and the next."""
    FREEZE = "freeze"
    """It stands still, for seconds or for minutes, and goes on."""
    FAIL = "fail"
    """A call fails before it took effect, at once or when its time is over; or with 429 or 503 and a Retry-After."""
    LOSE_ANSWER = "lose-answer"
    """A call took effect, and its answer is lost."""
    LAND_LATE = "land-late"
    """A directory call that timed out lands when its caller has given up."""
    REFUSE = "refuse"
    """The directory refuses for good."""
    LAG = "lag"
    """A replica of the directory answers with what was true before."""
    STALE_WRITE = "stale-write"
    """A write meets an old replica: "already there", or "nothing there"."""
    SEEM_GONE = "seem-gone"
    """A replica doesn't know the group, where some act has made that possible."""
    FALSE_CONFLICT = "false-conflict"
    """A write succeeds, and says that somebody else was first: the client library's own retry met it."""
    REPEAT = "repeat"
    """A message is delivered twice."""
    DELAY = "delay"
    """A message comes late, and so out of order."""
    LOSE = "lose"
    """A scheduled message is lost, where a due row stands beside it."""
    LOSE_LOCK = "lose-lock"
    """The lock of a message runs out while its worker works on: two workers have it."""
    SKEW = "skew"
    """A worker's clock is off."""


Rates = Mapping[Fault, float]
"""How often each thing goes wrong, as a share of the cases in which it could."""

USUAL: Rates = MappingProxyType(
    {
        Fault.CRASH: 0.012,
        Fault.FREEZE: 0.008,
        Fault.FAIL: 0.02,
        Fault.LOSE_ANSWER: 0.015,
        Fault.LAND_LATE: 0.06,
        Fault.REFUSE: 0.02,
        Fault.LAG: 0.9,
        Fault.STALE_WRITE: 0.1,
        Fault.SEEM_GONE: 0.5,
        Fault.FALSE_CONFLICT: 0.01,
        Fault.REPEAT: 0.08,
        Fault.DELAY: 0.15,
        Fault.LOSE: 0.3,
        Fault.LOSE_LOCK: 0.02,
        Fault.SKEW: 0.9,
    }
)

_FEW: Rates = {
    **USUAL,
    **dict.fromkeys((Fault.CRASH, Fault.FREEZE, Fault.FAIL, Fault.LOSE_ANSWER, Fault.FALSE_CONFLICT), 0.002),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a run is aimed at. ``weight``: how many of the runs; ``freezes``: seconds that a worker stands still at most.

    ``again``: one account asks again and again for the same, for so many minutes; 0: people ask now and then.
    ``hasty``: who asked gives back, cancels or extends within seconds. ``held_before``, ``seem_gone``, ``by_hand``: how
    often somebody is a member from the beginning, a replica is without a group, and somebody puts a member in by hand.
    ``stopped``: how often ops stop granting, half of the time just when people ask.
    """

    weight: float = 1
    rates: Rates = USUAL
    freezes: tuple[float, ...] = (12.0, 70.0, 300.0)
    again: int = 0
    held_before: float = 0.15
    seem_gone: float = 0.2
    by_hand: float = 0.2
    hasty: bool = False
    stopped: float = 0.1


STYLES: Mapping[str, Style] = {
    "everything": Style(weight=3),
    "dying": Style(rates={**_FEW, Fault.CRASH: 0.03, Fault.FREEZE: 0.02, Fault.REFUSE: 0.0, Fault.LAND_LATE: 0.0}),
    "bad directory": Style(
        weight=2, rates={**_FEW, Fault.FAIL: 0.02, Fault.LAND_LATE: 0.3, Fault.REFUSE: 0.1, Fault.STALE_WRITE: 0.3}
    ),
    "landing late": Style(weight=2, rates={**_FEW, Fault.LAND_LATE: 0.5, Fault.REFUSE: 0.3}),
    "landing late, again": Style(rates={**_FEW, Fault.LAND_LATE: 0.4, Fault.LAG: 0.3}, again=1),
    "stale": Style(rates={**_FEW, Fault.LAG: 1.0, Fault.STALE_WRITE: 0.6, Fault.LAND_LATE: 0.15}),
    "stale, again": Style(rates={**_FEW, Fault.LAG: 1.0, Fault.STALE_WRITE: 0.1}, again=4),
    "frozen, again": Style(
        rates={**_FEW, Fault.FREEZE: 0.06, Fault.LAND_LATE: 0.0}, again=3, freezes=(12.0, 300.0, 600.0)
    ),
    "not ours": Style(
        rates={**_FEW, Fault.LAND_LATE: 0.5, Fault.SEEM_GONE: 0.8, Fault.LAG: 0.5},
        held_before=0.5,
        seem_gone=0.8,
        by_hand=0.6,
    ),
    "two at once": Style(
        rates={**_FEW, Fault.FREEZE: 0.025, Fault.LOSE_LOCK: 0.15, Fault.REPEAT: 0.25, Fault.LAND_LATE: 0.15}
    ),
    "hasty": Style(rates={**_FEW, Fault.FREEZE: 0.1, Fault.LAND_LATE: 0.1}, freezes=(8.0,), hasty=True, stopped=0.6),
    "few faults": Style(rates={**_FEW, Fault.LAND_LATE: 0.01, Fault.REFUSE: 0.0, Fault.STALE_WRITE: 0.02}),
}
"""Runs are aimed at dangers, since chance alone meets two of them together too seldom."""

CALM: Rates = MappingProxyType(dict.fromkeys(Fault, 0.0))

KINDS = {
    "get": "tables",
    "query": "tables",
    "write": "tables",
    "send": "bus",
    "mail": "mail",
    "blob": "blobs",
    "dead": "bus",
}
"""Whose call it is, by its first word; the rest are the directory's."""


class Crashed(BaseException):
    """The process of this worker is gone: nothing of it runs any more, not even what stands under ``finally``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run: its seed, and what it leaves out: acts, kinds of faults, and single faults, by their names."""

    seed: int
    without: frozenset[str] = frozenset()
    style: str | None = None
    """What to aim at; None: what the seed says."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A place where a worker waits for the scheduler. ``takes``: seconds; None: as long as a call takes."""

    call: str
    takes: float | None = None

    def __await__(self) -> Generator["Gate"]:
        yield self


def kind_of(call: str) -> str:
    """Return whose call this is: the tables', the bus's, the mailer's, the blobs' or the directory's."""
    return KINDS.get(call.partition(" ")[0], "directory")


@dataclass(slots=True)
class Chance:
    """What goes wrong in one run. ``happened`` names every fault in its order; ``calm`` ends all of them."""

    case: Case
    rates: Rates = CALM
    style: Style = field(default_factory=Style)
    happened: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def dice(self, concern: str) -> Random:
        """Return dice that fall the same way for this concern, whatever else the run leaves out."""
        return Random(f"{self.case.seed} {concern}")

    def choose_style(self) -> str:
        """Choose what this run is aimed at, by its name."""
        weights = [style.weight for style in STYLES.values()]
        (name,) = self.dice("style").choices(list(STYLES), weights)
        name = self.case.style or name
        self.style = STYLES[name]
        return name

    def begin(self) -> None:
        """Have things go wrong from here on."""
        self.rates = self.style.rates

    @property
    def is_calm(self) -> bool:
        return self.rates is CALM

    def calm(self) -> None:
        self.rates = CALM

    def strikes(self, fault: Fault, dice: Random, where: object, *, times: float = 1) -> bool:
        """Whether this fault happens here. The dice fall in any case, so that what follows is the same.

        ``where`` in words names the place, the same in every run of the seed.
        """
        if dice.random() >= self.rates[fault] * times:
            return False
        name = f"{fault}@{where}"
        if fault in self.case.without or name in self.case.without:
            return False
        self.happened.append(name)
        self.counts[fault] += 1
        return True
