"""The card that asks an approver: all that is needed to decide, and no word of a stranger taken as more than text."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from access.approval import Choice
from access.cards import SHOWN_LIMIT, approval_card, closed_card, escape, html_head, outcome, status_line
from access.errors import Code
from access.model import Activation, Cause, Door, State, Ticket, Unmet
from access.wire import CardPress, read_press
from tests.access.contoso import HOUR, NOW, activation

PENDING = activation(State.PENDING_APPROVAL, duration=2 * HOUR, justification="Rotate the keys.", through="Ask")
URL = "https://hourglass.contoso.example"


def card(asked: Activation = PENDING) -> dict[str, Any]:
    return approval_card(asked, token="the-token", url=URL, originator="originator-1")


def shown(made: dict[str, Any]) -> str:
    return json.dumps(made["body"], ensure_ascii=False)


def facts(made: dict[str, Any]) -> dict[str, str]:
    rows = next(block["facts"] for block in made["body"] if block["type"] == "FactSet")
    return {row["title"]: row["value"] for row in rows}


def test_a_card_says_who_wants_what_for_which_account_for_how_long_and_why() -> None:
    assert "Ada wants to activate Storage administrator" in shown(card())
    assert "Rotate the keys." in shown(card())
    assert facts(card()) == {
        "Role": "Storage administrator",
        "For account": "Ada (admin)",
        "For how long": "2 h",
        "Starts": "as soon as it is approved",
        "Asked through": "flow Ask; who asked is not proven",
    }


def test_a_card_is_of_the_version_that_outlook_shows_everywhere() -> None:
    made = card()
    assert (made["version"], made["originator"], made["correlationId"]) == ("1.0", "originator-1", "activation-1")


def test_a_flow_without_a_name_is_still_called_a_flow() -> None:
    assert facts(card(activation(State.PENDING_APPROVAL)))["Asked through"] == "a flow; who asked is not proven"


def test_who_signed_in_is_proven() -> None:
    assert "Asked through" not in facts(card(activation(State.PENDING_APPROVAL, door=Door.SIGNED_IN)))


def test_a_start_to_come_and_a_ticket_are_shown() -> None:
    later = activation(State.PENDING_APPROVAL, starts_at=NOW, ticket=Ticket("ServiceNow", "CHG0012345"))
    assert facts(card(later))["Starts"] == escape("2026-01-05 09:00 UTC")
    assert facts(card(later))["Ticket"] == "ServiceNow CHG0012345"


def test_a_ticket_without_a_system_is_just_its_number() -> None:
    assert facts(card(activation(State.PENDING_APPROVAL, ticket=Ticket("", "4711"))))["Ticket"] == "4711"


def test_without_a_justification_none_is_shown() -> None:
    assert "\u201c" not in shown(card(activation(State.PENDING_APPROVAL)))


@pytest.mark.parametrize(("length", "cut"), [(SHOWN_LIMIT, False), (SHOWN_LIMIT + 1, True)])
def test_a_long_justification_is_cut_and_says_so(length: int, cut: bool) -> None:  # noqa: FBT001 - the value under test
    asked = activation(State.PENDING_APPROVAL, justification="x" * length)
    assert ("all of it is in the mail below" in shown(card(asked))) is cut


@pytest.mark.parametrize("choice", Choice)
def test_a_button_sends_what_we_read_back_with_the_note_as_it_was_typed(choice: Choice) -> None:
    button = next(action for action in card()["actions"] if action["title"].lower() == choice)
    typed = 'No: see "CHG0012345"\n{"decision": "approve"}'
    sent = button["body"].replace("{{note.value}}", typed)
    assert read_press(sent.encode()) == CardPress(token="the-token", choice=choice, note=typed)


def test_a_button_asks_outlook_for_its_own_token_in_a_header_of_its_own() -> None:
    for button in card()["actions"]:
        assert button["url"] == f"{URL}/api/cards/decide"
        assert {"name": "Authorization", "value": ""} in button["headers"]


def test_a_closed_card_has_no_buttons_to_decide() -> None:
    denied = activation(State.DENIED, decided_by_name="Bo", decided_at=NOW)
    made = closed_card(denied, url=URL, originator="originator-1")
    assert [action["type"] for action in made["actions"]] == ["Action.OpenUrl"]
    assert "Denied by Bo at 09:00 UTC." in shown(made)


@pytest.mark.parametrize("state", State)
def test_every_state_is_told_in_a_sentence(state: State) -> None:
    said = outcome(activation(state, decided_at=NOW, ends_at=NOW + timedelta(hours=1)))
    assert said.endswith(".")
    assert re.match("[A-Z]", said)


def test_what_is_active_says_who_approved_it_and_until_when() -> None:
    active = activation(State.ACTIVE, decided_by_name="Bo", decided_at=NOW, ends_at=NOW + HOUR)
    assert outcome(active) == "Approved by Bo at 09:00 UTC; active until 2026-01-05 10:00 UTC."


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("**bold**", r"\*\*bold\*\*"),
        ("_slanted_", r"\_slanted\_"),
        ("`code`", r"\`code\`"),
        ("[press](here)", r"\[press\](here)"),
        ("{{DATE(now)}}", "{ {DATE(now)}}"),
        ("one\n\n# two", "one # two"),
        ("- a list", "\u200b- a list"),
        ("1. a list", "\u200b1. a list"),
        ("Ada Adair (admin), 2026-01-05, finance_share", "Ada Adair (admin), 2026-01-05, finance_share"),
        ("https://evil.example", "https:\u200b//evil.example"),
    ],
)
def test_what_a_stranger_wrote_is_shown_as_it_is_and_does_nothing(text: str, harmless: str) -> None:
    assert escape(text) == harmless


def test_no_text_of_a_person_closes_the_script_in_which_the_card_travels() -> None:
    asked = activation(State.PENDING_APPROVAL, justification="</script><script>alert('Bo')</script> & more")
    head = html_head(card(asked))
    inside = head.removeprefix('<script type="application/adaptivecard+json">').removesuffix("</script>")
    assert not set("<>&") & set(inside)
    assert json.loads(inside) == card(asked)


def test_the_status_line_is_short_ascii_with_its_code_and_without_names() -> None:
    taken = Unmet(Code.DECISION_TAKEN, "Bo approved this at 09:00 UTC.", "Nothing is left to do.")
    assert status_line(taken) == "This was decided or closed already. (HG-DECISION-TAKEN)"
    odd = status_line(Unmet(Code.DECISION_SELF, "Zoë asked\r\nX-Header: 1" + "x" * 500, "-"))
    assert odd.isascii()
    assert "\n" not in odd
    assert len(odd) < 230


# Extensions, and what was closed


def test_a_card_of_an_extension_says_that_it_is_one_and_both_ends() -> None:
    more = activation(State.PENDING_APPROVAL, extends="activation-0", duration=HOUR, ends_at=NOW + 3 * HOUR)
    assert "Ada wants more time for Storage administrator" in shown(card(more))
    times = {title: value for title, value in facts(card(more)).items() if title not in facts(card())}
    assert times == {
        "How much longer": "1 h",
        "Active until": "2026-01-05 11:00 UTC",
        "Then until": "2026-01-05 12:00 UTC",
    }
    assert "Ada asked for more time for" in shown(closed_card(more, url=URL, originator=""))


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Cause.CANCELED, "Cancelled by who asked, before it was granted."),
        (Cause.WITHDRAWN, "Closed before it was granted: the rules don't allow it any more."),
        (Cause.REVOKED, "Closed before it was granted, by the people who run Hourglass."),
        (None, "Closed before it was granted."),
    ],
)
def test_what_was_closed_says_by_whom(cause: Cause | None, said: str) -> None:
    assert outcome(activation(State.CANCELED, cause=cause)) == said
