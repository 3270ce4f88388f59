"""The benchmark in memory measures the real thing: few at once, on virtual time, with what goes wrong."""

from datetime import timedelta

from access.pace import Quota
from bench import lag, processor, sweeping
from bench.lag import Case

QUOTA = Quota(writes=100, window=timedelta(seconds=150))


def test_everybody_is_proven_gone_within_seconds() -> None:
    measured = lag.measure(Case(due=20))

    assert len(measured.spans) == 20
    assert measured.quantiles.worst < 5


def test_where_the_first_removal_fails_the_second_ends_it() -> None:
    assert 5 <= lag.measure(Case(due=20, fail_first=True)).quantiles.p50 < 10


def test_where_scheduled_messages_are_lost_the_sweep_ends_it_within_the_minute() -> None:
    measured = lag.measure(Case(due=20, lose_scheduled=True))

    assert 59 <= measured.quantiles.p50 <= measured.quantiles.worst < 65


def test_two_hosts_under_a_quota_need_little_longer_than_it_allows() -> None:
    measured = lag.measure(Case(due=250, quota=QUOTA, hosts=2))

    assert measured.floor_quantiles.worst == 300
    assert 300 <= measured.quantiles.p95 < 1.2 * 300


def test_a_sweep_costs_what_is_due_and_not_what_exists() -> None:
    small, small_due, *_ = sweeping.count(500)
    large, large_due, *_ = sweeping.count(2_000)

    assert small.queries == sweeping.QUERIES
    assert small.calls == large.calls
    assert small_due.calls == large_due.calls


def test_our_own_time_is_more_than_that_of_the_fakes() -> None:
    took = processor.measure(5)

    assert took.ours > took.floor > 0
