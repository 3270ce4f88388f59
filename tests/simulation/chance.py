"""Chance, from one seed: what may go wrong, how often, and the gate that every call of a worker passes."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

LAG = 100.0
"""Seconds that a read of the directory may be old: the proof window, which is 120, less a margin."""

SKEW = 2.5
"""Seconds that a worker's clock may be off, either way."""


KINDS = {"get": "tables", "query": "tables", "write": "tables", "send": "bus", "mail": "mail"}
"""Calls by their first word; the rest are the directory's."""


class Crashed(BaseException):
    """The process of this worker is gone: nothing of it runs any more, not even what stands under ``finally``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often each thing goes wrong, as a share of the calls (crash, freeze, fail) or of the cases (the others)."""

    crash: float = 0.006
    freeze: float = 0.004
    fail: float = 0.01
    fail_directory: float = 0.06
    land_late: float = 0.06
    refuse: float = 0.02
    repeat: float = 0.08
    lose_scheduled: float = 0.3
    delay: float = 0.15
    false_conflict: float = 0.005
    stale_removal: float = 0.1
    seem_gone: float = 0.5


CALM = Rates(
    crash=0,
    freeze=0,
    fail=0,
    fail_directory=0,
    land_late=0,
    refuse=0,
    repeat=0,
    lose_scheduled=0,
    delay=0,
    false_conflict=0,
    stale_removal=0,
    seem_gone=0,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """A place where a worker waits for the scheduler: before a call takes effect, or before its answer comes back."""

    call: str
    answered: bool = False

    @property
    def kind(self) -> str:
        """Whose call it is: the tables', the bus's, the mailer's or the directory's."""
        return KINDS.get(self.call.partition(" ")[0], "directory")

    def __await__(self) -> Generator["Gate"]:
        yield self


class Chance:
    """The dice of one run, and what they are loaded with: ``calm`` ends all faults."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.rates = Rates()
        style = self.random.random()
        if style < 0.15:  # crashes and freezes only
            self.rates = Rates(
                fail=0, fail_directory=0, land_late=0, refuse=0, false_conflict=0, crash=0.02, freeze=0.02
            )
        elif style < 0.3:  # a bad directory
            self.rates = Rates(crash=0.002, freeze=0.002, fail_directory=0.25, land_late=0.3, refuse=0.1)
        elif style < 0.5:  # calls land late, and what follows is refused: the shortest way from asking to ending
            self.rates = Rates(crash=0.002, freeze=0.002, fail=0.002, land_late=0.5, refuse=0.4)

    def happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate

    def seconds(self, least: float, most: float) -> timedelta:
        return timedelta(seconds=self.random.uniform(least, most))

    @property
    def is_calm(self) -> bool:
        return self.rates is CALM

    def calm(self) -> None:
        self.rates = CALM
