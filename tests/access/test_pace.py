"""The quota of the directory: filled at once, never overrun in any span of its window, and removals first."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.pace import (
    BLOCK_LIMIT,
    HELD_AT_MOST,
    QUICK,
    REMOVALS_FIRST,
    SKEW,
    SLOT_LIFE,
    Lane,
    Quota,
    Taken,
    TurnedAway,
    Window,
    block_size,
    hold_back,
    take,
)
from tests.access.contoso import NOW

QUOTA = Quota(writes=100, window=timedelta(seconds=150))
SECOND = timedelta(seconds=1)
EMPTY = Window()


def filled(slots: int) -> Window:
    return Window(taken={NOW: slots})


class TestTheWindow:
    def test_the_whole_quota_is_there_at_once_for_removals(self) -> None:
        match take(EMPTY, Lane.REMOVAL, 100, now=NOW, quota=QUOTA):
            case Taken(window, slots):
                assert slots == 100
                assert window == filled(100)
            case other:
                pytest.fail(f"{other}")

    def test_what_is_asked_for_beyond_the_quota_is_given_in_part(self) -> None:
        assert take(filled(90), Lane.REMOVAL, 50, now=NOW, quota=QUOTA) == Taken(filled(100), 10)

    def test_slots_of_one_second_are_counted_together(self) -> None:
        assert take(filled(3), Lane.REMOVAL, 2, now=NOW, quota=QUOTA) == Taken(filled(5), 2)

    def test_a_full_window_says_when_the_first_of_it_is_over(self) -> None:
        later = NOW + 60 * SECOND
        full = Window(taken={NOW: 40, later: 60})

        match take(full, Lane.REMOVAL, 1, now=later, quota=QUOTA):
            case TurnedAway(_, until):
                assert until == NOW + QUOTA.counted_for
                assert isinstance(take(full, Lane.REMOVAL, 1, now=until - SECOND, quota=QUOTA), TurnedAway)
                after = take(full, Lane.REMOVAL, 99, now=until, quota=QUOTA)
                assert after == Taken(Window(taken={later: 60, until: 40}), 40)
            case other:
                pytest.fail(f"{other}")

    def test_a_slot_counts_for_the_window_its_own_life_and_the_difference_of_clocks(self) -> None:
        assert QUOTA.counted_for == QUOTA.window + SLOT_LIFE + SKEW


class TestTheLanes:
    def test_grants_leave_a_fifth_of_the_quota_to_removals(self) -> None:
        assert take(EMPTY, Lane.GRANT, 100, now=NOW, quota=QUOTA) == Taken(filled(80), 80)
        assert take(filled(80), Lane.GRANT, 1, now=NOW, quota=QUOTA) == TurnedAway(None, NOW + QUOTA.counted_for)
        assert take(filled(80), Lane.REMOVAL, 100, now=NOW, quota=QUOTA) == Taken(filled(100), 20)

    def test_a_grant_that_the_window_has_room_for_waits_while_removals_are_turned_away(self) -> None:
        turned_away = take(filled(100), Lane.REMOVAL, 1, now=NOW, quota=QUOTA)

        assert isinstance(turned_away, TurnedAway)
        marked, free_at = turned_away.window, turned_away.until
        assert marked is not None
        assert take(marked, Lane.GRANT, 1, now=free_at, quota=QUOTA) == TurnedAway(None, free_at + REMOVALS_FIRST)
        assert isinstance(take(marked, Lane.REMOVAL, 1, now=free_at, quota=QUOTA), Taken)
        assert isinstance(take(marked, Lane.GRANT, 1, now=free_at + REMOVALS_FIRST, quota=QUOTA), Taken)

    def test_what_grants_know_already_is_not_written_again(self) -> None:
        marked = Window(taken={NOW: 100}, removals_until=NOW + QUOTA.counted_for)

        assert take(marked, Lane.REMOVAL, 1, now=NOW, quota=QUOTA) == TurnedAway(None, NOW + QUOTA.counted_for)

    def test_even_the_smallest_quota_lets_a_grant_through(self) -> None:
        assert isinstance(take(EMPTY, Lane.GRANT, 1, now=NOW, quota=Quota(writes=1)), Taken)


class TestHeldBack:
    @pytest.mark.parametrize("lane", Lane)
    def test_nobody_writes_while_the_vendor_asks_to_wait(self, lane: Lane) -> None:
        held = hold_back(EMPTY, 30 * SECOND, now=NOW)

        assert held is not None
        answer = take(held, lane, 1, now=NOW + 29 * SECOND, quota=QUOTA)
        assert isinstance(answer, TurnedAway)
        assert answer.until == NOW + 30 * SECOND
        assert isinstance(take(held, lane, 1, now=NOW + 30 * SECOND, quota=QUOTA), Taken)

    def test_a_demand_to_wait_for_days_is_heeded_for_minutes(self) -> None:
        assert hold_back(EMPTY, timedelta(days=3), now=NOW) == Window(held_until=NOW + HELD_AT_MOST)

    def test_a_shorter_demand_changes_nothing(self) -> None:
        held = Window(held_until=NOW + 30 * SECOND)

        assert hold_back(held, 30 * SECOND, now=NOW) is None
        assert hold_back(held, 31 * SECOND, now=NOW) == Window(held_until=NOW + 31 * SECOND)


class TestBlocks:
    def test_blocks_grow_as_long_as_each_is_used_up_quickly(self) -> None:
        sizes = [1]
        for _ in range(7):
            sizes.append(block_size(sizes[-1], lasted=QUICK))

        assert sizes == [1, 2, 4, 8, 16, 32, BLOCK_LIMIT, BLOCK_LIMIT]

    def test_a_block_that_lasted_or_was_not_used_up_is_followed_by_a_single_slot(self) -> None:
        assert block_size(32, lasted=QUICK + SECOND) == 1
        assert block_size(32, lasted=None) == 1


SMALL = Quota(writes=5, window=timedelta(seconds=20))
seconds = st.integers(0, 900).map(lambda tenths: tenths / 10)
skews = st.sampled_from([-2.5, -1.0, 0.0, 1.0, 2.5])
spent = st.sampled_from([0.0, 0.5, 0.999])


@st.composite
def takings(draw: st.DrawFn) -> list[tuple[float, float, Lane, int, float]]:
    """When, by a clock that is off by how much, in which lane, how many, and how much of a slot's life goes by."""
    entry = st.tuples(seconds, skews, st.sampled_from(Lane), st.integers(1, 5), spent)
    return sorted(draw(st.lists(entry, min_size=10, max_size=60)))


@given(takings())
def test_in_no_span_of_the_window_is_more_than_the_quota_used_whatever_the_order_and_the_clocks(
    asked: list[tuple[float, float, Lane, int, float]],
) -> None:
    window, used = EMPTY, []
    for at, skew, lane, wanted, waited in asked:
        clock = (NOW + timedelta(seconds=at + skew)).replace(microsecond=0)
        match take(window, lane, wanted, now=clock, quota=SMALL):
            case Taken(after, slots):
                assert 1 <= slots <= wanted
                window = after
                # Used by the same clock, which shows whole seconds, before the slots' life is over.
                last = (clock + SLOT_LIFE - NOW).total_seconds() - skew
                used.append((at + waited * (last - at), slots))
            case TurnedAway(marked, until):
                assert until > clock
                window = marked or window

    for begin, _ in used:
        inside = sum(slots for at, slots in used if begin <= at < begin + SMALL.window.total_seconds())
        assert inside <= SMALL.writes


def test_the_quota_holds_for_a_late_use_by_a_slow_clock_and_a_take_by_a_fast_one() -> None:
    slow, fast = -SKEW / 2, SKEW / 2
    taken = take(EMPTY, Lane.REMOVAL, SMALL.writes, now=NOW + slow, quota=SMALL)
    assert isinstance(taken, Taken)
    last_use = NOW + SLOT_LIFE  # by the slow clock the slots are over only now

    within = last_use + SMALL.window - SECOND
    assert isinstance(take(taken.window, Lane.REMOVAL, 1, now=within + fast, quota=SMALL), TurnedAway)
    assert isinstance(take(taken.window, Lane.REMOVAL, 1, now=within + SECOND + fast, quota=SMALL), Taken)


@given(takings())
def test_whoever_comes_back_when_told_finds_a_slot_unless_others_were_quicker(
    asked: list[tuple[float, float, Lane, int, float]],
) -> None:
    window = EMPTY
    for at, _, lane, wanted, _ in asked:
        match take(window, lane, wanted, now=NOW + timedelta(seconds=int(at)), quota=SMALL):
            case Taken(after, _):
                window = after
            case TurnedAway(marked, until):
                window = marked or window
                if lane is Lane.REMOVAL:
                    assert isinstance(take(window, lane, 1, now=until, quota=SMALL), Taken)


@pytest.mark.parametrize("lane", Lane)
def test_a_row_that_a_clock_wrote_which_was_an_hour_ahead_keeps_nobody_waiting(lane: Lane) -> None:
    ahead = NOW + timedelta(hours=1)
    filled = take(EMPTY, Lane.REMOVAL, QUOTA.writes, now=ahead, quota=QUOTA)
    assert isinstance(filled, Taken)
    turned_away = take(filled.window, Lane.REMOVAL, 1, now=ahead, quota=QUOTA)
    assert isinstance(turned_away, TurnedAway)
    assert turned_away.window is not None
    window = hold_back(turned_away.window, HELD_AT_MOST, now=ahead)
    assert window is not None

    assert isinstance(take(window, lane, 1, now=NOW, quota=QUOTA), Taken)
    heeded = hold_back(window, HELD_AT_MOST, now=NOW)
    assert heeded is not None
    assert heeded.held_until == NOW + HELD_AT_MOST
