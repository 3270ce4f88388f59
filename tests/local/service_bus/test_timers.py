"""Alarms: one per key, in order of time, and no memory of those that were moved or cancelled."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.semantics.timers import SLACK, Timers

operations = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 100)), max_size=40)


@given(operations, st.integers(0, 100))
def test_what_is_due_is_done_in_order_and_the_rest_is_kept(
    given_operations: list[tuple[int, int | None]], now: int
) -> None:
    timers = Timers()
    expected: dict[int, int] = {}
    done: list[int] = []
    for key, due_at in given_operations:
        if due_at is None:
            timers.cancel(key)
            expected.pop(key, None)
        else:
            timers.set(key, due_at, partial(done.append, key))
            expected[key] = due_at

    for action in timers.take_due(now):
        action()

    due = {key: due_at for key, due_at in expected.items() if due_at <= now}
    assert sorted(done) == sorted(due)
    assert [due[key] for key in done] == sorted(due.values())
    assert timers.next_due_at() == min((due_at for due_at in expected.values() if due_at > now), default=None)


def test_an_alarm_that_is_moved_a_million_times_does_not_fill_the_memory() -> None:
    timers = Timers()

    for due_at in range(10 * SLACK):
        timers.set(1, due_at, lambda: None)

    assert len(timers._heap) <= 2 + SLACK
