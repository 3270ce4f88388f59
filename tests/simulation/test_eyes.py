"""Whether the simulation sees: each planted bug is found within some seeds, by the law that it breaks."""

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.story import Story
from tests.simulation.world import Broken

PATIENCE = 200


@pytest.mark.parametrize(("bug", "law"), [(bug, law) for bug, (law, _) in PLANTED.items()])
def test_a_planted_bug_is_found(bug: str, law: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    _, planted = PLANTED[bug]

    with planted():
        found = next(filter(None, map(broken_by, range(PATIENCE))), "nothing")

    assert law in found


def broken_by(seed: int) -> str:
    """Return what a seed breaks, or nothing."""
    try:
        Story(seed).run()
    except Broken as broken:
        return str(broken)
    return ""
