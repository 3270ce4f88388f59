"""What a timer remembers, and how it begins again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.host.ncrontab import Schedule
from local.host.timer_status import TimerStatus, after_run, begin, payload

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule.parse("0 * * * * *")


def test_a_timer_without_a_past_waits_for_its_first_moment() -> None:
    start = begin(None, EVERY_MINUTE, now=NOON, run_on_startup=False)

    assert (start.run_now, start.past_due) == (False, False)
    assert start.status == TimerStatus(last=None, next=NOON + MINUTE, updated=NOON)


def test_a_timer_that_asks_for_it_runs_at_startup_and_is_not_late() -> None:
    start = begin(None, EVERY_MINUTE, now=NOON, run_on_startup=True)

    assert (start.run_now, start.past_due) == (True, False)


def test_runs_that_were_missed_are_made_up_for_once() -> None:
    remembered = after_run(EVERY_MINUTE, started_at=NOON)
    an_hour_later = NOON + timedelta(hours=1)

    start = begin(remembered, EVERY_MINUTE, now=an_hour_later, run_on_startup=False)
    made_up = after_run(EVERY_MINUTE, started_at=an_hour_later)
    again = begin(made_up, EVERY_MINUTE, now=an_hour_later + timedelta(seconds=1), run_on_startup=False)

    assert (start.run_now, start.past_due) == (True, True)
    assert (again.run_now, again.past_due) == (False, False)


def test_a_timer_that_is_on_time_just_waits() -> None:
    remembered = after_run(EVERY_MINUTE, started_at=NOON)

    start = begin(remembered, EVERY_MINUTE, now=NOON + MINUTE / 2, run_on_startup=False)

    assert not start.run_now
    assert start.status == remembered


@pytest.mark.parametrize("last", [NOON, None])
def test_a_changed_schedule_is_reckoned_anew_and_nothing_counts_as_missed(last: datetime | None) -> None:
    remembered = TimerStatus(last=last, next=NOON + MINUTE, updated=NOON)
    hourly, later = Schedule.parse("0 0 * * * *"), NOON + timedelta(hours=3, minutes=20)

    start = begin(remembered, hourly, now=later, run_on_startup=False)
    again = begin(start.status, hourly, now=later + MINUTE, run_on_startup=False)

    assert not start.past_due
    assert start.status.next == NOON + timedelta(hours=4)
    assert again.status == start.status, "the change is noticed once"


def test_a_status_survives_being_written_and_read() -> None:
    for status in (after_run(EVERY_MINUTE, started_at=NOON), TimerStatus(last=None, next=NOON, updated=NOON)):
        assert TimerStatus.read(json.dumps(status.document())) == status


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Last": 1, "Next": 2, "LastUpdated": 3}'])
def test_a_status_that_can_not_be_read_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        TimerStatus.read(text)


def test_a_function_is_told_whether_it_is_late_and_what_came_before() -> None:
    told = json.loads(payload(after_run(EVERY_MINUTE, started_at=NOON), past_due=True))

    assert told["IsPastDue"] is True
    assert told["ScheduleStatus"]["Next"].startswith("2026-01-05T12:01:00")
    assert json.loads(payload(None, past_due=False))["ScheduleStatus"] is None
