"""A figure beside what it is held to. Pure: what measures is in the other modules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. ``value`` and ``floor`` are in ``unit``; ``target`` says in words what ``met`` answers.

    ``floor``: what the same calls cost by the SDKs alone, or the best that a quota allows; None: there is none.
    """

    group: str
    name: str
    value: float | str
    unit: str = ""
    floor: float | None = None
    target: str = ""
    met: bool | None = None

    def within(self, limit: float, target: str) -> Self:
        """Return the figure, held to a limit that it must not be over."""
        return replace(self, target=target, met=not isinstance(self.value, str) and self.value <= limit)

    def within_floor(self, times: float) -> Self:
        """Return the figure, held to a multiple of its floor."""
        return self.within(times * (self.floor or 0.0), f"{times} times the floor")

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of its floor."""
        if self.floor is None or isinstance(self.value, str) or self.floor <= 0:
            return None
        return self.value / self.floor

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as it is shown: figure, measured, floor, ratio, target, whether it was met."""
        shown = self.value if isinstance(self.value, str) else f"{number(self.value)} {self.unit}".rstrip()
        floor = "" if self.floor is None else f"{number(self.floor)} {self.unit}".rstrip()
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.name, shown, floor, ratio, self.target, {True: "met", False: "NOT MET", None: ""}[self.met]


def by_group(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """Return the figures of each group, in the order in which the groups were begun."""
    groups: dict[str, list[Figure]] = {}
    for figure in figures:
        groups.setdefault(figure.group, []).append(figure)
    return groups


def number(value: float) -> str:
    """Return a number as short as it is exact enough: three digits that count, and all digits before the point."""
    if value == int(value) or abs(value) >= 100:  # noqa: PLR2004 - three digits stand before the point
        return f"{value:,.0f}"
    return f"{value:.3g}"


def missed(figures: Sequence[Figure]) -> list[str]:
    """Return the names of the figures whose target was not met."""
    return [f"{figure.group}: {figure.name}" for figure in figures if figure.met is False]
