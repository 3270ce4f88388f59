"""Shares of what was measured, and the best that a quota allows."""

from datetime import timedelta

import pytest

from access.pace import Quota
from bench.quantiles import Quantiles, best

SMALL = Quota(writes=3, window=timedelta(seconds=150))


def test_each_is_the_smallest_span_within_which_so_many_were_done() -> None:
    hundred = [float(span) for span in range(1, 101)]

    assert Quantiles.of(reversed_(hundred)) == Quantiles(p50=50.0, p95=95.0, p99=99.0, worst=100.0)


def test_of_one_there_is_only_one() -> None:
    assert Quantiles.of([7.0]) == Quantiles(p50=7.0, p95=7.0, p99=7.0, worst=7.0)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Quantiles.of([])


def test_at_best_as_many_go_at_once_as_the_quota_takes_and_again_when_its_window_is_over() -> None:
    assert best(8, SMALL) == [0, 0, 0, 150, 150, 150, 300, 300]


def test_without_a_quota_all_go_at_once() -> None:
    assert best(3, None) == [0, 0, 0]


def reversed_(spans: list[float]) -> list[float]:
    return spans[::-1]
