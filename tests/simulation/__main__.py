"""``python -m tests.simulation --seeds COUNT`` runs seeds; ``--seed N`` replays one, and prints its history.

A seed that breaks a law is shrunk, and its small history is printed: who did what when, and what went wrong. With
``--without`` a replay leaves acts, kinds of faults and single faults out, as shrinking does.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

from tests.simulation.chance import STYLES, Case
from tests.simulation.shrink import shrink
from tests.simulation.story import Story
from tests.simulation.world import Broken, quiet_logs

SHOWN = 3
"""How many failing seeds are shrunk and printed; of the others, only the law."""

EVERY = 250


@dataclass(slots=True)
class Totals:
    """What many runs came to."""

    runs: int = 0
    steps: int = 0
    laws_held: int = 0
    worst_lag: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """Seed, law and words of each that broke one."""

    def add(self, other: "Totals") -> None:
        self.runs += other.runs
        self.steps += other.steps
        self.laws_held += other.laws_held
        self.worst_lag = max(self.worst_lag, other.worst_lag)
        self.faults += other.faults
        self.excused += other.excused
        self.states += other.states
        self.broken += other.broken


def main() -> int:
    """Run what was asked for; 1 where a law broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one, and print its history")
    parser.add_argument("--style", choices=STYLES, help="what the replay is aimed at, instead of what the seed says")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave this out of the replay")
    parser.add_argument("--seeds", type=int, default=300, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes at work")
    chosen = parser.parse_args()
    quiet_logs()
    if chosen.seed is not None:
        return replay(Case(seed=chosen.seed, without=frozenset(chosen.without), style=chosen.style))
    return run(range(chosen.start, chosen.start + chosen.seeds), jobs=chosen.jobs)


def replay(case: Case) -> int:
    """Print the history of one run, and what it broke."""
    story, broken = Story(case), None
    try:
        story.run()
    except Broken as found:
        broken = found
    _print(*story.world.line.history)
    if broken is not None:
        _print(str(broken))
    return 1 if broken else 0


def run(seeds: Sequence[int], *, jobs: int) -> int:
    """Run seeds, say how far they are, and sum up; the first failing ones are shrunk and shown."""
    began, totals = monotonic(), Totals()
    for one in _runs(seeds, jobs):
        totals.add(one)
        for seed, law, what in one.broken:
            _print(f"seed {seed} broke {law}: {what}")
        if totals.runs % EVERY == 0:
            pace = 60 * totals.runs / (monotonic() - began)
            _print(f"{totals.runs} of {len(seeds)} histories, {len(totals.broken)} broken, {pace:.0f} a minute")
    _sum_up(seeds, totals, monotonic() - began)
    for seed, law, _ in totals.broken[:SHOWN]:
        _show_small(seed, law)
    return 1 if totals.broken else 0


def _runs(seeds: Sequence[int], jobs: int) -> Iterator[Totals]:
    if jobs == 1:
        yield from map(run_one, seeds)
        return
    with ProcessPoolExecutor(jobs, initializer=quiet_logs) as processes:
        yield from processes.map(run_one, seeds, chunksize=10)


def run_one(seed: int) -> Totals:
    """Run one seed, and say what it came to."""
    story, totals = Story(seed), Totals(runs=1)
    try:
        story.run()
    except Broken as broken:
        totals.broken.append((seed, broken.law, broken.what))
    totals.steps, totals.laws_held = story.world.steps, story.laws.held
    totals.worst_lag, totals.excused = story.worst_lag, story.laws.excused
    totals.faults = story.world.chance.counts
    totals.states.update(str(values["state"]) for values in story.laws.rows.values())
    return totals


def _show_small(seed: int, law: str) -> None:
    case = shrink(Case(seed=seed), law)
    story = Story(case)
    try:
        story.run()
    except Broken as broken:
        _print("", f"The smallest history of seed {seed} that breaks {law}:", *story.world.line.history, str(broken))
        _print("Without:", *(f"  {name}" for name in sorted(case.without)))


def _sum_up(seeds: Sequence[int], totals: Totals, seconds: float) -> None:
    def said(counts: Counter[str]) -> str:
        return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"

    pace = 60 * totals.runs / seconds
    _print(
        f"{totals.runs} histories (seeds {seeds[0]} to {seeds[-1]}) in {seconds:.0f} s: {pace:.0f} a minute",
        f"{len(totals.broken)} broken; {totals.steps} steps, {totals.laws_held} changes held against the laws",
        f"requests became: {said(totals.states)}",
        f"faults: {said(totals.faults)}",
        f"excused: {said(totals.excused)}",
        f"once calm, the last end was proven {totals.worst_lag:.0f} s late at worst",
    )


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
