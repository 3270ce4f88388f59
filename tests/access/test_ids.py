"""The same thing asked twice has the same id, and two things never share one (protocol section 2)."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.ids import LENGTH, activation_id, chained, content_of, digest, guid_of, hold_id
from access.model import Door, Source, Target

GROUP = Target(Source.GROUP_MEMBER, "storage-admins")
ANY_TEXT = st.text(st.characters() | st.sampled_from("\x00\x1f\ud800,\"'[]"))


def of_request(**values: str) -> str:
    stated = {"tenant": "t", "principal": "ada", "source": "activation-requests", "request": "run-1", **values}
    return activation_id(door=Door.FLOW, **stated)


def test_the_same_request_has_the_same_id_however_often_it_is_delivered() -> None:
    assert of_request() == of_request()


@pytest.mark.parametrize("spelling", ["ADA", " ada ", "Ada"])
def test_two_spellings_of_a_principal_are_one(spelling: str) -> None:
    assert of_request(principal=spelling) == of_request()
    assert hold_id(spelling, GROUP) == hold_id("ada", GROUP)


@pytest.mark.parametrize("field", ["tenant", "principal", "source", "request"])
def test_everything_else_that_differs_makes_another_id(field: str) -> None:
    assert of_request(**{field: "another"}) != of_request()


def test_a_principal_that_the_sender_only_claims_shares_no_ids_with_a_proven_one() -> None:
    proven = activation_id(
        tenant="t", principal="ada", door=Door.SIGNED_IN, source="activation-requests", request="run-1"
    )
    assert proven != of_request()


def test_two_targets_have_two_holds_and_two_spellings_of_one_have_one() -> None:
    assert hold_id("ada", GROUP) != hold_id("ada", Target(Source.GROUP_MEMBER, "network-admins"))
    assert hold_id("ada", GROUP) == hold_id("ada", Target(Source.GROUP_MEMBER, "Storage-Admins/"))


@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4))
def test_no_part_of_an_id_can_run_into_the_next_one(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) is (one == other)


def test_a_separator_inside_a_part_does_not_make_two_things_one() -> None:
    assert digest("a\x1f", "b") != digest("a", "\x1fb")
    assert digest("a\x1fb") != digest("a", "", "b")


@given(ANY_TEXT)
def test_an_id_is_short_and_plain_whatever_it_names(text: str) -> None:
    made = digest(text)
    assert len(made) == LENGTH
    assert set(made) <= set("0123456789abcdef")


def test_the_fingerprint_of_a_request_does_not_depend_on_the_order_of_its_fields() -> None:
    assert content_of({"role": "r", "duration": 2}) == content_of({"duration": 2, "role": "r"})


@pytest.mark.parametrize(
    "other", [{"role": "r", "duration": "2"}, {"role": "r"}, {"role": "s", "duration": 2}], ids=str
)
def test_the_fingerprint_tells_a_second_delivery_from_an_id_used_again(other: dict[str, object]) -> None:
    assert content_of(other) != content_of({"role": "r", "duration": 2})


def test_a_guid_stays_itself_and_any_other_text_becomes_one() -> None:
    own = "6f1b0f0e-8a3f-4a57-9d4c-1f6f2f3a4b5c"
    assert guid_of(own) == own
    assert guid_of("run-1") == guid_of("run-1") == str(UUID(guid_of("run-1")))
    assert guid_of("run-1") != guid_of("run-2")


def test_the_hash_of_an_event_covers_its_content_and_the_event_before_it() -> None:
    first = chained("", {"event": "activation.accepted", "n": 1})
    assert first == chained("", {"n": 1, "event": "activation.accepted"})
    assert first != chained("", {"event": "activation.accepted", "n": 2})
    assert first != chained(first, {"event": "activation.accepted", "n": 1})
