"""What a role demands, each demand met, not met, and not to be checked."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.errors import Code
from access.model import Door, RoleSettings, State, Ticket, TicketDemand, Unmet
from access.policy import JUSTIFICATION_LIMIT, Allowed, Ask, Extended, Facts, NotAllowed, ask_again, evaluate, spoken
from tests.access.contoso import (
    ADA,
    ADA_ADMIN,
    APPROVAL,
    CY,
    DAY,
    ELIGIBLE,
    HOUR,
    MINUTE,
    NOW,
    ROLE,
    SECOND,
    activation,
)

ASK = Ask(role="storage-admin", door=Door.FLOW, duration=HOUR)
FACTS = Facts(
    settings=ROLE,
    requester=ADA,
    principal=ADA_ADMIN,
    same_person=True,
    eligibilities=(ELIGIBLE,),
    target_exists=True,
)


def with_role(**values: object) -> Facts:
    settings: RoleSettings = replace(ROLE, **values)  # type: ignore[arg-type] # fields by name
    return replace(FACTS, settings=settings)


def allowed(ask: Ask = ASK, facts: Facts = FACTS) -> Allowed:
    verdict = evaluate(ask, facts, now=NOW)
    assert isinstance(verdict, Allowed), verdict
    return verdict


def is_allowed(ask: Ask = ASK, facts: Facts = FACTS) -> bool:
    return isinstance(evaluate(ask, facts, now=NOW), Allowed)


def codes(ask: Ask = ASK, facts: Facts = FACTS) -> list[str]:
    verdict = evaluate(ask, facts, now=NOW)
    assert isinstance(verdict, NotAllowed), verdict
    assert all(unmet.what.endswith(".") and unmet.remedy for unmet in verdict.unmet), "each says what and what to do"
    return [unmet.code for unmet in verdict.unmet]


def test_who_meets_every_demand_may_activate_at_once_on_the_terms_asked_for() -> None:
    assert allowed() == Allowed(settings=ROLE, duration=HOUR, starts_at=None, eligibility=ELIGIBLE)


def test_every_unmet_demand_is_listed_at_once_in_the_order_in_which_a_person_mends_them() -> None:
    unreadable = Unmet(Code.FIELD_INVALID, "The field flow is a list, not text.", "Send text.")
    asks_too_much = Ask(
        role="storage-admin",
        door=Door.FLOW,
        duration=9 * HOUR,
        starts_at=NOW - HOUR,
        justification="",
        ticket=None,
        problems=(unreadable,),
    )
    everything_wrong = replace(
        with_role(accepts=frozenset({Door.SIGNED_IN}), justification_required=True, ticket=TicketDemand()),
        requester=replace(ADA, enabled=False),
        principal=replace(CY, enabled=False),
        same_person=False,
        eligibilities=(),
        target_exists=False,
        held_until=NOW + HOUR,
    )
    assert codes(asks_too_much, everything_wrong) == [
        Code.FIELD_INVALID,
        Code.REQUESTER_DISABLED,
        Code.PRINCIPAL_DISABLED,
        Code.NOT_SAME_PERSON,
        Code.DOOR_NOT_ACCEPTED,
        Code.ROLE_TARGET_GONE,
        Code.ALREADY_ACTIVE,
        Code.DURATION_TOO_LONG,
        Code.START_PAST,
        Code.JUSTIFICATION_MISSING,
        Code.TICKET_MISSING,
        Code.NOT_ELIGIBLE,
    ]


def test_a_field_that_could_not_be_read_refuses_even_where_all_else_is_met() -> None:
    problem = Unmet(Code.DURATION_INVALID, "The field duration is '8 hours'.", "Send PT8H.")
    assert codes(replace(ASK, duration=None, problems=(problem,))) == [Code.DURATION_INVALID]


# The role


def test_an_unknown_role_is_refused_by_the_name_that_was_asked_for() -> None:
    verdict = evaluate(replace(ASK, role="no-such-role"), replace(FACTS, settings=None), now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert [unmet.code for unmet in verdict.unmet] == [Code.ROLE_UNKNOWN]
    assert "'no-such-role'" in verdict.unmet[0].what


def test_an_unknown_role_does_not_hide_what_is_wrong_with_the_accounts() -> None:
    assert codes(facts=replace(FACTS, settings=None, principal=None)) == [Code.PRINCIPAL_UNKNOWN, Code.ROLE_UNKNOWN]


def test_a_role_takes_requests_only_through_the_doors_it_accepts() -> None:
    only_signed_in = with_role(accepts=frozenset({Door.SIGNED_IN}))
    assert codes(facts=only_signed_in) == [Code.DOOR_NOT_ACCEPTED]
    assert is_allowed(replace(ASK, door=Door.SIGNED_IN), only_signed_in)


def test_a_role_whose_group_was_deleted_is_refused() -> None:
    assert codes(facts=replace(FACTS, target_exists=False)) == [Code.ROLE_TARGET_GONE]


def test_a_role_that_is_active_for_the_account_already_is_not_given_twice() -> None:
    assert codes(facts=replace(FACTS, held_until=NOW + SECOND)) == [Code.ALREADY_ACTIVE]


def test_a_role_may_be_given_again_from_the_instant_at_which_it_ends() -> None:
    held = replace(FACTS, held_until=NOW + HOUR)
    assert is_allowed(replace(ASK, starts_at=NOW + HOUR), held)
    assert codes(replace(ASK, starts_at=NOW + HOUR - SECOND), held) == [Code.ALREADY_ACTIVE]
    assert is_allowed(facts=replace(FACTS, held_until=NOW))


def test_a_role_that_names_approvers_needs_a_decision_first() -> None:
    assert allowed(facts=with_role(approval=APPROVAL)).approval_required
    assert not allowed().approval_required


# The accounts


def test_a_requester_who_was_not_found_is_refused_since_nobody_compared_the_persons() -> None:
    assert codes(facts=replace(FACTS, requester=None, same_person=False)) == [Code.REQUESTER_UNKNOWN]
    assert codes(facts=replace(FACTS, requester=None, same_person=True)) == [Code.REQUESTER_UNKNOWN]


def test_a_disabled_requester_is_refused() -> None:
    assert codes(facts=replace(FACTS, requester=replace(ADA, enabled=False))) == [Code.REQUESTER_DISABLED]


def test_a_principal_that_was_not_found_is_refused() -> None:
    assert codes(facts=replace(FACTS, principal=None)) == [Code.PRINCIPAL_UNKNOWN]


def test_a_disabled_principal_is_refused() -> None:
    assert codes(facts=replace(FACTS, principal=replace(ADA_ADMIN, enabled=False))) == [Code.PRINCIPAL_DISABLED]


def test_nobody_asks_for_somebody_elses_account() -> None:
    assert codes(facts=replace(FACTS, principal=CY, same_person=False)) == [Code.NOT_SAME_PERSON]


# What could not be checked


@pytest.mark.parametrize("missing", [{"requester": None}, {"principal": None}, {"target_exists": False}], ids=str)
def test_what_could_not_be_looked_up_is_refused_as_unchecked_and_never_read_as_absent(
    missing: dict[str, object],
) -> None:
    facts = replace(FACTS, unknown=("who this is",), **missing)  # type: ignore[arg-type] # fields by name
    verdict = evaluate(ASK, facts, now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert [(unmet.code, unmet.what) for unmet in verdict.unmet] == [
        (Code.COULD_NOT_CHECK, "Could not check who this is.")
    ]


def test_no_eligibility_found_while_the_look_up_failed_is_not_an_empty_answer() -> None:
    facts = replace(FACTS, eligibilities=(), unknown=("your groups",))
    assert codes(facts=facts) == [Code.COULD_NOT_CHECK]


def test_a_failed_look_up_refuses_even_where_everything_found_would_allow() -> None:
    assert codes(facts=replace(FACTS, unknown=("your groups",))) == [Code.COULD_NOT_CHECK]


def test_each_thing_that_could_not_be_checked_is_named_beside_what_is_wrong() -> None:
    facts = replace(FACTS, unknown=("your groups", "the role's group"))
    assert codes(replace(ASK, duration=9 * HOUR), facts) == [
        Code.COULD_NOT_CHECK,
        Code.COULD_NOT_CHECK,
        Code.DURATION_TOO_LONG,
    ]


# The duration


def test_no_duration_means_the_default_of_the_role() -> None:
    assert allowed(replace(ASK, duration=None), with_role(default_duration=2 * HOUR)).duration == 2 * HOUR


def test_a_duration_of_exactly_the_maximum_is_allowed_and_a_second_more_is_not() -> None:
    assert allowed(replace(ASK, duration=8 * HOUR)).duration == 8 * HOUR
    assert codes(replace(ASK, duration=8 * HOUR + SECOND)) == [Code.DURATION_TOO_LONG]


def test_a_duration_of_exactly_the_minimum_is_allowed_and_a_second_less_is_not() -> None:
    assert allowed(replace(ASK, duration=5 * MINUTE)).duration == 5 * MINUTE
    assert codes(replace(ASK, duration=5 * MINUTE - SECOND)) == [Code.DURATION_TOO_SHORT]


def test_the_minimum_is_a_setting_of_the_role() -> None:
    demo = with_role(minimum_duration=20 * SECOND)
    assert is_allowed(replace(ASK, duration=20 * SECOND), demo)
    assert codes(replace(ASK, duration=19 * SECOND), demo) == [Code.DURATION_TOO_SHORT]


def test_a_duration_of_zero_is_too_short_and_never_the_default() -> None:
    assert codes(replace(ASK, duration=timedelta())) == [Code.DURATION_TOO_SHORT]


def test_a_negative_duration_is_too_short() -> None:
    assert codes(replace(ASK, duration=-HOUR)) == [Code.DURATION_TOO_SHORT]


# The start


def test_a_start_to_come_is_kept() -> None:
    assert allowed(replace(ASK, starts_at=NOW + DAY)).starts_at == NOW + DAY


@pytest.mark.parametrize("starts_at", [NOW, NOW - SECOND, NOW - 5 * MINUTE], ids=str)
def test_a_start_at_this_instant_or_up_to_five_minutes_ago_means_now(starts_at: datetime) -> None:
    assert allowed(replace(ASK, starts_at=starts_at)).starts_at is None


def test_a_start_more_than_five_minutes_ago_is_refused() -> None:
    assert codes(replace(ASK, starts_at=NOW - 5 * MINUTE - SECOND)) == [Code.START_PAST]


# The justification


def test_a_role_that_asks_for_a_justification_takes_no_blank_one() -> None:
    demanding = with_role(justification_required=True)
    assert codes(facts=demanding) == [Code.JUSTIFICATION_MISSING]
    assert codes(replace(ASK, justification=" \n\t"), demanding) == [Code.JUSTIFICATION_MISSING]
    assert is_allowed(replace(ASK, justification="Rotate the keys."), demanding)


def test_a_role_that_asks_for_none_does_without() -> None:
    assert is_allowed(replace(ASK, justification=""))


def test_a_justification_is_at_most_two_thousand_characters_even_where_none_is_asked_for() -> None:
    assert JUSTIFICATION_LIMIT == 2_000
    assert is_allowed(replace(ASK, justification="x" * 2_000))
    assert codes(replace(ASK, justification="x" * 2_001)) == [Code.JUSTIFICATION_TOO_LONG]


# The ticket

TICKETS = with_role(ticket=TicketDemand(system="ServiceNow", pattern=r"CHG\d{7}"))


def test_a_ticket_of_the_system_and_with_the_form_the_role_asks_for_is_taken() -> None:
    assert is_allowed(replace(ASK, ticket=Ticket("ServiceNow", "CHG0012345")), TICKETS)


def test_the_name_of_the_ticket_system_is_compared_without_case() -> None:
    assert is_allowed(replace(ASK, ticket=Ticket("SERVICENOW", "CHG0012345")), TICKETS)


@pytest.mark.parametrize("ticket", [None, Ticket("ServiceNow", "")], ids=["no ticket", "no number"])
def test_a_missing_ticket_is_refused_with_the_name_of_its_system(ticket: Ticket | None) -> None:
    verdict = evaluate(replace(ASK, ticket=ticket), TICKETS, now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert [unmet.code for unmet in verdict.unmet] == [Code.TICKET_MISSING]
    assert "ServiceNow" in verdict.unmet[0].what


@pytest.mark.parametrize("system", ["Jira", ""])
def test_a_ticket_of_another_system_or_of_none_is_refused(system: str) -> None:
    assert codes(replace(ASK, ticket=Ticket(system, "CHG0012345")), TICKETS) == [Code.TICKET_INVALID]


@pytest.mark.parametrize("number", ["CHG1", "xCHG0012345", "CHG0012345x", "CHG0012345\n"])
def test_the_pattern_must_match_the_whole_number(number: str) -> None:
    assert codes(replace(ASK, ticket=Ticket("ServiceNow", number)), TICKETS) == [Code.TICKET_INVALID]


def test_a_ticket_that_is_wrong_twice_is_told_twice() -> None:
    assert codes(replace(ASK, ticket=Ticket("Jira", "X-1")), TICKETS) == [Code.TICKET_INVALID, Code.TICKET_INVALID]


def test_a_role_may_ask_for_any_ticket_at_all() -> None:
    any_ticket = with_role(ticket=TicketDemand())
    assert is_allowed(replace(ASK, ticket=Ticket("", "4711")), any_ticket)
    assert codes(facts=any_ticket) == [Code.TICKET_MISSING]


def test_a_ticket_that_nobody_asked_for_is_not_looked_at() -> None:
    assert is_allowed(replace(ASK, ticket=Ticket("Jira", "X-1")))


# Durations, as a person says them


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(), "0 s"),
        (20 * SECOND, "20 s"),
        (2 * HOUR + 30 * MINUTE, "2 h 30 min"),
        (DAY + SECOND, "1 d 1 s"),
        (-90 * MINUTE, "-1 h 30 min"),
    ],
)
def test_a_duration_is_told_as_a_person_says_it(duration: timedelta, said: str) -> None:
    assert spoken(duration) == said


# Extensions

MORE = replace(ASK, extends="activation-1")
EXTENDED = replace(FACTS, extended=Extended(starts_at=NOW - HOUR, ends_at=NOW + HOUR))


def test_an_extension_counts_with_what_it_extends_up_to_the_maximum() -> None:
    assert allowed(replace(MORE, duration=6 * HOUR), EXTENDED).duration == 6 * HOUR
    too_long = evaluate(replace(MORE, duration=6 * HOUR + SECOND), EXTENDED, now=NOW)
    assert isinstance(too_long, NotAllowed)
    assert [unmet.code for unmet in too_long.unmet] == [Code.DURATION_TOO_LONG]
    assert "8 h 1 s" in too_long.unmet[0].what
    assert "at most 6 h more" in too_long.unmet[0].remedy


def test_where_the_maximum_is_reached_nothing_shorter_is_suggested() -> None:
    full = replace(FACTS, extended=Extended(starts_at=NOW - 7 * HOUR, ends_at=NOW + HOUR))
    verdict = evaluate(MORE, full, now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert verdict.unmet[0].remedy == "Use it until it ends, then ask again."


def test_a_short_extension_is_one_whatever_the_shortest_activation_is() -> None:
    assert is_allowed(replace(MORE, duration=SECOND), EXTENDED)


@pytest.mark.parametrize("extended", [None, Extended(starts_at=NOW - HOUR, ends_at=NOW)], ids=["none", "over"])
def test_there_must_be_something_held_to_extend(extended: Extended | None) -> None:
    assert codes(MORE, replace(FACTS, extended=extended)) == [Code.NOTHING_TO_EXTEND]


def test_what_could_not_be_looked_up_is_not_said_to_be_missing() -> None:
    assert codes(MORE, replace(FACTS, unknown=("what is to last longer",))) == [Code.COULD_NOT_CHECK]


def test_the_eligibility_must_reach_to_the_new_end_and_hold_now() -> None:
    def until(ends_at: datetime) -> Facts:
        return replace(EXTENDED, eligibilities=(replace(ELIGIBLE, ends_at=ends_at),))

    assert is_allowed(MORE, until(NOW + 2 * HOUR))
    assert codes(MORE, until(NOW + 2 * HOUR - SECOND)) == [Code.ELIGIBILITY_ENDS_FIRST]
    assert codes(MORE, until(NOW)) == [Code.ELIGIBILITY_ENDED]


def test_an_eligibility_that_ends_with_what_is_held_leaves_nothing_to_ask_for() -> None:
    ends_with_it = replace(EXTENDED, eligibilities=(replace(ELIGIBLE, ends_at=NOW + HOUR),))
    verdict = evaluate(MORE, ends_with_it, now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert verdict.unmet[0].remedy == "Have the eligibility extended."


def test_an_extension_asked_about_again_is_still_one() -> None:
    waiting = activation(State.PENDING_APPROVAL, extends="activation-0")
    assert ask_again(waiting, now=NOW).extends == "activation-0"
