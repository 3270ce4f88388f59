"""Facts of persons, accounts, eligibilities and clocks."""

from dataclasses import FrozenInstanceError, replace

import pytest

from access.model import Account, Person, Source, Target
from tests.access.contoso import ADA, ADA_ADMIN, ADA_PERSON, BO_PERSON, CY, NOW, SECOND, TIMING
from tests.access.contoso import ELIGIBLE as UNBOUNDED

ELSEWHERE = Account(
    id="dee", name="Dee", user_principal_name="dee@contoso.example", other_mails=("dee@fabrikam.example",)
)


def test_a_person_is_all_of_their_accounts() -> None:
    assert ADA_PERSON.ids == {"ada", "ada-admin"}


def test_two_look_ups_are_of_one_person_when_they_share_an_account() -> None:
    assert ADA_PERSON.is_same_as(Person(accounts=(ADA_ADMIN,)))
    assert not ADA_PERSON.is_same_as(BO_PERSON)


def test_mail_goes_to_the_contact_that_the_roles_file_names() -> None:
    assert replace(ADA_PERSON, contact="ada@fabrikam.example").address == "ada@fabrikam.example"


def test_mail_for_an_account_without_a_mailbox_goes_to_the_persons_mailbox() -> None:
    assert Person(accounts=(ADA_ADMIN, ADA)).address == "ada@contoso.example"


def test_the_address_of_a_mailbox_counts_before_the_name_to_sign_in() -> None:
    assert Person(accounts=(replace(CY, mail="cyrus@contoso.example"),)).address == "cyrus@contoso.example"


def test_a_disabled_mailbox_is_passed_over() -> None:
    assert Person(accounts=(replace(ADA, enabled=False), ELSEWHERE)).address == "dee@fabrikam.example"


def test_without_a_mailbox_mail_goes_to_another_address_and_no_card_with_it() -> None:
    person = Person(accounts=(ELSEWHERE,))
    assert (person.address, person.card_reader) == ("dee@fabrikam.example", None)


def test_somebody_whom_nothing_reaches_has_no_address() -> None:
    assert Person(accounts=(ADA_ADMIN,)).address is None


def test_a_card_is_read_in_the_enabled_mailbox_to_which_mail_goes() -> None:
    assert Person(accounts=(ADA_ADMIN, ADA)).card_reader == ADA
    assert Person(accounts=(replace(ADA, enabled=False), ADA_ADMIN)).card_reader is None


def test_no_card_is_read_where_the_contact_is_not_that_mailbox() -> None:
    assert replace(ADA_PERSON, contact="ada@fabrikam.example").card_reader is None


def test_the_start_of_an_eligibility_is_inside_and_its_end_is_not() -> None:
    bounded = replace(UNBOUNDED, starts_at=NOW, ends_at=NOW + SECOND)
    assert [bounded.holds_at(at) for at in (NOW - SECOND, NOW, NOW + SECOND)] == [False, True, False]


def test_an_eligibility_without_bounds_always_holds() -> None:
    assert UNBOUNDED.holds_at(NOW)


@pytest.mark.parametrize("spelling", ["Storage-Admins", " storage-admins ", "storage-admins/", "STORAGE-ADMINS//"])
def test_targets_are_spelled_one_way(spelling: str) -> None:
    assert Target(Source.GROUP_MEMBER, spelling).id == "storage-admins"


def test_a_call_is_under_way_for_its_limit_and_its_tail() -> None:
    assert TIMING.in_flight == 70 * SECOND


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        ADA.enabled = False  # type: ignore[misc] # the point of the test
