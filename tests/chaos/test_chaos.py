"""A short run with each ``make test``: every part of a real tenant is killed, and at the end every law holds."""

import time
from pathlib import Path

import pytest

from tests.chaos.plan import SHORT, Plan
from tests.chaos.run import Run, say


@pytest.mark.real
@pytest.mark.timeout(SHORT.settles_within + 240)
async def test_whatever_is_killed_nothing_is_held_lost_or_done_twice_at_the_end(tmp_path: Path) -> None:
    seed = int(time.time())
    say(f"seed {seed}; again with: python -m tests.chaos --short --seed {seed}")

    summary = await Run(Plan(seed, SHORT), tmp_path, say).play()

    assert summary.broken == []
    assert summary.settled_after is not None
    assert summary.provisioned > 0
    assert {*summary.kills} == {"host", "azurite", "broker", "directory", "deploy"}
