"""A fixed number of histories, in which every law holds; and every one that ever broke one."""

import pytest

from tests.simulation.story import Story

SEEDS = range(24)
BROKE_ONCE: tuple[int, ...] = (31,)
"""Seeds that found a bug; a seed means the same history only as long as the simulation draws the same dice."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


@pytest.mark.parametrize("seed", [*SEEDS, *BROKE_ONCE])
def test_the_laws_hold_whatever_dies_freezes_fails_or_comes_late(seed: int) -> None:
    Story(seed).run()


def test_a_seed_replays_to_the_letter() -> None:
    first, second = Story(7), Story(7)

    first.run()
    second.run()

    assert first.world.line.history == second.world.line.history
