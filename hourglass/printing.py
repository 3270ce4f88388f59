"""What the command prints: plain text that reads at 80 columns and in a pipe; colour only where a terminal shows it."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hourglass.saying import plain, shown


def console() -> Console:
    """Return a console on the standard output. Text is printed as it is: nothing in it is taken for markup."""
    return Console(markup=False, emoji=False, highlight=False)


def error_console() -> Console:
    """Return a console on the standard error."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False)


def table(*columns: str) -> Table:
    """Return a table without lines, whose cells fold instead of being cut off."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def fields(*pairs: tuple[str, object]) -> Table:
    """Return names and values side by side; what is empty is left out."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="dim", no_wrap=True, min_width=11)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, ""):
            made.add_row(f"  {name}", value if isinstance(value, Text) else shown(value))
    return made


def print_table(made: Table) -> None:
    """Print a table; in a pipe without the blanks that fill its cells, which nobody sees but every script trips over."""
    out = console()
    if out.is_terminal:
        out.print(made)
        return
    with out.capture() as captured:
        out.print(made)
    for line in captured.get().splitlines():
        out.print(line.rstrip(), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON for scripts: whole, never folded."""
    console().print(json.dumps(value, default=plain, indent=2, ensure_ascii=False), soft_wrap=True)
