"""Who decides, and that nobody decides for themselves (laws 5 and 6)."""

from dataclasses import replace

import pytest

from access.approval import NOTE_LIMIT, Choice, Decider, judge_note, may_be_asked, may_decide, why_closed
from access.errors import Code
from access.model import Account, Activation, ApprovalDemand, Cause, DecideWith, Person, State
from tests.access.contoso import (
    ADA,
    ADA_ADMIN,
    ADA_PERSON,
    APPROVAL,
    BO,
    BO_PERSON,
    CY_PERSON,
    HOUR,
    NOW,
    SECOND,
    activation,
)

PENDING = activation(State.PENDING_APPROVAL, lapses_at=NOW + HOUR)
EXACT_ACCOUNT = replace(APPROVAL, decide_with=DecideWith.ACCOUNT)
BO_IS_NAMED = frozenset({"bo"})


def bo(account: str = "bo", named: frozenset[str] = BO_IS_NAMED) -> Decider:
    return Decider(account=account, person=BO_PERSON, named=named)


def refused(
    decider: Decider,
    *,
    demand: ApprovalDemand = APPROVAL,
    concerned: Person | None = ADA_PERSON,
    asked: Activation = PENDING,
) -> list[str]:
    return [unmet.code for unmet in may_decide(asked, demand, decider, concerned=concerned)]


# Who may


def test_a_named_approver_decides() -> None:
    assert refused(bo()) == []


def test_a_member_of_a_group_that_is_named_decides() -> None:
    group_members = frozenset({"dee", "bo", "eve"})
    assert refused(bo(named=group_members)) == []


def test_an_approver_decides_with_any_account_of_theirs_where_the_role_asks_for_the_person() -> None:
    assert refused(bo("bo-admin")) == []


def test_a_stranger_does_not_decide() -> None:
    cy = Decider(account="cy", person=CY_PERSON, named=BO_IS_NAMED)
    assert refused(cy) == [Code.DECISION_NOT_APPROVER]


def test_an_approver_who_left_the_group_since_the_mail_was_sent_does_not_decide() -> None:
    assert refused(bo(named=frozenset({"dee", "eve"}))) == [Code.DECISION_NOT_APPROVER]


def test_a_role_without_any_approver_now_is_decided_by_nobody() -> None:
    assert refused(bo(named=frozenset())) == [Code.DECISION_NOT_APPROVER]


def test_where_the_role_asks_for_the_named_account_that_account_decides() -> None:
    assert refused(bo(), demand=EXACT_ACCOUNT) == []


def test_where_the_role_asks_for_the_named_account_another_one_of_the_person_is_refused_by_name() -> None:
    assert refused(bo("bo-admin"), demand=EXACT_ACCOUNT) == [Code.DECISION_WRONG_ACCOUNT]


def test_a_stranger_is_told_that_they_are_no_approver_also_where_the_account_matters() -> None:
    cy = Decider(account="cy", person=CY_PERSON, named=BO_IS_NAMED)
    assert refused(cy, demand=EXACT_ACCOUNT) == [Code.DECISION_NOT_APPROVER]


# Law 6, in all its disguises

EVERYBODY = frozenset({"ada", "ada-admin", "ada-guest", "bo"})


@pytest.mark.parametrize("account", ["ada", "ada-admin"])
def test_nobody_decides_for_themselves_with_the_account_that_asked_or_the_one_that_receives(account: str) -> None:
    ada = Decider(account=account, person=ADA_PERSON, named=EVERYBODY)
    assert refused(ada) == [Code.DECISION_SELF]


def test_nobody_decides_for_themselves_with_a_third_account_of_theirs() -> None:
    # The guest twin carries the same employee id, so the look-up returned it among Ada's accounts.
    guest = Account(id="ada-guest", name="Ada (guest)", user_principal_name="ada_ext@contoso.example")
    everything_of_ada = Person(accounts=(ADA, ADA_ADMIN, guest))
    decider = Decider(account="ada-guest", person=everything_of_ada, named=EVERYBODY)
    assert refused(decider, concerned=everything_of_ada) == [Code.DECISION_SELF]


def test_a_link_that_only_one_of_the_two_look_ups_saw_is_enough() -> None:
    guest = Account(id="ada-guest", name="Ada (guest)", user_principal_name="ada_ext@contoso.example")
    knows_more = Person(accounts=(ADA, guest))
    assert refused(Decider(account="ada-guest", person=knows_more, named=EVERYBODY)) == [Code.DECISION_SELF]
    knows_less = Person(accounts=(guest,))
    concerned = Person(accounts=(ADA, ADA_ADMIN, guest))
    assert refused(Decider(account="ada-guest", person=knows_less, named=EVERYBODY), concerned=concerned) == [
        Code.DECISION_SELF
    ]


@pytest.mark.parametrize("account", [ADA, ADA_ADMIN], ids=lambda account: account.id)
def test_requester_and_principal_stay_concerned_though_their_accounts_are_no_longer_linked(account: Account) -> None:
    unlinked = Person(accounts=(account,))
    other = Person(accounts=(ADA,)) if account is ADA_ADMIN else Person(accounts=(ADA_ADMIN,))
    assert refused(Decider(account=account.id, person=unlinked, named=EVERYBODY), concerned=other) == [
        Code.DECISION_SELF
    ]


def test_a_decider_whose_person_holds_the_principal_is_refused_whatever_account_they_press_with() -> None:
    shared = Person(accounts=(BO, ADA_ADMIN))
    assert refused(Decider(account="bo", person=shared, named=BO_IS_NAMED)) == [Code.DECISION_SELF]


def test_being_in_the_group_of_approvers_does_not_help_the_requester() -> None:
    ada = Decider(account="ada", person=ADA_PERSON, named=frozenset({"ada", "bo"}))
    assert refused(ada) == [Code.DECISION_SELF]


def test_a_requester_who_is_no_approver_either_is_told_both() -> None:
    ada = Decider(account="ada", person=ADA_PERSON, named=BO_IS_NAMED)
    assert refused(ada) == [Code.DECISION_SELF, Code.DECISION_NOT_APPROVER]


def test_a_link_of_the_decider_that_cannot_be_read_refuses_the_decision() -> None:
    assert refused(Decider(account="bo", person=None, named=BO_IS_NAMED)) == [Code.COULD_NOT_CHECK]


def test_a_link_of_the_requester_that_cannot_be_read_refuses_the_decision() -> None:
    assert refused(bo(), concerned=None) == [Code.COULD_NOT_CHECK]


def test_the_same_name_and_address_do_not_make_two_accounts_one_person() -> None:
    namesake = Account(id="ada-2", name="Ada", user_principal_name="ada@contoso.example", mail="ada@contoso.example")
    decider = Decider(account="ada-2", person=Person(accounts=(namesake,)), named=frozenset({"ada-2"}))
    assert refused(decider) == []


# Whom to ask


def test_an_approver_is_asked() -> None:
    assert may_be_asked(BO_PERSON, ADA_PERSON, PENDING)


def test_the_requester_is_never_asked_about_their_own_request() -> None:
    assert not may_be_asked(ADA_PERSON, ADA_PERSON, PENDING)


@pytest.mark.parametrize("account", [ADA, ADA_ADMIN], ids=lambda account: account.id)
def test_neither_requester_nor_principal_is_asked_though_their_link_is_gone(account: Account) -> None:
    assert not may_be_asked(Person(accounts=(account,)), CY_PERSON, PENDING)


def test_an_approver_whose_accounts_are_all_disabled_is_not_asked() -> None:
    gone = Person(accounts=tuple(replace(account, enabled=False) for account in BO_PERSON.accounts))
    assert not may_be_asked(gone, ADA_PERSON, PENDING)


def test_one_enabled_account_is_enough_to_be_asked() -> None:
    half_gone = Person(accounts=(replace(BO, enabled=False), BO_PERSON.accounts[1]))
    assert may_be_asked(half_gone, ADA_PERSON, PENDING)


# The approver's own reason


def noted(note: str, demand: ApprovalDemand = APPROVAL) -> list[str]:
    return [unmet.code for unmet in judge_note(demand, note)]


def test_a_role_that_asks_approvers_for_a_reason_takes_no_blank_one() -> None:
    demanding = replace(APPROVAL, justification_required=True)
    assert noted("", demanding) == [Code.DECISION_NOTE_MISSING]
    assert noted(" \n", demanding) == [Code.DECISION_NOTE_MISSING]
    assert noted("Planned change.", demanding) == []


def test_a_role_that_asks_for_no_reason_does_without() -> None:
    assert noted("") == []


def test_a_reason_is_at_most_two_thousand_characters() -> None:
    assert NOTE_LIMIT == 2_000
    assert noted("x" * 2_000) == []
    assert noted("x" * 2_001) == [Code.DECISION_NOTE_TOO_LONG]


# One decision


def test_the_question_is_open_until_the_very_instant_it_lapses() -> None:
    lapses_at = NOW + HOUR
    assert why_closed(PENDING, now=lapses_at - SECOND) is None
    closed = why_closed(PENDING, now=lapses_at)
    assert closed is not None
    assert closed.code == Code.DECISION_LAPSED


def test_the_question_is_closed_after_its_lapse_also_once_the_lapse_is_recorded() -> None:
    lapsed = activation(State.LAPSED, lapses_at=NOW)
    closed = why_closed(lapsed, now=NOW + HOUR)
    assert closed is not None
    assert closed.code == Code.DECISION_LAPSED


@pytest.mark.parametrize(
    ("state", "choice", "said"),
    [
        (State.PROVISIONING, Choice.APPROVE, "Bo approved this at 09:00 UTC."),
        (State.DENIED, Choice.DENY, "Bo denied this at 09:00 UTC."),
    ],
)
def test_the_second_decider_is_told_who_won_and_when(state: State, choice: Choice, said: str) -> None:
    decided = activation(state, decision=choice, decided_by="bo", decided_by_name="Bo", decided_at=NOW)
    closed = why_closed(decided, now=NOW + SECOND)
    assert closed is not None
    assert (closed.code, closed.what) == (Code.DECISION_TAKEN, said)


def test_a_decision_by_somebody_without_a_name_is_still_told() -> None:
    decided = activation(State.PROVISIONING, decision=Choice.APPROVE, decided_by="bo", decided_at=NOW)
    closed = why_closed(decided, now=NOW)
    assert closed is not None
    assert closed.what.startswith("Somebody approved this")


def test_who_won_is_told_even_after_the_lapse() -> None:
    decided = activation(State.DENIED, decision=Choice.DENY, decided_by_name="Bo", decided_at=NOW, lapses_at=NOW + HOUR)
    closed = why_closed(decided, now=NOW + 2 * HOUR)
    assert closed is not None
    assert closed.code == Code.DECISION_TAKEN


@pytest.mark.parametrize(
    ("cause", "said"),
    [(Cause.CANCELED, "This request was cancelled by who asked."), (Cause.WITHDRAWN, "This request is closed.")],
)
def test_a_request_that_was_closed_without_a_decision_says_so(cause: Cause, said: str) -> None:
    canceled = activation(State.CANCELED, cause=cause, lapses_at=NOW + HOUR)
    closed = why_closed(canceled, now=NOW)
    assert closed is not None
    assert (closed.code, closed.what) == (Code.DECISION_TAKEN, said)
