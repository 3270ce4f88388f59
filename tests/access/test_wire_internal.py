"""Internal messages carry ids only; a card's button sends its token, the choice, and the note as it was typed."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.approval import Choice
from access.errors import Code, Unusable
from access.wire import CardPress, Nudge, Telling, read_nudge, read_press, read_telling

ID = "0123456789abcdef0123456789abcdef"
TELLING = Telling(activation=ID, what="ended", to="ada")


def test_a_nudge_is_read_as_it_was_written_and_says_nothing_but_the_id() -> None:
    assert Nudge(ID).body() == {"version": 1, "activation": ID}
    assert read_nudge(Nudge(ID).body()) == Nudge(ID)


@pytest.mark.parametrize("broken", [{}, {"activation": ""}, {"activation": 7}, {"activation": "x" * 321}], ids=str)
def test_a_nudge_without_an_activation_is_set_aside(broken: dict[str, object]) -> None:
    with pytest.raises(Unusable) as caught:
        read_nudge(broken)
    assert caught.value.code is Code.NUDGE_INVALID


@pytest.mark.parametrize("outcome", [{}, {"allowed": True}], ids=["stored", "a validation"])
def test_a_notification_is_read_as_it_was_written(outcome: dict[str, object]) -> None:
    telling = Telling(activation=ID, what="ended", to="ada", outcome=outcome)
    assert read_telling(json.loads(json.dumps(telling.body()))) == telling


def test_of_what_can_happen_again_each_is_a_telling_of_its_own() -> None:
    second = replace(TELLING, number=2)
    assert read_telling(json.loads(json.dumps(second.body()))) == second
    assert second.identity != TELLING.identity
    assert read_telling({**TELLING.body(), "number": "2"}) == TELLING


def test_an_outcome_is_sent_only_where_there_is_one() -> None:
    assert "outcome" not in TELLING.body()


def test_an_outcome_of_a_wrong_type_is_none() -> None:
    assert read_telling({**TELLING.body(), "outcome": [1]}) == TELLING


@pytest.mark.parametrize("field", ["activation", "what", "to"])
def test_a_notification_without_a_field_is_set_aside_with_its_name(field: str) -> None:
    with pytest.raises(Unusable, match=field) as caught:
        read_telling({key: value for key, value in TELLING.body().items() if key != field})
    assert caught.value.code is Code.NUDGE_INVALID


@pytest.mark.parametrize("choice", Choice)
def test_a_press_says_the_cards_token_and_the_choice(choice: Choice) -> None:
    raw = json.dumps({"token": "t", "decision": choice}).encode()
    assert read_press(raw) == CardPress(token="t", choice=choice, note="")


@pytest.mark.parametrize("typed", ['He said "no"', '"}\n{"decision": "approve"}', "{{note.value}}", "one\ntwo"])
def test_whatever_was_typed_is_the_note_and_never_the_decision(typed: str) -> None:
    press = read_press(b'{"token": "t", "decision": "deny"}\n' + typed.encode())
    assert press == CardPress(token="t", choice=Choice.DENY, note=typed)


def test_a_note_is_cleaned_like_any_text() -> None:
    assert read_press(b'{"token": "t", "decision": "deny"}\r\n a\xe2\x80\xaeb \r\n').note == "ab"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"[]",
        b"7",
        b'"token"',
        b"null",
        b"{}",
        b'{"token": "t"}',
        b'{"decision": "approve"}',
        b'{"token": "t", "decision": "maybe"}',
        b'{"token": "t", "decision": ["approve"]}',
        b'{"token": "t", "decision": {}}',
        b"[" * 100_000,
    ],
    ids=lambda raw: raw[:40].decode(),
)
def test_what_our_cards_do_not_send_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(Unusable) as caught:
        read_press(raw)
    assert caught.value.code is Code.CARD_INVALID


def test_a_press_that_is_no_text_is_refused() -> None:
    with pytest.raises(Unusable) as caught:
        read_press(b"\xff")
    assert caught.value.code is Code.BODY_NOT_UTF8


@given(st.binary() | st.binary().map(lambda typed: b'{"token": "t", "decision": "deny"}\n' + typed))
def test_whatever_the_bytes_a_press_is_read_or_refused_and_nothing_else_happens(raw: bytes) -> None:
    try:
        press = read_press(raw)
    except Unusable:
        return
    assert press.choice in Choice
