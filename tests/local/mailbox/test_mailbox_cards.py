"""Reading actionable messages, and putting what somebody typed where the card wants it."""

import json
from typing import Any

import pytest

from local.mailbox.cards import http_actions, marked, parse_card, read_mail
from local.mailbox.substitution import substitute

from .conftest import actionable_mail, approval_card

APP = "http://127.0.0.1:7071"


def test_the_card_is_found_in_the_head() -> None:
    mail = read_mail(actionable_mail(approval_card(APP)))

    assert mail.card == approval_card(APP)
    assert mail.problem is None
    assert mail.preview == "Ada Adair asks for Backup Operators Decide on the page."


@pytest.mark.parametrize(
    "script",
    [
        "<SCRIPT data-x='1' TYPE='application/adaptivecard+json'>{}</SCRIPT>",
        "<script type=application/adaptivecard+json>\n{}\n</script>",
        '<script>ignored()</script><script type="application/adaptivecard+json">{}</script>',
    ],
)
def test_the_card_is_found_however_its_element_is_written(script: str) -> None:
    card = {"type": "AdaptiveCard", "version": "1.0", "body": [{"type": "TextBlock", "text": "1 < 2 & 3"}]}

    mail = read_mail(f"<head>{script.format(json.dumps(card))}</head><body>x</body>")

    assert mail.card == card


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<p>Hello</p>", None),
        ("<body><script type='application/adaptivecard+json'>{}</script></body>", "not in the head"),
        ("<head><script type='application/adaptivecard+json'>{</script></head>", "not JSON"),
        ("<head><script type='application/adaptivecard+json'>{}</script></head>", "not of type AdaptiveCard"),
    ],
)
def test_a_card_that_outlook_would_not_show_is_not_shown(html: str, problem: str | None) -> None:
    mail = read_mail(html)

    assert mail.card is None
    assert (mail.problem is None) if problem is None else (problem in str(mail.problem))


def test_a_card_with_an_action_that_outlook_does_not_have_is_refused() -> None:
    card = approval_card(APP, actions=[{"type": "Action.Submit", "title": "Go"}])

    assert "Action.Submit" in str(read_mail(actionable_mail(card)).problem)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"type": "Other"}'])
def test_an_answer_without_a_card_has_none(text: str) -> None:
    assert parse_card(text) is None


def test_buttons_are_found_wherever_they_stand() -> None:
    def button(title: str) -> dict[str, Any]:
        return {"type": "Action.Http", "title": title}

    card = {
        "type": "AdaptiveCard",
        "body": [
            {"type": "Container", "selectAction": button("container"), "items": [{"type": "TextBlock", "text": "x"}]},
            {"type": "ColumnSet", "columns": [{"items": [{"type": "ActionSet", "actions": [button("set")]}]}]},
        ],
        "actions": [
            button("root"),
            {"type": "Action.OpenUrl", "title": "link"},
            {"type": "Action.ShowCard", "card": {"type": "AdaptiveCard", "actions": [button("inner")]}},
        ],
        "autoInvokeAction": button("never shown"),
    }

    assert [action.title for action in http_actions(card)] == ["container", "set", "root", "inner"]


def test_marking_buttons_leaves_the_card_itself_alone() -> None:
    card = approval_card(APP)

    copied = marked(card)

    assert [action.get("id") for action in copied["actions"]] == ["press-0", "press-1", None]
    assert card == approval_card(APP)


def test_an_input_counts_with_what_was_given_else_with_what_the_card_says() -> None:
    approve = http_actions(approval_card(APP))[0]

    assert approve.values({}) == {"minutes": "120", "reason": ""}
    assert approve.values({"minutes": "60", "reason": "why not", "unknown": "x"}) == {
        "minutes": "60",
        "reason": "why not",
    }


def test_a_required_input_is_missing_only_for_the_buttons_that_send_it() -> None:
    card = approval_card(APP)
    card["actions"].append({"type": "Action.Http", "title": "Later", "url": f"{APP}/later", "body": "{}"})
    approve, _, later = http_actions(card)

    assert approve.missing(approve.values({"reason": "  "})) == ["reason"]
    assert approve.missing(approve.values({"reason": "why"})) == []
    assert later.missing(later.values({})) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reason": "{{reason.value}}"}', '{"reason": "say "please""}'),
        ("{{ reason.value }}", 'say "please"'),
        ("{{reason.value}}{{minutes.value}}", 'say "please"60'),
        ("{{empty.value}}", ""),
        ("{{unknown.value}} {{reason}} {reason.value}", "{{unknown.value}} {{reason}} {reason.value}"),
    ],
)
def test_what_was_typed_goes_in_as_it_is(text: str, expected: str) -> None:
    assert substitute(text, {"reason": 'say "please"', "minutes": "60", "empty": ""}) == expected
