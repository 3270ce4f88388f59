"""`hourglass deactivate`, `cancel`, `extend`: the bytes that leave, the ids that come of them, and what to do next."""

import json

import pytest

from access import ids
from access.model import Door
from tests.fakes.tenant import TENANT
from tests.hourglass.conftest import FakeOutside, Run

ACTIVATION = "7ec11f233c863fa2d067ea4db42bb7bf"
ADA = ("--requester", "ada@contoso.example")


def record_of(principal: str, request: str) -> str:
    return ids.activation_id(
        tenant=TENANT, principal=principal, door=Door.FLOW, source="activation-requests", request=request
    )


@pytest.mark.parametrize("command", ["deactivate", "cancel"])
def test_what_is_said_is_in_the_message_and_the_next_step_is_said(outside: FakeOutside, run: Run, command: str) -> None:
    result = run(command, ACTIVATION.upper(), *ADA, "--justification", "Done sooner", "--request-id", "run-2")

    assert result.exit_code == 0
    [(queue, body, message_id)] = outside.sent
    assert (queue, message_id) == ("activation-requests", "run-2")
    assert json.loads(body) == {
        "version": 1,
        "action": command,
        "activation": ACTIVATION,
        "requester": "ada@contoso.example",
        "justification": "Done sooner",
        "flow": "hourglass request",
        "requestId": "run-2",
    }
    record = record_of("ada@contoso.example", "run-2")
    assert result.stdout == (
        "Sent to the queue activation-requests.\n"
        "  message     run-2\n"
        f"  activation  {ACTIVATION}\n"
        f"  record      {record}\n"
        f"See what comes of it: hourglass show {ACTIVATION} --wait\n"
        f"What is refused, or waits for approval, has the record: hourglass show {record}\n"
    )


def test_an_extension_says_how_much_longer_and_why(outside: FakeOutside, run: Run) -> None:
    result = run(
        *("extend", "--role", "backup-operators", "--principal", "ada.admin@contoso.example", *ADA),
        *(
            "--for",
            "PT1H",
            "--justification",
            "It takes longer",
            "--ticket",
            "ServiceNow:INC1",
            "--request-id",
            "run-2",
        ),
    )

    assert json.loads(outside.sent[0][1]) == {
        "version": 1,
        "action": "extend",
        "role": "backup-operators",
        "principal": "ada.admin@contoso.example",
        "duration": "PT1H",
        "justification": "It takes longer",
        "ticket": {"system": "ServiceNow", "number": "INC1"},
        "requester": "ada@contoso.example",
        "flow": "hourglass request",
        "requestId": "run-2",
    }
    assert "See what comes of it: hourglass list\n" in result.stdout
    assert record_of("ada.admin@contoso.example", "run-2") in result.stdout


def test_the_same_words_a_second_later_are_a_new_command_and_at_once_the_same(outside: FakeOutside, run: Run) -> None:
    words = ("deactivate", ACTIVATION, *ADA)

    run(*words)
    run(*words)
    outside.tick()
    run(*words)

    first, second, third = (message_id for _, _, message_id in outside.sent)
    assert first == second
    assert third != first


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("deactivate", ACTIVATION), "--requester missing."),
        (("cancel", *ADA), "Name the activation by its id, or by --role; one of them."),
        (("cancel", ACTIVATION, *ADA, "--role", "r"), "Name the activation by its id, or by --role; one of them."),
        (("deactivate", "7ec1", *ADA), "This is no whole id of an activation."),
        (("extend", ACTIVATION, *ADA), "--for missing."),
        (("extend", ACTIVATION, *ADA, "--for", "0"), '--for "0" is not a length of time.'),
        (("cancel", ACTIVATION, *ADA, "--request-id", "i" * 129), "--request-id has 129 characters; use at most 128."),
        (("extend", ACTIVATION, *ADA, "--for", "longer"), '--for "longer" is not a length of time.'),
    ],
)
def test_wrong_use_sends_nothing_and_says_what_is_missing(
    outside: FakeOutside, run: Run, words: tuple[str, ...], answer: str
) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert answer in result.stderr
    assert outside.sent == []
