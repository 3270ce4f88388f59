"""``python -m tests.simulation --seeds COUNT`` runs seeds; ``--seed N`` replays one and prints its history."""

import argparse
import sys
import traceback
from time import monotonic

from tests.simulation.story import Story
from tests.simulation.world import Broken, quiet_logs


def main() -> int:
    """Run what was asked for; 1 where a law broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one, and print its history")
    parser.add_argument("--seeds", type=int, default=200, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    chosen = parser.parse_args()
    quiet_logs()
    return _replay(chosen.seed) if chosen.seed is not None else _run(chosen.start, chosen.seeds)


def _replay(seed: int) -> int:
    story = Story(seed)
    try:
        story.run()
    except Exception:  # noqa: BLE001 - the history first, then what broke it
        _print(*story.world.history)
        traceback.print_exc()
        return 1
    _print(*story.world.history)
    return 0


def _run(start: int, count: int) -> int:
    began, broken, steps, dead = monotonic(), 0, 0, 0
    for number, seed in enumerate(range(start, start + count), start=1):
        story = Story(seed)
        try:
            story.run()
        except Exception as error:  # noqa: BLE001 - whatever breaks one seed, the others run
            broken += 1
            _print(str(error) if isinstance(error, Broken) else f"seed {seed}: {error!r}")
        steps += story.world.steps
        dead += len(story.world.dead_letters)
        if number % 100 == 0:
            _print(f"{number} of {count} seeds, {broken} broken")
    seconds = monotonic() - began
    _print(
        f"{count} seeds, {broken} broken, {steps} steps, {dead} dead letters, {seconds:.0f} s, "
        f"{60 * count / seconds:.0f} seeds a minute"
    )
    return 1 if broken else 0


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
