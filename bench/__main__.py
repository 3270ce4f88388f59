"""``make bench``: measure, print a table, and write the figures as JSON and as a picture.

``python -m bench lag sweep`` measures only these parts; ``--small`` so little that only the benchmark itself is tried;
``--publish`` puts what came of it into the docs.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import plot
from bench.figures import by_group, missed
from bench.parts import PARTS, SMALL, Found, Sizes
from bench.publish import HEADINGS, page

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "bench" / "out"
PUBLISHED = {"figures.json": ROOT / "docs" / "figures.json", "figures.png": ROOT / "docs" / "pictures" / "figures.png"}
PAGE = ROOT / "docs" / "figures.md"
WIDTH = 180
NUMBERS = frozenset({"Measured", "Floor", "Ratio", "Calls"})


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures of this machine.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of: {', '.join(PARTS)}; default: all")
    parser.add_argument("--small", action="store_true", help="measure very little: to try the benchmark itself")
    parser.add_argument("--publish", action="store_true", help="copy the figures and the picture into docs/")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    logging.disable(logging.CRITICAL)  # faults are part of what is measured
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    whole, failed = _measure(chosen.parts or list(PARTS), SMALL if chosen.small else Sizes(), console)
    console.print()
    for group, figures in by_group(whole.figures).items():
        console.print(_table(group, HEADINGS, [figure.cells for figure in figures]))
        console.print()
    if whole.served:
        console.print(
            _table("What each call of a life serves", ("Life", "Calls", "To", "Which", "Serves"), whole.served)
        )
    console.print(f"Not met: {', '.join(missed(whole.figures)) or 'none'}.")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    _write(whole, console, machine)
    if failed:
        console.print(f"Not measured: {', '.join(failed)}.")
    elif chosen.publish:
        for name, place in PUBLISHED.items():
            shutil.copyfile(OUTPUT / name, place)
        PAGE.write_text(
            page(PAGE.read_text(encoding="utf-8"), whole.figures, whole.served, machine=machine), encoding="utf-8"
        )
    return 1 if failed else 0


def _measure(parts: list[str], sizes: Sizes, console: Console) -> tuple[Found, list[str]]:
    """Return what all parts came to, and those that failed: what the others measured is not lost by that."""
    whole, failed = Found(), []
    for name in parts:
        began = time.monotonic()
        try:
            found = PARTS[name](sizes)
        except Exception:  # noqa: BLE001 - said, and the others go on
            console.print_exception()
            failed.append(name)
            continue
        whole.figures += found.figures
        whole.drawn |= found.drawn
        whole.served += found.served
        console.print(f"{name}: measured in {time.monotonic() - began:.0f} s")
    return whole, failed


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", no_wrap=heading != "Serves")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _write(whole: Found, console: Console, machine: str) -> None:
    OUTPUT.mkdir(exist_ok=True)
    figures = [{**asdict(figure), "ratio": figure.ratio} for figure in whole.figures]
    served = [dict(zip(("life", "calls", "to", "which", "serves"), row, strict=True)) for row in whole.served]
    said = {"machine": machine, "figures": figures, "calls": served}
    (OUTPUT / "figures.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    plot.draw(OUTPUT / "figures.png", whole.drawn, machine=machine)
    console.print(f"Written: {', '.join(str((OUTPUT / name).relative_to(ROOT)) for name in PUBLISHED)}")


if __name__ == "__main__":
    sys.exit(main())
