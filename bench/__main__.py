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
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import plot
from bench.figures import Figure, missed
from bench.parts import PARTS, SMALL, Found, Sizes

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "bench" / "out"
PUBLISHED = {"figures.json": ROOT / "docs" / "figures.json", "figures.png": ROOT / "docs" / "pictures" / "figures.png"}
WIDTH = 150
HEADINGS = ("Figure", "Measured", "Floor", "Ratio", "Held to", "")


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
    whole = _measure(chosen.parts or list(PARTS), SMALL if chosen.small else Sizes(), console)
    console.print()
    for group, figures in groupby(whole.figures, key=lambda figure: figure.group):
        console.print(_table(group, list(figures)))
        console.print()
    for note in whole.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Not met: {', '.join(missed(whole.figures)) or 'none'}.")
    _write(whole, console)
    if chosen.publish:
        for name, place in PUBLISHED.items():
            shutil.copyfile(OUTPUT / name, place)
    return 0


def _measure(parts: list[str], sizes: Sizes, console: Console) -> Found:
    whole = Found()
    for name in parts:
        began = time.monotonic()
        found = PARTS[name](sizes)
        whole.figures += found.figures
        whole.drawn |= found.drawn
        whole.notes += found.notes
        console.print(f"{name}: measured in {time.monotonic() - began:.0f} s")
    return whole


def _table(group: str, figures: list[Figure]) -> Table:
    table = Table(title=group, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number in {1, 2, 3} else "left", no_wrap=True)
    for figure in figures:
        table.add_row(*figure.cells)
    return table


def _write(whole: Found, console: Console) -> None:
    OUTPUT.mkdir(exist_ok=True)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    figures = [{**asdict(figure), "ratio": figure.ratio} for figure in whole.figures]
    said = {"machine": machine, "figures": figures, "calls": whole.notes}
    (OUTPUT / "figures.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    plot.draw(OUTPUT / "figures.png", whole.drawn, machine=machine)
    console.print(f"Written: {', '.join(str((OUTPUT / name).relative_to(ROOT)) for name in PUBLISHED)}")


if __name__ == "__main__":
    sys.exit(main())
