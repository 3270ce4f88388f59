"""What the demo prints: a line for each thing that happened, with when, and whether it was as it should be."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_TICK = 0.2


@dataclass(slots=True)
class Step:
    """One line of the summary: ``seconds`` is how long it took since the line before."""

    title: str
    true: bool
    seconds: float


@dataclass(slots=True)
class Timeline:
    """Prints and remembers. A step that isn't true makes the whole demo fail, and the demo goes on to show the rest."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)
    _last: float = 0.0

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def say(self, text: str) -> None:
        """Print something that happened, beneath a step."""
        self.console.print(Padding(Text(text, style="dim"), (0, 0, 0, 13)))

    async def step(self, title: str, is_true: Callable[[], Awaitable[bool]], *, within: float) -> bool:
        """Wait until something is true, at most ``within`` seconds, and print whether it became so."""
        started = time.monotonic()
        true = await is_true()
        while not true and time.monotonic() < started + within:
            await asyncio.sleep(_TICK)
            true = await is_true()
        self._print(title, true=true)
        return true

    def fact(self, title: str, *, true: bool) -> bool:
        """Print something that is so now, or is not."""
        self._print(title, true=true)
        return true

    def _print(self, title: str, *, true: bool) -> None:
        at = time.monotonic() - self.began
        step = Step(title, true, at - self._last)
        self._last = at
        self.steps.append(step)
        mark = "[green]\u2713[/green]" if step.true else "[red]\u2717 NOT TRUE[/red]"
        line = Table.grid(padding=(0, 1))
        for width in (10, None):
            line.add_column(width=width, no_wrap=width is not None)
        line.add_column()
        line.add_row(f"  {at:6.1f} s", mark, Text(step.title))
        self.console.print(line)

    def summary(self, figures: dict[str, str]) -> bool:
        """Print what happened and how long each step took; whether every step was true."""
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        for heading in ("What happened", "Took", "True"):
            table.add_column(heading, justify="left" if heading == "What happened" else "right")
        for step in self.steps:
            table.add_row(step.title, f"{step.seconds:.1f} s", "yes" if step.true else "[red]NO[/red]")
        self.chapter("Summary")
        self.console.print(table)
        for name, value in figures.items():
            self.console.print(f"  {name}: [bold]{value}[/bold]", highlight=False)
        return all(step.true for step in self.steps)
