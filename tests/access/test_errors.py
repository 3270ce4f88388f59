"""What can go wrong: three kinds, each with what its reader needs; every code explained once."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from access.errors import Code, Refused, TryAgain, Unusable
from access.model import Unmet

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `HG-")
]


def test_every_code_is_explained_in_the_page_of_codes() -> None:
    assert {row[0].strip("`") for row in ROWS} >= set(Code)


def test_the_page_of_codes_explains_no_code_that_does_not_exist() -> None:
    assert {row[0].strip("`") for row in ROWS} <= set(Code)


def test_every_code_is_explained_once() -> None:
    assert len(ROWS) == len({row[0] for row in ROWS})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("`"))
def test_a_code_has_a_meaning_a_remedy_and_somebody_who_sees_it(row: list[str]) -> None:
    assert len(row) == 4
    meaning, remedy, _ = row[1:]
    assert all(row)
    assert meaning.endswith(".")
    assert remedy.endswith(".")


@pytest.mark.parametrize("code", Code)
def test_a_code_is_spelled_like_its_name(code: Code) -> None:
    assert code == f"HG-{code.name.replace('_', '-')}"
    assert re.fullmatch(r"HG(-[A-Z0-9]+)+", code)


def test_a_refusal_says_all_that_is_not_met() -> None:
    refused = Refused(Unmet(Code.TICKET_MISSING, "No ticket.", "Give one."), Unmet(Code.START_PAST, "Past.", "Later."))
    assert [unmet.code for unmet in refused.unmet] == [Code.TICKET_MISSING, Code.START_PAST]
    assert str(refused) == "HG-TICKET-MISSING: No ticket.; HG-START-PAST: Past."


def test_later_says_what_is_waited_for_for_how_long_and_whether_it_is_a_fault() -> None:
    later = TryAgain("the directory", after=timedelta(minutes=2))
    assert (later.what, later.after, later.fault) == ("the directory", timedelta(minutes=2), False)
    assert str(later) == "the directory; again in 120 s"
    assert TryAgain("the directory", after=timedelta(), fault=True).fault


def test_a_message_that_is_set_aside_says_its_code_and_why() -> None:
    broken = Unusable(Code.BODY_EMPTY, "the body is empty")
    assert (broken.code, broken.what, str(broken)) == (
        Code.BODY_EMPTY,
        "the body is empty",
        "HG-BODY-EMPTY: the body is empty",
    )
