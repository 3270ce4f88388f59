"""What is to happen, decided by a seed alone: who is killed when, in what weather, and what people do meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched, chain, cycle
from random import Random

HOSTS = ("first", "second")
ROLES = ("left", "left-too", "right", "guarded")
"""The first two give the same group; the last one asks an approver."""


class Victim(StrEnum):
    """What is killed. ``DEPLOY``: both hosts at once, and a new version is started, as a deploy on the Flex plan does."""

    HOST = "host"
    STORAGE = "azurite"
    BROKER = "broker"
    DIRECTORY = "directory"
    DEPLOY = "deploy"


class Weather(StrEnum):
    """How the directory is in a round."""

    CALM = "calm"
    THROTTLING = "throttling"
    LAGGING = "lagging"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much happens. Times are in seconds.

    Each of the ``people`` asks again and again, for ``shortest`` to ``longest``. ``at_once`` parts are killed in a round,
    after ``quiet`` at most. A question to an approver lapses after ``lapse``. A read of the directory may be ``lag`` old.
    """

    people: int
    rounds: int
    at_once: int
    quiet: float
    shortest: int
    longest: int
    lapse: int
    lag: int
    lock: int
    settles_within: int


LONG = Size(
    people=100, rounds=20, at_once=1, quiet=8, shortest=60, longest=180, lapse=180, lag=30, lock=15, settles_within=1800
)
SHORT = Size(
    people=8, rounds=3, at_once=2, quiet=4, shortest=8, longest=14, lapse=20, lag=4, lock=8, settles_within=300
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """``quiet`` seconds in a weather, then somebody is killed and stays ``down`` for some seconds.

    ``names`` are the parts that are killed. ``broker_faults``: kinds of trouble (local/service_bus/semantics/faults.py) by
    queue.
    """

    number: int
    weather: Weather
    victims: tuple[Victim, ...]
    names: tuple[str, ...]
    quiet: float
    down: float
    broker_faults: dict[str, list[str]]


QUEUES = ("activation-requests", "approvals", "provisioning", "expirations", "notifications")
_TROUBLE = ("lose-lock", "repeat", "detach", "busy", "delay")


class Plan:
    """All choices of one run. The same seed makes the same choices; what they meet is up to the machine."""

    def __init__(self, seed: int, size: Size) -> None:
        self.seed, self.size = seed, size
        self._random = Random(seed)
        self._approver = Random(f"{seed} approver")

    def rounds(self) -> Iterator[Round]:
        """Yield the rounds: each part is killed in turn, and a deploy is in the middle."""
        random, size = self._random, self.size
        parts = [victim for victim in Victim if victim is not Victim.DEPLOY]
        random.shuffle(parts)
        turns = batched(cycle(parts), size.at_once, strict=False)
        weathers = chain([Weather.CALM], self._weathers())
        for number in range(1, size.rounds + 1):
            victims = (Victim.DEPLOY,) if number == size.rounds // 2 + 1 else next(turns)
            yield Round(
                number=number,
                weather=next(weathers),
                victims=victims,
                names=tuple(name for victim in victims for name in self._names(victim)),
                quiet=random.uniform(1, size.quiet),
                down=random.uniform(0, size.quiet / 2),
                broker_faults={queue: random.sample(_TROUBLE, 2) for queue in random.sample(QUEUES, 2)},
            )

    def _weathers(self) -> Iterator[Weather]:
        """Yield all weathers again and again, in an order that changes."""
        while True:
            yield from self._random.sample(list(Weather), len(Weather))

    def _names(self, victim: Victim) -> tuple[str, ...]:
        """Return the parts of the tenant that a victim is."""
        match victim:
            case Victim.DEPLOY:
                return HOSTS
            case Victim.HOST:
                return (self._random.choice(HOSTS),)
            case part:
                return (part.value,)

    def wishes(self, person: int) -> Iterator["Wish"]:
        """Yield what one of the people asks for, one after the other."""
        random, size = Random(f"{self.seed} {person}"), self.size
        while True:
            yield Wish(
                after=random.uniform(0, size.shortest),
                role=random.choice(ROLES),
                seconds=random.randint(size.shortest, size.longest),
                twice=random.random() < 0.2,
                gives_back=random.random() < 0.15,
            )

    def approves(self) -> bool:
        """Whether the approver says yes to the next question."""
        return self._approver.random() < 0.8

    def held_before(self) -> frozenset[int]:
        """Return the numbers of those people who are members of a group by somebody else's hand."""
        return frozenset(Random(f"{self.seed} before").sample(range(self.size.people), max(1, self.size.people // 10)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """After some seconds, a role for some seconds. ``twice``: the message is sent twice. ``gives_back``: before its end."""

    after: float
    role: str
    seconds: int
    twice: bool
    gives_back: bool
