"""Scripted faults: what is to go wrong next on an entity, and how many times."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be made to go wrong."""

    LOSE_LOCK = "lose-lock"  # settling answers message-lock-lost, as if the lock had just expired
    DETACH = "detach"  # the link is detached instead
    BUSY = "busy"  # sending answers server-busy
    DELAY = "delay"  # a send is acknowledged, or a delivery goes out, later
    REPEAT = "repeat"  # a completed message is delivered once more


class Moment(StrEnum):
    """When in the life of a message a fault strikes."""

    SEND = "send"
    DELIVERY = "delivery"
    SETTLE = "settle"


MOMENTS: dict[Kind, frozenset[Moment]] = {
    Kind.LOSE_LOCK: frozenset({Moment.SETTLE}),
    Kind.DETACH: frozenset({Moment.SEND, Moment.DELIVERY}),
    Kind.BUSY: frozenset({Moment.SEND}),
    Kind.DELAY: frozenset({Moment.SEND, Moment.DELIVERY}),
    Kind.REPEAT: frozenset({Moment.SETTLE}),
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of fault on one entity, ``count`` more times, at any of ``moments``; by chance at a ``share`` of them."""

    kind: Kind
    count: int
    moments: frozenset[Moment]
    milliseconds: int = 0
    share: float = 1.0


class FaultScript:
    """The faults still to come, by entity."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}

    def add(self, path: str, faults: list[Fault]) -> None:
        """Let these go wrong on the entity, after what was scripted before."""
        self._faults.setdefault(path.lower(), []).extend(faults)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def pending(self) -> dict[str, list[Fault]]:
        """Return what is still to go wrong, by lower-case entity path."""
        return {path: list(faults) for path, faults in self._faults.items() if faults}

    def take(self, path: str, kind: Kind, moment: Moment) -> Fault | None:
        """Return the fault that strikes here and now, and use it up once; None is the usual answer."""
        faults = self._faults.get(path.lower())
        if not faults:
            return None
        fault = next((each for each in faults if each.kind is kind and moment in each.moments), None)
        if fault is None or (fault.share < 1 and random.random() >= fault.share):
            return None
        fault.count -= 1
        if fault.count <= 0:
            faults.remove(fault)
        return fault

    def take_delay(self, path: str, moment: Moment) -> float:
        """Return how long to wait here and now, in seconds: 0 unless a delay was scripted."""
        fault = self.take(path, Kind.DELAY, moment)
        return 0.0 if fault is None else fault.milliseconds / 1000
