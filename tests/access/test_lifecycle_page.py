"""docs/lifecycle.md is drawn from the table, and says when it is stale."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lifecycle.md"


def draw(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.draw_lifecycle", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_page_is_as_the_table_says() -> None:
    assert draw("--check").returncode == 0, "run python -m tools.draw_lifecycle"


def test_a_page_that_says_otherwise_is_found_and_left_as_it_is(tmp_path: Path) -> None:
    stale = tmp_path / "lifecycle.md"
    text = PAGE.read_text(encoding="utf-8").replace("ending --> ended", "active --> ended")
    stale.write_text(text, encoding="utf-8")
    checked = draw("--check", "--page", str(stale))
    assert checked.returncode == 1
    assert "stale" in checked.stderr
    assert stale.read_text(encoding="utf-8") == text


def test_drawing_again_keeps_the_introduction_and_mends_the_rest(tmp_path: Path) -> None:
    stale = tmp_path / "lifecycle.md"
    text = PAGE.read_text(encoding="utf-8")
    stale.write_text(text.replace("# The life", "# Our own life").replace("ending --> ended", ""), encoding="utf-8")
    assert draw("--page", str(stale)).returncode == 0
    assert stale.read_text(encoding="utf-8") == text.replace("# The life", "# Our own life")


@pytest.mark.parametrize("option", [(), ("--check",)], ids=["draw", "check"])
def test_a_page_without_the_mark_is_not_touched(tmp_path: Path, option: tuple[str, ...]) -> None:
    unmarked = tmp_path / "lifecycle.md"
    unmarked.write_text("# Something else\n", encoding="utf-8")
    drawn = draw(*option, "--page", str(unmarked))
    assert drawn.returncode == 1
    assert "missing" in drawn.stderr
    assert unmarked.read_text(encoding="utf-8") == "# Something else\n"
