"""What differs between directory and record, and what it is called: every answer that a look can give."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from access.drift import (
    Explained,
    Finding,
    Found,
    Kind,
    NotYet,
    is_ours,
    is_overdue,
    is_sure,
    judge_absent,
    judge_holder,
    judge_recorded,
    left_behind,
    needed_by,
)
from access.hold import Before, Hold, Phase
from access.model import Activation, State, Timing
from tests.promises.samples import ACTIVATION, ADA_ADMIN, NOW, TARGET, asked_for

TIMING = Timing()
W = TIMING.proof_window
SECOND = timedelta(seconds=1)
END = NOW + timedelta(hours=2)
OTHER = "b0" * 16

FREE = Hold(principal=ADA_ADMIN, target=TARGET)
OURS = replace(FREE, phase=Phase.HELD, live={ACTIVATION: END}, before=Before.NO, asked=1, until=NOW)
REMOVING = replace(OURS, phase=Phase.REMOVING, live={}, by=ACTIVATION)


def activation(state: State = State.ACTIVE, *, held_before: bool = False) -> Activation:
    return replace(asked_for(ends_at=END), state=state, held_before=held_before)


class TestWhenIsItSure:
    @pytest.mark.parametrize("kind", [Kind.UNEXPLAINED, Kind.RETURNED, Kind.OVERDUE])
    def test_that_something_is_there_is_believed_at_once(self, kind: Kind) -> None:
        assert is_sure(Finding(kind=kind, first_seen=NOW), now=NOW, timing=TIMING)

    @pytest.mark.parametrize("kind", [Kind.MISSING, Kind.GONE])
    def test_that_something_is_not_there_is_believed_a_proof_window_later(self, kind: Kind) -> None:
        finding = Finding(kind=kind, first_seen=NOW)

        assert not is_sure(finding, now=NOW + W - SECOND, timing=TIMING)
        assert is_sure(finding, now=NOW + W, timing=TIMING)


class TestAHolderByTheRecord:
    @pytest.mark.parametrize(
        ("states", "expected"),
        [
            ([], None),
            ([State.PENDING_APPROVAL], None),
            ([State.SCHEDULED], None),
            ([State.ACTIVE], Explained()),
            ([State.ACTIVE, State.SCHEDULED], Explained()),
            ([State.PROVISIONING], NotYet()),
            ([State.ENDING], NotYet()),
            ([State.ACTIVE, State.ENDING], NotYet()),
        ],
    )
    def test_an_activation_that_holds_explains_it(self, states: Sequence[State], expected: object) -> None:
        assert judge_recorded(activation(state) for state in states) == expected

    def test_what_was_held_before_stays_what_it_was(self) -> None:
        assert judge_recorded([activation(), activation(held_before=True)]) == NotYet()


class TestAHolderByTheHold:
    @pytest.mark.parametrize(
        ("hold", "needed"),
        [(FREE, set()), (OURS, {ACTIVATION}), (REMOVING, {ACTIVATION})],
        ids=["free", "held", "going"],
    )
    def test_a_hold_names_whom_it_is_for(self, hold: Hold, needed: set[str]) -> None:
        assert needed_by(hold) == needed

    def test_a_removal_that_names_nobody_is_for_nobody(self) -> None:
        assert needed_by(replace(REMOVING, by=None)) == frozenset()

    @pytest.mark.parametrize(
        ("hold", "any_open", "expected"),
        [
            (OURS, True, Explained()),
            (REMOVING, True, Explained()),
            (replace(OURS, before=Before.YES), True, NotYet()),
            (replace(OURS, before=Before.UNKNOWN), True, NotYet()),
            (OURS, False, Found(Kind.OVERDUE)),
            (REMOVING, False, Found(Kind.OVERDUE)),
            (replace(OURS, before=Before.YES), False, Found(Kind.UNEXPLAINED)),
            (replace(OURS, before=Before.UNKNOWN), False, Found(Kind.UNEXPLAINED)),
            (replace(OURS, asked=0), False, Found(Kind.UNEXPLAINED)),
            (FREE, False, Found(Kind.UNEXPLAINED)),
            (replace(FREE, gone_at=NOW - W - SECOND), False, Found(Kind.RETURNED)),
            (replace(FREE, gone_at=NOW - W), False, Found(Kind.RETURNED)),
            (replace(FREE, gone_at=NOW - W + SECOND), False, NotYet()),
        ],
    )
    def test_who_holds_the_target_is_told_by_the_hold(self, hold: Hold, any_open: bool, expected: object) -> None:  # noqa: FBT001 - a column
        assert judge_holder(hold, any_open=any_open, read_began=NOW, timing=TIMING) == expected


class TestWhoIsNotThere:
    def test_an_active_one_that_is_not_shown_is_missing(self) -> None:
        found = judge_absent(OURS, activation(), read_began=NOW + W, timing=TIMING)

        assert found == Found(Kind.MISSING)

    def test_so_is_one_that_was_held_before_and_is_not_any_more(self) -> None:
        theirs = replace(OURS, before=Before.YES, asked=0, until=None)

        assert judge_absent(theirs, activation(held_before=True), read_began=NOW, timing=TIMING) == Found(Kind.MISSING)

    def test_a_read_within_the_proof_window_of_our_ask_says_nothing(self) -> None:
        assert judge_absent(OURS, activation(), read_began=NOW + W - SECOND, timing=TIMING) == NotYet()

    def test_nor_does_one_after_its_end(self) -> None:
        assert judge_absent(OURS, activation(), read_began=END, timing=TIMING) == NotYet()
        assert judge_absent(OURS, activation(), read_began=END - SECOND, timing=TIMING) == Found(Kind.MISSING)

    def test_nor_one_about_an_activation_that_was_released_meanwhile(self) -> None:
        released = replace(OURS, live={OTHER: END})

        assert judge_absent(released, activation(), read_began=NOW + W, timing=TIMING) == NotYet()


class TestOverdue:
    @pytest.mark.parametrize("state", [State.PROVISIONING, State.ACTIVE, State.ENDING])
    def test_it_is_five_minutes_after_its_end(self, state: State) -> None:
        assert not is_overdue(activation(state), now=END + timedelta(minutes=5) - SECOND)
        assert is_overdue(activation(state), now=END + timedelta(minutes=5))

    def test_what_ends_early_is_due_from_then_on(self) -> None:
        early = replace(activation(State.ENDING), ending_since=NOW)

        assert not is_overdue(early, now=NOW + timedelta(minutes=5) - SECOND)
        assert is_overdue(early, now=NOW + timedelta(minutes=5))

    @pytest.mark.parametrize("state", [State.PENDING_APPROVAL, State.SCHEDULED, State.ENDED, State.CANCELED])
    def test_what_was_never_given_or_is_final_is_not(self, state: State) -> None:
        assert not is_overdue(activation(state), now=END + timedelta(days=1))

    def test_what_has_no_end_yet_is_not(self) -> None:
        assert not is_overdue(replace(activation(State.PROVISIONING), ends_at=None), now=END)


class TestWhatIsProvablyOurs:
    @pytest.mark.parametrize("hold", [OURS, REMOVING, replace(OURS, asked=3)])
    def test_what_was_asked_for_and_not_held_before_is(self, hold: Hold) -> None:
        assert is_ours(hold)

    @pytest.mark.parametrize(
        "hold",
        [
            replace(OURS, before=Before.YES),
            replace(OURS, before=Before.UNKNOWN),
            replace(OURS, asked=0),
            replace(OURS, phase=Phase.FREE),
        ],
        ids=["held before", "not settled", "never asked", "free"],
    )
    def test_anything_else_is_not_and_is_never_left_behind(self, hold: Hold) -> None:
        assert not is_ours(hold)
        assert left_behind(hold, frozenset({ACTIVATION})) is None

    def test_a_hold_of_ours_is_left_behind_where_all_that_it_is_for_are_final(self) -> None:
        two = replace(OURS, live={OTHER: END, ACTIVATION: END})

        assert left_behind(two, frozenset({ACTIVATION, OTHER})) == ACTIVATION
        assert left_behind(REMOVING, frozenset({ACTIVATION})) == ACTIVATION

    def test_one_that_is_not_final_or_not_on_record_keeps_it(self) -> None:
        two = replace(OURS, live={OTHER: END, ACTIVATION: END})

        assert left_behind(two, frozenset({ACTIVATION})) is None
        assert left_behind(REMOVING, frozenset()) is None

    def test_a_hold_that_is_for_nobody_can_not_be_let_go_under_any_name(self) -> None:
        assert left_behind(replace(OURS, live={}), frozenset()) is None
