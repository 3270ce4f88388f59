"""Who may activate at all, from when and until when: of several eligibilities the longest usable one counts."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.errors import Code
from access.model import Door, Eligibility, Unmet
from access.policy import Allowed, Ask, Facts, NotAllowed, evaluate
from tests.access.contoso import ADA, ADA_ADMIN, DAY, ELIGIBLE, HOUR, NOW, ROLE, SECOND


def eligible(starts_at: datetime | None = None, ends_at: datetime | None = None) -> Eligibility:
    return replace(ELIGIBLE, starts_at=starts_at, ends_at=ends_at)


def ask_for(
    *eligibilities: Eligibility, duration: timedelta = HOUR, starts_at: datetime | None = None
) -> Allowed | NotAllowed:
    ask = Ask(role="storage-admin", door=Door.FLOW, duration=duration, starts_at=starts_at)
    facts = Facts(
        settings=ROLE,
        requester=ADA,
        principal=ADA_ADMIN,
        same_person=True,
        eligibilities=eligibilities,
        target_exists=True,
    )
    return evaluate(ask, facts, now=NOW)


def refusal(verdict: Allowed | NotAllowed) -> Unmet:
    assert isinstance(verdict, NotAllowed)
    assert len(verdict.unmet) == 1
    return verdict.unmet[0]


def used(verdict: Allowed | NotAllowed) -> Eligibility:
    assert isinstance(verdict, Allowed), verdict
    return verdict.eligibility


def test_without_an_eligibility_nobody_activates() -> None:
    assert refusal(ask_for()).code == Code.NOT_ELIGIBLE


def test_an_eligibility_without_bounds_allows() -> None:
    assert used(ask_for(eligible())) == eligible()


def test_an_eligibility_through_a_group_allows_like_a_direct_one() -> None:
    through_group = Eligibility(principal="cloud-operators", role="storage-admin", through_group=True)
    assert used(ask_for(through_group)) == through_group


def test_an_eligibility_counts_from_its_very_start() -> None:
    assert isinstance(ask_for(eligible(starts_at=NOW)), Allowed)
    assert refusal(ask_for(eligible(starts_at=NOW + SECOND))).code == Code.ELIGIBILITY_NOT_STARTED


def test_an_eligibility_counts_no_more_at_its_very_end() -> None:
    assert refusal(ask_for(eligible(ends_at=NOW))).code == Code.ELIGIBILITY_ENDED


def test_an_eligibility_that_starts_tomorrow_is_refused_with_the_instant() -> None:
    unmet = refusal(ask_for(eligible(starts_at=NOW + DAY)))
    assert unmet.code == Code.ELIGIBILITY_NOT_STARTED
    assert "2026-01-06 09:00 UTC" in unmet.what


def test_an_eligibility_that_ended_yesterday_is_refused_with_the_instant() -> None:
    unmet = refusal(ask_for(eligible(ends_at=NOW - DAY)))
    assert unmet.code == Code.ELIGIBILITY_ENDED
    assert "2026-01-04 09:00 UTC" in unmet.what


def test_between_one_that_ended_and_one_to_come_the_one_to_come_is_told() -> None:
    assert refusal(ask_for(eligible(ends_at=NOW - DAY), eligible(starts_at=NOW + DAY))).code == (
        Code.ELIGIBILITY_NOT_STARTED
    )


def test_an_activation_may_end_exactly_with_the_eligibility_and_not_a_second_later() -> None:
    assert isinstance(ask_for(eligible(ends_at=NOW + HOUR)), Allowed)
    assert refusal(ask_for(eligible(ends_at=NOW + HOUR - SECOND))).code == Code.ELIGIBILITY_ENDS_FIRST


def test_an_eligibility_that_ends_first_is_refused_with_the_time_that_is_left() -> None:
    unmet = refusal(ask_for(eligible(ends_at=NOW + HOUR), duration=2 * HOUR))
    assert unmet.code == Code.ELIGIBILITY_ENDS_FIRST
    assert "at most 1 h" in unmet.remedy


def test_the_eligibility_must_hold_at_the_start_that_was_asked_for_not_now() -> None:
    tomorrow = eligible(starts_at=NOW + DAY)
    assert used(ask_for(tomorrow, starts_at=NOW + DAY)) == tomorrow
    assert refusal(ask_for(eligible(ends_at=NOW + DAY), starts_at=NOW + DAY)).code == Code.ELIGIBILITY_ENDED


def test_a_later_start_counts_towards_the_end_of_the_eligibility() -> None:
    ends_at = NOW + DAY + HOUR
    assert isinstance(ask_for(eligible(ends_at=ends_at), starts_at=NOW + DAY), Allowed)
    assert refusal(ask_for(eligible(ends_at=ends_at), starts_at=NOW + DAY + SECOND)).code == (
        Code.ELIGIBILITY_ENDS_FIRST
    )


@pytest.mark.parametrize("order", [1, -1], ids=["longest last", "longest first"])
def test_of_two_usable_eligibilities_the_longer_one_is_used(order: int) -> None:
    shorter, longer = eligible(ends_at=NOW + 2 * HOUR), eligible(ends_at=NOW + DAY)
    assert used(ask_for(*(shorter, longer)[::order], duration=8 * HOUR)) == longer


@pytest.mark.parametrize("order", [1, -1], ids=["permanent last", "permanent first"])
def test_one_without_an_end_is_longer_than_any_other(order: int) -> None:
    bounded, permanent = eligible(ends_at=NOW + 9000 * DAY), eligible()
    assert used(ask_for(*(bounded, permanent)[::order])) == permanent


def test_one_that_is_not_usable_yet_does_not_stand_in_for_a_usable_one() -> None:
    usable, not_yet = eligible(ends_at=NOW + 2 * HOUR), eligible(starts_at=NOW + SECOND)
    assert used(ask_for(usable, not_yet)) == usable
