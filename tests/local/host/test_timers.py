"""Timers on real blobs: one host of several runs them, and the next one carries on."""

import time
from pathlib import Path

import pytest

from .running_host import APPS, RunningHost, until

pytestmark = pytest.mark.real

PERIOD = 1.0
"""Seconds between two ticks of the sample app."""


def start(directory: Path, storage: str, *, name: str, host_id: str) -> RunningHost:
    return RunningHost(
        APPS / "sample",
        directory,
        *("--functions", "tick", "--host-id", host_id),
        environment={"AzureWebJobsStorage": storage},
        name=name,
    )


def test_a_timer_runs_by_its_schedule_and_catches_up_after_a_pause(tmp_path: Path, storage: str) -> None:
    with start(tmp_path, storage, name="first", host_id="pause") as first:
        first.wait_for("tick", count=2)
        first.terminate()
        assert first.wait() == 0
        assert not any(tick["past_due"] for tick in first.events("tick"))
    missed = time.monotonic() + 2 * PERIOD
    until(lambda: time.monotonic() > missed)

    with start(tmp_path, storage, name="second", host_id="pause") as second:
        ticks = second.wait_for("tick", count=2)

    assert [tick["past_due"] for tick in ticks[:2]] == [True, False]


def test_of_two_hosts_one_runs_the_timer_and_the_other_takes_over_at_once_when_it_stops(
    tmp_path: Path, storage: str
) -> None:
    with (
        start(tmp_path, storage, name="first", host_id="pair") as first,
        start(tmp_path, storage, name="second", host_id="pair") as second,
    ):
        first.wait_for("tick", count=3)
        assert second.events("tick") == []

        first.terminate()

        assert first.wait() == 0
        second.wait_for("tick")


def test_a_host_that_was_killed_loses_its_timer_when_the_lease_runs_out(tmp_path: Path, storage: str) -> None:
    with (
        start(tmp_path, storage, name="first", host_id="killed") as first,
        start(tmp_path, storage, name="second", host_id="killed") as second,
    ):
        first.wait_for("tick")

        first.kill()

        until(lambda: any(tick["past_due"] for tick in second.events("tick")), patience=60)
