"""Claim first, then read, then ask (protocol section 5, steps 2 and 3)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from access.hold import (
    POLL,
    Before,
    Phase,
    Presence,
    Ready,
    TurnedAway,
    Wait,
    Write,
    ask,
    claim,
    confirms,
    definitely_refused,
    found_already_there,
    prolong,
    rivals,
    settle_before,
    unsettle,
)
from access.hold import Hold as HoldRow
from access.model import Source, Target
from tests.access.contoso import FREE, HOUR, IN_FLIGHT, MINUTE, NOW, SECOND, TIMING, WINDOW, hold

END = NOW + HOUR
HELD_BY_FIRST = hold(phase=Phase.HELD, live={"first": END}, roles={"first": "storage-admin"})


def claimed(row: HoldRow, activation: str = "second") -> Write | Ready | Wait | TurnedAway:
    return claim(row, activation, role="storage-admin", ends_at=END, now=NOW)


def written(verdict: object) -> HoldRow:
    assert isinstance(verdict, Write), verdict
    return verdict.hold


# Claim


def test_on_a_free_row_we_write_ourselves_before_anything_is_known_or_asked() -> None:
    row = written(claimed(FREE))
    assert (row.phase, row.live, row.roles) == (Phase.HELD, {"second": END}, {"second": "storage-admin"})
    assert (row.before, row.asked, row.removals, row.by) == (Before.UNKNOWN, 0, 0, None)


def test_what_an_earlier_life_of_the_row_knew_is_not_known_any_more() -> None:
    used = hold(before=Before.NO, asked=3, removals=2, by="first")
    row = written(claimed(used))
    assert (row.before, row.asked, row.removals, row.by) == (Before.UNKNOWN, 0, 0, None)


def test_what_may_still_be_under_way_from_an_earlier_life_is_kept() -> None:
    used = hold(until=NOW + MINUTE, gone_at=NOW - MINUTE, released={"first": NOW - MINUTE})
    row = written(claimed(used))
    assert (row.until, row.gone_at, row.released) == (used.until, used.gone_at, used.released)


def test_we_join_a_row_that_is_held_and_change_nothing_that_it_knows() -> None:
    row = hold(phase=Phase.HELD, live={"first": END}, before=Before.NO, asked=1, until=NOW + MINUTE)
    joined = written(claimed(row))
    assert joined.live == {"first": END, "second": END}
    assert (joined.before, joined.asked, joined.until) == (Before.NO, 1, NOW + MINUTE)


def test_a_second_delivery_finds_its_claim_and_goes_on() -> None:
    assert claimed(HELD_BY_FIRST, "first") == Ready(HELD_BY_FIRST)


@pytest.mark.parametrize("phase", Phase)
def test_who_was_released_is_turned_away_whatever_the_row_is_about(phase: Phase) -> None:
    released = hold(phase=phase, released={"second": NOW - HOUR})
    assert claimed(released) == TurnedAway()


def test_while_a_removal_is_under_way_we_wait() -> None:
    verdict = claimed(hold(phase=Phase.REMOVING, by="first"))
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + POLL


def test_while_a_removal_may_still_land_we_wait_until_it_cannot() -> None:
    verdict = claimed(hold(quiet_until=NOW + SECOND))
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + SECOND


def test_from_the_instant_on_at_which_no_removal_can_land_we_claim() -> None:
    assert written(claimed(hold(quiet_until=NOW))).phase is Phase.HELD


# Before: was it held before us?


def settled(row: HoldRow, presence: Presence) -> Write | Ready | Wait:
    return settle_before(row, presence, read_began=NOW, timing=TIMING)


def test_not_held_when_we_looked_means_not_held_before() -> None:
    assert written(settled(HELD_BY_FIRST, Presence.NOT_HELD)).before is Before.NO


@pytest.mark.parametrize(("missed", "waits"), [(None, WINDOW), (WINDOW - SECOND, SECOND)])
def test_one_look_that_says_gone_settles_nothing(missed: timedelta | None, waits: timedelta) -> None:
    row = replace(HELD_BY_FIRST, missing_at=NOW - missed if missed else None)

    assert settled(row, Presence.GONE) == Wait(NOW + waits, "a second look at what seems to be deleted")


def test_two_looks_a_proof_window_apart_say_that_nothing_was_held_before() -> None:
    row = written(settled(replace(HELD_BY_FIRST, missing_at=NOW - WINDOW), Presence.GONE))

    assert (row.before, row.missing_at) == (Before.NO, None)


def test_held_when_we_looked_means_held_before() -> None:
    assert written(settled(HELD_BY_FIRST, Presence.HELD)).before is Before.YES


def test_held_within_the_window_after_a_removal_of_ours_cannot_be_told_yet() -> None:
    lately = hold(phase=Phase.HELD, live={"second": END}, gone_at=NOW - WINDOW + SECOND)
    verdict = settled(lately, Presence.HELD)
    assert isinstance(verdict, Wait)
    assert verdict.until == NOW + SECOND


def test_held_a_window_after_a_removal_of_ours_was_held_before() -> None:
    assert written(settled(hold(phase=Phase.HELD, gone_at=NOW - WINDOW), Presence.HELD)).before is Before.YES


@pytest.mark.parametrize("before", [Before.YES, Before.NO])
@pytest.mark.parametrize("presence", Presence)
def test_once_settled_no_read_unsettles_it(before: Before, presence: Presence) -> None:
    row = hold(phase=Phase.HELD, before=before)
    assert settled(row, presence) == Ready(row)


def test_a_confirming_read_that_says_not_held_brings_it_back_to_unknown() -> None:
    assert unsettle(hold(phase=Phase.HELD, before=Before.YES)).before is Before.UNKNOWN


def test_what_was_there_already_at_the_first_ask_is_not_counted_as_asked_once_it_is_unknown_again() -> None:
    """Else the next ask's "already there" would make it ours, and an end before that would remove it."""
    row = found_already_there(hold(phase=Phase.HELD, before=Before.NO, asked=1))
    assert unsettle(row).asked == 0


def test_a_confirming_read_that_may_be_older_than_our_last_removal_is_not_believed() -> None:
    row = hold(phase=Phase.HELD, before=Before.YES, gone_at=NOW)
    early = confirms(row, read_began=NOW + WINDOW - SECOND, timing=TIMING)
    assert isinstance(early, Wait)
    assert early.until == NOW + WINDOW
    assert confirms(row, read_began=NOW + WINDOW, timing=TIMING) is None


@pytest.mark.parametrize(
    "row", [hold(before=Before.YES), hold(before=Before.NO, gone_at=NOW)], ids=["no removal", "ours"]
)
def test_any_other_read_confirms(row: HoldRow) -> None:
    assert confirms(row, read_began=NOW, timing=TIMING) is None


# Ask


def test_each_ask_is_counted_and_says_until_when_it_can_land() -> None:
    asked = ask(HELD_BY_FIRST, now=NOW, timing=TIMING)
    assert (asked.asked, asked.until) == (1, NOW + IN_FLIGHT)
    again = ask(asked, now=NOW + MINUTE, timing=TIMING)
    assert (again.asked, again.until) == (2, NOW + MINUTE + IN_FLIGHT)


def test_an_ask_never_forgets_an_earlier_one_that_may_land_later() -> None:
    # The clocks of two workers differ: the second one's is behind.
    asked = ask(hold(until=NOW + HOUR), now=NOW, timing=TIMING)
    assert asked.until == NOW + HOUR


def test_already_there_on_the_first_ask_was_not_ours() -> None:
    theirs = found_already_there(hold(phase=Phase.HELD, before=Before.NO, asked=1))
    assert (theirs.before, theirs.unsure) == (Before.YES, False)


def test_already_there_on_a_later_ask_is_taken_for_ours_and_that_is_unsure() -> None:
    ours = found_already_there(hold(phase=Phase.HELD, before=Before.NO, asked=2))

    assert (ours.before, ours.unsure) == (Before.NO, True)


def test_a_definite_refusal_of_the_only_ask_leaves_nothing_of_ours() -> None:
    innocent = definitely_refused(hold(phase=Phase.HELD, before=Before.NO, asked=1))
    assert innocent is not None
    assert innocent.asked == 0


def test_a_definite_refusal_of_a_later_ask_says_nothing_about_the_earlier_one() -> None:
    assert definitely_refused(hold(phase=Phase.HELD, before=Before.NO, asked=2)) is None


# One row for each principal and target


def test_two_spellings_of_one_target_are_one_target() -> None:
    assert Target(Source.GROUP_MEMBER, " Storage-Admins/ ") == Target(Source.GROUP_MEMBER, "storage-admins")


# One role once


def test_others_who_are_live_for_the_same_role_are_rivals() -> None:
    row = hold(
        phase=Phase.HELD,
        live={"first": END, "other-role": END},
        roles={"first": "storage-admin", "other-role": "network-admin"},
    )
    assert rivals(row, "second", role="storage-admin", extends=None) == ("first",)
    assert rivals(row, "first", role="storage-admin", extends=None) == ()
    assert rivals(FREE, "second", role="storage-admin", extends=None) == ()


def test_what_an_activation_extends_is_no_rival_of_it() -> None:
    assert rivals(HELD_BY_FIRST, "second", role="storage-admin", extends="first") == ()


# A later end


def test_a_later_end_is_shown_and_an_earlier_one_is_not() -> None:
    longer = prolong(HELD_BY_FIRST, "first", END + HOUR)
    assert longer is not None
    assert longer.live == {"first": END + HOUR}
    assert prolong(HELD_BY_FIRST, "first", END) is None
    assert prolong(HELD_BY_FIRST, "first", END - SECOND) is None


def test_the_end_of_one_who_is_not_live_is_not_shown() -> None:
    assert prolong(HELD_BY_FIRST, "second", END + HOUR) is None
