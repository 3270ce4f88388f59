"""Release, remove, prove (protocol section 5, step 4, and *Proof*)."""

from datetime import datetime

import pytest

from access.adapters.rows import to_row
from access.hold import (
    RELEASED_KEPT,
    RELEASED_LIMIT,
    Before,
    Outcome,
    Phase,
    Presence,
    Ready,
    Release,
    Wait,
    Write,
    answered,
    attempt,
    is_untouched_since,
    missing,
    only_reads,
    prove,
    release,
)
from access.hold import Hold as HoldRow
from tests.access.contoso import DAY, FREE, HOUR, IN_FLIGHT, MINUTE, NOW, SECOND, TIMING, WINDOW, hold

END = NOW + HOUR
PROPERTY_LIMIT = 32_768
"""Characters that a table takes in one property."""


def held(**values: object) -> HoldRow:
    return hold(
        **{
            "phase": Phase.HELD,
            "live": {"first": END},
            "roles": {"first": "storage-admin"},
            "before": Before.NO,
            "asked": 1,
            "until": NOW,
            **values,
        }
    )


def released(row: HoldRow, activation: str = "first", *, finished: frozenset[str] = frozenset()) -> Release:
    verdict = release(row, activation, finished=finished, now=NOW)
    assert isinstance(verdict, Release)
    return verdict


def row_of(verdict: Release) -> HoldRow:
    assert verdict.hold is not None
    return verdict.hold


# Release


def test_what_we_gave_and_nobody_else_needs_is_removed_by_us() -> None:
    verdict = released(held())
    assert verdict.outcome is Outcome.REMOVE
    row = row_of(verdict)
    assert (row.phase, row.by, row.live, row.roles, row.released) == (Phase.REMOVING, "first", {}, {}, {"first": NOW})


def test_a_removal_begins_with_nothing_tried_answered_or_missed() -> None:
    row = row_of(released(held(removals=4, removed_at=NOW - HOUR, missing_at=NOW - HOUR)))
    assert (row.removals, row.removed_at, row.missing_at) == (0, None, None)


def test_while_another_one_lives_the_assignment_stays() -> None:
    verdict = released(held(live={"first": END, "second": END}, roles={"first": "a", "second": "b"}))
    assert verdict.outcome is Outcome.OTHERS_HOLD
    row = row_of(verdict)
    assert (row.phase, row.live, row.roles, row.released) == (
        Phase.HELD,
        {"second": END},
        {"second": "b"},
        {"first": NOW},
    )


def test_another_one_whose_activation_is_final_counts_no_more() -> None:
    verdict = released(held(live={"first": END, "dead": END}), finished=frozenset({"dead"}))
    assert verdict.outcome is Outcome.REMOVE


def test_what_was_held_before_us_stays() -> None:
    verdict = released(held(before=Before.YES))
    assert verdict.outcome is Outcome.HELD_BEFORE
    row = row_of(verdict)
    assert (row.phase, row.before, row.freed_at) == (Phase.FREE, Before.UNKNOWN, NOW)


def test_what_was_never_asked_for_is_not_removed() -> None:
    verdict = released(held(asked=0))
    assert verdict.outcome is Outcome.NEVER_GIVEN
    assert row_of(verdict).phase is Phase.FREE


def test_however_many_are_released_in_a_day_the_row_keeps_the_newest_alone_and_can_be_written() -> None:
    row = FREE
    for second in range(RELEASED_LIMIT + 5):
        row = row_of(release(row, f"{second:032x}", finished=frozenset(), now=NOW + second * SECOND))
    assert (len(row.released), len(row.let_go)) == (RELEASED_LIMIT, RELEASED_LIMIT)
    assert min(row.released.values()) == NOW + 5 * SECOND
    assert max(len(str(value)) for value in to_row(row).values()) < PROPERTY_LIMIT


def test_a_release_without_a_row_makes_one_so_that_a_late_claim_is_turned_away() -> None:
    verdict = released(FREE)
    assert verdict.outcome is Outcome.NEVER_GIVEN
    assert (row_of(verdict).phase, row_of(verdict).released) == (Phase.FREE, {"first": NOW})


def test_a_release_that_was_written_already_goes_on_with_its_removal() -> None:
    removing = hold(phase=Phase.REMOVING, by="first", asked=1, released={"first": NOW})
    assert released(removing) == Release(None, Outcome.REMOVE)


def test_a_release_that_was_proven_already_is_not_done_again() -> None:
    proven = hold(by="first", released={"first": NOW}, let_go={"first": "remove"}, gone_at=NOW)
    assert released(proven) == Release(None, Outcome.PROVEN_GONE)


def test_a_removal_that_was_proven_stays_proven_when_somebody_else_holds_since() -> None:
    again = held(live={"second": END}, by=None, released={"first": NOW}, let_go={"first": "remove"}, gone_at=NOW)
    assert released(again) == Release(None, Outcome.PROVEN_GONE)


@pytest.mark.parametrize("said", [Outcome.OTHERS_HOLD, Outcome.HELD_BEFORE, Outcome.NEVER_GIVEN], ids=str)
def test_a_release_that_was_written_already_has_the_answer_that_was_written(said: Outcome) -> None:
    written = held(live={"second": END}, released={"first": NOW}, let_go={"first": said.value})
    assert released(written) == Release(None, said)


def test_who_never_got_in_is_released_while_another_ones_removal_goes_on() -> None:
    removing = hold(phase=Phase.REMOVING, by="first", asked=1, released={"first": NOW})
    verdict = released(removing, "second")
    assert verdict.outcome is Outcome.NEVER_GIVEN
    row = row_of(verdict)
    assert (row.phase, row.by, row.released) == (Phase.REMOVING, "first", {"first": NOW, "second": NOW})


def test_and_is_not_released_a_second_time() -> None:
    removing = hold(phase=Phase.REMOVING, by="first", released={"first": NOW, "second": NOW})
    assert released(removing, "second") == Release(None, Outcome.OTHERS_HOLD)


@pytest.mark.parametrize(
    ("at", "kept"), [(NOW - RELEASED_KEPT + SECOND, True), (NOW - RELEASED_KEPT, False)], ids=["a day less", "a day"]
)
def test_released_ids_are_kept_for_a_day(at: datetime, kept: bool) -> None:  # noqa: FBT001 - the value under test
    assert RELEASED_KEPT == DAY
    row = row_of(released(held(released={"old": at})))
    assert ("old" in row.released) is kept


# Remove


def test_each_removal_is_counted_and_says_until_when_it_can_land() -> None:
    tried = attempt(hold(phase=Phase.REMOVING), now=NOW, timing=TIMING)
    assert (tried.removals, tried.quiet_until) == (1, NOW + IN_FLIGHT)
    again = attempt(tried, now=NOW - MINUTE, timing=TIMING)
    assert (again.removals, again.quiet_until) == (2, NOW + IN_FLIGHT), "the later landing counts"


def test_after_a_removal_was_answered_only_reads_follow_for_a_window() -> None:
    row = answered(hold(phase=Phase.REMOVING, removals=1), at=NOW)
    assert only_reads(row, now=NOW + WINDOW - SECOND, timing=TIMING)
    assert not only_reads(row, now=NOW + WINDOW, timing=TIMING)


def test_a_removal_that_was_not_answered_is_tried_again_at_once() -> None:
    assert not only_reads(hold(phase=Phase.REMOVING, removals=1), now=NOW, timing=TIMING)


# Prove

LANDED = NOW - WINDOW
"""If no ask of ours can land after this instant, a read that begins now sees all of them."""


def removing(**values: object) -> HoldRow:
    return hold(
        **{
            "phase": Phase.REMOVING,
            "by": "first",
            "before": Before.NO,
            "asked": 1,
            "until": LANDED,
            "removals": 1,
            "removed_at": NOW,
            "quiet_until": NOW + MINUTE,
            **values,
        }
    )


def proof(row: HoldRow, presence: Presence, read_began: datetime = NOW) -> Write | Wait | Ready:
    return prove(row, presence, read_began=read_began, timing=TIMING)


def test_not_held_a_window_after_the_last_ask_can_have_landed_is_the_proof() -> None:
    verdict = proof(removing(), Presence.NOT_HELD)
    assert isinstance(verdict, Write)
    free = verdict.hold
    assert (free.phase, free.gone_at, free.freed_at) == (Phase.FREE, NOW, NOW)
    assert (free.before, free.asked, free.removed_at, free.missing_at) == (Before.UNKNOWN, 0, None, None)


def test_not_held_a_second_earlier_proves_nothing() -> None:
    verdict = proof(removing(until=LANDED + SECOND), Presence.NOT_HELD)
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + SECOND


def test_gone_a_second_earlier_proves_nothing_either() -> None:
    verdict = proof(removing(until=LANDED + SECOND, missing_at=NOW - HOUR), Presence.GONE)
    assert isinstance(verdict, Wait)


def test_where_no_ask_has_an_instant_there_is_nothing_to_wait_for() -> None:
    assert isinstance(proof(removing(until=None), Presence.NOT_HELD), Write)


def test_held_means_remove_again() -> None:
    verdict = proof(removing(missing_at=NOW - HOUR), Presence.HELD)
    assert verdict == Ready(removing(missing_at=None))


def test_one_answer_that_principal_or_target_is_gone_is_never_a_proof() -> None:
    verdict = proof(removing(), Presence.GONE)
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + WINDOW


def test_a_second_such_answer_within_the_window_is_no_proof_either() -> None:
    verdict = proof(removing(missing_at=NOW - WINDOW + SECOND), Presence.GONE)
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + SECOND


def test_two_such_answers_a_window_apart_are_the_proof() -> None:
    assert isinstance(proof(removing(missing_at=NOW - WINDOW), Presence.GONE), Write)


def test_the_first_such_answer_is_remembered_and_a_later_one_does_not_move_it() -> None:
    first = missing(removing(), Presence.GONE, read_began=NOW)
    assert first.missing_at == NOW
    assert missing(first, Presence.GONE, read_began=NOW + MINUTE) == first


@pytest.mark.parametrize("presence", [Presence.HELD, Presence.NOT_HELD])
def test_it_is_forgotten_when_the_thing_is_found_again(presence: Presence) -> None:
    assert missing(removing(missing_at=NOW), presence, read_began=NOW + MINUTE).missing_at is None


def test_after_one_answered_removal_nothing_is_under_way_and_the_next_may_claim_at_once() -> None:
    verdict = proof(removing(removals=1), Presence.NOT_HELD)
    assert isinstance(verdict, Write)
    assert verdict.hold.quiet_until is None


def test_after_several_removals_one_may_still_land_and_the_next_has_to_wait() -> None:
    verdict = proof(removing(removals=2), Presence.NOT_HELD)
    assert isinstance(verdict, Write)
    assert verdict.hold.quiet_until == NOW + MINUTE


# The look after the proof


@pytest.mark.parametrize("gone_at", [None, END - MINUTE, END])
def test_nobody_has_had_to_do_with_a_free_hold_whose_last_proof_is_not_after_the_end(gone_at: datetime | None) -> None:
    assert is_untouched_since(hold(gone_at=gone_at), END)


@pytest.mark.parametrize(
    "row",
    [
        held(),
        removing(),
        hold(live={"second": END + HOUR}),
        hold(gone_at=END + SECOND),
    ],
    ids=["held", "removing", "claimed", "proven gone for somebody else since"],
)
def test_what_others_need_or_have_given_back_since_is_their_business(row: HoldRow) -> None:
    assert not is_untouched_since(row, END)
