"""``python -m bench``: measure, print a table, and write the figures as JSON."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import cards, imports

FIGURES = Path(__file__).parent / "figures.json"


def main() -> int:
    """Print every figure beside what it is to be held to."""
    console = Console()
    console.print("Measuring: about a minute.")
    indexing = imports.measure()
    with tempfile.TemporaryDirectory(prefix="hourglass-bench-") as folder:
        pressed = asyncio.run(cards.measure(Path(folder)))
    rows = [
        ("`import function_app` / `import azure.functions`", f"{indexing.ratio:.2f}", "at most 1.50"),
        ("of the heavy SDKs loaded by it", ", ".join(indexing.heavy) or "none", "none"),
        ("card decision, p50", f"{pressed.percentile(0.5) * 1000:.0f} ms", "under 300 ms"),
        ("card decision, p95", f"{pressed.percentile(0.95) * 1000:.0f} ms", ""),
        *((f"memory of {name}", f"{size} MiB", "under 200 MiB") for name, size in pressed.memory.items()),
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Figure", "Measured", "Held to"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    FIGURES.write_text(
        json.dumps([dict(zip(("figure", "measured", "held_to"), row, strict=True)) for row in rows], indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
