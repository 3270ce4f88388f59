"""Draws the life of an activation into docs/lifecycle.md from the table in access/lifecycle.py.

``python -m tools.draw_lifecycle`` rewrites what stands below the mark and keeps the introduction above it; with
``--check`` it changes nothing, and fails where the page is stale.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from access.lifecycle import TABLE, Work, asks_for, is_final
from access.model import State

PAGE = Path(__file__).parent.parent / "docs" / "lifecycle.md"
MARK = "<!-- Drawn by tools/draw_lifecycle.py; change access/lifecycle.py, then run it again. -->"

_WORK = {
    Work.DECISION: "an approver's decision",
    Work.START: "its start",
    Work.GIVING: "the directory, until a read confirms it",
    Work.END: "its end",
    Work.REMOVAL: "the removal, until a read proves it",
    Work.NOTHING: "nothing: final",
}


def arrows() -> Iterator[tuple[str, str, str]]:
    """Yield each move as state, event and next state; the state of what doesn't exist yet is empty."""
    for state, moves in TABLE.items():
        for event, after in moves.items():
            yield state or "", event, after


def diagram() -> Iterator[str]:
    """Yield the lines of a Mermaid state diagram; events between the same two states share an arrow."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    ordered = sorted(arrows(), key=lambda arrow: (_rank(arrow[0]), _rank(arrow[2])))
    for (state, after), moves in groupby(ordered, key=lambda arrow: (arrow[0], arrow[2])):
        yield f"    {state or '[*]'} --> {after} : {', '.join(event for _, event, _ in moves)}"
    for final in filter(is_final, State):
        yield f"    {final} --> [*]"
    yield "```"


def _rank(state: str) -> int:
    return list(State).index(State(state)) if state else -1


def moves_table() -> Iterator[str]:
    """Yield the rows of the table of moves; a state that is never left has a row that says so."""
    yield "| State | Event | Next state |"
    yield "|---|---|---|"
    for state, moves in TABLE.items():
        for event, after in moves.items():
            yield f"| {_code(state)} | `{event}` | {'stays' if after is state else _code(after)} |"
        if state is not None and is_final(state) and not moves:
            yield f"| {_code(state)} | - | final |"


def states_table() -> Iterator[str]:
    """Yield the rows of the table of states and what each waits for."""
    yield "| State | Waits for |"
    yield "|---|---|"
    for state in State:
        yield f"| {_code(state)} | {_WORK[asks_for(state)]} |"


def _code(state: str | None) -> str:
    return f"`{state}`" if state else "(new)"


def drawn() -> str:
    """Return everything that stands below the mark."""
    parts = ("", *diagram(), "", "## States", "", *states_table(), "", "## Moves", "", *moves_table(), "")
    return "\n".join(parts)


def main() -> int:
    """Rewrite the page, or say that it is stale; return the exit code."""
    parser = argparse.ArgumentParser(description="Draw docs/lifecycle.md from access/lifecycle.py.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the page is stale")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page, if not docs/lifecycle.md")
    options = parser.parse_args()
    text = options.page.read_text(encoding="utf-8")
    introduction, mark, _ = text.partition(MARK)
    if not mark:
        sys.exit(f"{options.page}: the line that says where the drawing begins is missing: {MARK}")
    fresh = f"{introduction}{MARK}\n{drawn()}"
    if fresh == text:
        return 0
    if options.check:
        print(f"{options.page} is stale: run python -m tools.draw_lifecycle", file=sys.stderr)
        return 1
    options.page.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
