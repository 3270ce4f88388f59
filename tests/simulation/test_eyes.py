"""Whether the simulation sees: each planted bug is found within so many seeds, by a law that it breaks."""

import pytest

from tests.simulation.chance import Case
from tests.simulation.planted import PLANTED
from tests.simulation.shrink import broken_law

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    bug = PLANTED[name]

    with bug.plant():
        found = next(filter(None, (broken_law(Case(seed=seed, style=bug.style)) for seed in range(bug.within))), "none")

    assert found in bug.laws
