"""A failing run made small: every act and every fault that it can do without is left out, as long as the same law breaks.

Whole kinds of faults go first, then acts, then single faults, in ever smaller groups (delta debugging). Each try is a run.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from tests.simulation.chance import Case, Fault
from tests.simulation.story import Story
from tests.simulation.world import Broken

MOST_RUNS = 400


def shrink(case: Case, law: str, *, tried: Callable[[int, int], None] = lambda _runs, _left: None) -> Case:
    """Return the smallest case found that breaks the same law; ``tried`` is told of runs and of what is left after each."""
    runs = 0

    def still_breaks(without: frozenset[str]) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and broken_law(replace(case, without=without)) == law

    without = case.without
    for things in (_kinds, _acts, _faults):
        left = [thing for thing in things(replace(case, without=without)) if thing not in without]
        size = len(left)
        while size >= 1 and runs < MOST_RUNS:
            start = 0
            while start < len(left):
                group = left[start : start + size]
                if still_breaks(without | set(group)):
                    without |= set(group)
                    del left[start : start + size]
                else:
                    start += size
                tried(runs, len(left))
            size //= 2
    return replace(case, without=without)


def broken_law(case: Case) -> str:
    """Return the law that a case breaks, or nothing."""
    try:
        Story(case).run()
    except Broken as broken:
        return broken.law
    return ""


def _kinds(_: Case) -> Sequence[str]:
    return [str(fault) for fault in Fault]


def _acts(case: Case) -> Sequence[str]:
    return [act.name for act in _run(case).acts]


def _faults(case: Case) -> Sequence[str]:
    return list(dict.fromkeys(_run(case).world.chance.happened))


def _run(case: Case) -> Story:
    story = Story(case)
    with suppress(Broken):
        story.run()
    return story
