"""Shares of a distribution, and what a quota allows at best. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Self

from access.pace import Quota


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The spans, in seconds, within which half, 95 % and 99 % of the cases were done, and the worst."""

    p50: float
    p95: float
    p99: float
    worst: float

    @classmethod
    def of(cls, spans: Sequence[float]) -> Self:
        """Return those of some spans: the smallest one within which so large a share of them lies."""
        ordered = sorted(spans)
        if not ordered:
            raise ValueError("nothing was measured")
        half, most, nearly_all = (ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99))
        return cls(half, most, nearly_all, ordered[-1])


def best(count: int, quota: Quota | None) -> list[float]:
    """Return when each of ``count`` writes that are wanted at once can be done at best, in seconds, under a quota.

    As many as the quota takes at once, and as many again each time its window is over; nothing else takes any time.
    """
    if quota is None:
        return [0.0] * count
    return [number // quota.writes * quota.window.total_seconds() for number in range(count)]
