"""When a timer runs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from local.host.ncrontab import Schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * * *", "2026-01-05T09:00:00.250", "2026-01-05T09:00:01"),
        ("0 * * * * *", "2026-01-05T09:00:00", "2026-01-05T09:01:00"),
        ("* * * * *", "2026-01-05T09:00:30", "2026-01-05T09:01:00"),
        ("0 */15 * * * *", "2026-01-05T09:15:00", "2026-01-05T09:30:00"),
        ("0 5/20 * * * *", "2026-01-05T09:25:00", "2026-01-05T09:45:00"),
        ("0 0 9-17 * * mon-fri", "2026-01-09T17:00:00", "2026-01-12T09:00:00"),
        ("0 30 8 1 jan,jul *", "2026-01-01T08:30:00", "2026-07-01T08:30:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:58", "2026-12-31T23:59:59"),
        ("0 0 0 13 * fri", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
    ],
)
def test_the_next_run_is_the_first_moment_that_every_field_matches(expression: str, after: str, expected: str) -> None:
    assert Schedule.parse(expression).next_after(at(after)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "0 0 24 * * *",
        "0 0 0 0 * *",
        "0 0 0 * * 7",
        "*/0 * * * * *",
        "5-1 * * * * *",
        "x * * * * *",
        "00:00:10",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Schedule.parse(expression)


def test_a_schedule_that_never_comes_round_is_refused_when_asked() -> None:
    with pytest.raises(ValueError, match="never"):
        Schedule.parse("0 0 0 30 2 *").next_after(at("2026-01-01T00:00:00"))


def test_a_schedule_is_read_by_the_clock_of_its_zone() -> None:
    berlin = Schedule.parse("0 0 8 * * *", ZoneInfo("Europe/Berlin"))

    assert berlin.next_after(at("2026-01-05T00:00:00")) == at("2026-01-05T07:00:00")
    assert berlin.next_after(at("2026-07-05T00:00:00")) == at("2026-07-05T06:00:00")


def test_the_hour_that_a_clock_change_repeats_never_leads_back() -> None:
    berlin = Schedule.parse("0 */30 * * * *", ZoneInfo("Europe/Berlin"))
    instant = at("2026-10-24T23:45:00")

    for _ in range(12):
        following = berlin.next_after(instant)
        assert following > instant
        instant = following
