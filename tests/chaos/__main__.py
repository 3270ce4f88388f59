"""``python -m tests.chaos --seed 1 --rounds 20``: the long form; ``--short`` plays the one of the test suite."""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from local.tenant.problems import TenantProblem
from tests.chaos.plan import LONG, SHORT, Plan
from tests.chaos.run import Run, Summary, say


def main() -> int:
    """Play one run; 0 only if every law holds."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kill the real thing, and look what is left."
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="repeats the choices of a run (default: now)"
    )
    parser.add_argument("--short", action="store_true", help="few people and rounds, as in the test suite")
    parser.add_argument("--rounds", type=int, help=f"(default: {LONG.rounds})")
    parser.add_argument("--people", type=int, help=f"who ask again and again (default: {LONG.people})")
    parser.add_argument("--keep", type=Path, help="a folder for the tenant's data and logs, which stay there")
    options = parser.parse_args()
    size = SHORT if options.short else LONG
    size = replace(size, rounds=options.rounds or size.rounds, people=options.people or size.people)
    say(f"seed {options.seed}: {size.people} people, {size.rounds} rounds")
    plan = Plan(options.seed, size)
    try:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            return verdict(asyncio.run(Run(plan, options.keep.resolve(), say).play()))
        with tempfile.TemporaryDirectory(prefix="hourglass-chaos-") as folder:
            return verdict(asyncio.run(Run(plan, Path(folder), say).play()))
    except TenantProblem as problem:
        sys.stderr.write(f"hourglass: {problem}\n")
        return 1


def verdict(summary: Summary) -> int:
    """Say how it went; return the exit code."""
    for line in summary.lines():
        say(f"  {line}")
    for broken in summary.broken:
        say(f"BROKEN: {broken}")
    if summary.broken:
        say(f"seed {summary.seed}: {len(summary.broken)} laws are broken; --keep DIR keeps the logs of a run")
        return 1
    say(f"seed {summary.seed}: every law holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
