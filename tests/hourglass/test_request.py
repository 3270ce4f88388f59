"""`hourglass request`: the bytes that leave, the ids that come of them, and what to do next."""

import json
from pathlib import Path

import pytest

from access import ids
from access.model import Door
from tests.fakes.tenant import TENANT
from tests.hourglass.conftest import FakeOutside, Run


def activation_for(principal: str, request: str) -> str:
    return ids.activation_id(
        tenant=TENANT, principal=principal, door=Door.FLOW, source="activation-requests", request=request
    )


def test_everything_that_is_said_is_in_the_message(outside: FakeOutside, run: Run) -> None:
    result = run(
        *("request", "--role", "backup-operators", "--requester", "ada@contoso.example"),
        *("--principal", "ada.admin@contoso.example", "--for", "PT2H", "--justification", "Restore the finance share"),
        *("--ticket", "ServiceNow:INC123456", "--start", "2026-03-02T10:00:00Z", "--request-id", "run-1"),
    )

    assert result.exit_code == 0
    [(queue, body, message_id)] = outside.sent
    assert (queue, message_id) == ("activation-requests", "run-1")
    assert json.loads(body) == {
        "version": 1,
        "action": "activate",
        "role": "backup-operators",
        "requester": "ada@contoso.example",
        "principal": "ada.admin@contoso.example",
        "duration": "PT2H",
        "justification": "Restore the finance share",
        "start": "2026-03-02T10:00:00Z",
        "ticket": {"system": "ServiceNow", "number": "INC123456"},
        "flow": "hourglass request",
        "requestId": "run-1",
    }


def test_the_ids_and_the_next_step_are_said(run: Run) -> None:
    result = run("request", "--role", "backup-operators", "--requester", "ada@contoso.example", "--request-id", "run-1")

    activation = activation_for("ada@contoso.example", "run-1")
    assert result.stdout == (
        "Sent to the queue activation-requests.\n"
        "  message     run-1\n"
        f"  activation  {activation}\n"
        f"See what comes of it: hourglass show {activation} --wait\n"
    )


def test_what_is_not_said_is_not_in_the_message(outside: FakeOutside, run: Run) -> None:
    run("request", "--role", "backup-operators", "--requester", "ada@contoso.example")

    assert set(json.loads(outside.sent[0][1])) == {"version", "action", "role", "requester", "flow", "requestId"}


def test_the_same_words_a_second_later_are_a_new_request_and_at_once_the_same(outside: FakeOutside, run: Run) -> None:
    words = ("request", "--role", "backup-operators", "--requester", "ada@contoso.example")

    run(*words)
    run(*words)
    outside.tick()
    run(*words)

    first, second, third = (message_id for _, _, message_id in outside.sent)
    assert first == second
    assert third != first


def test_a_validation_says_that_nothing_is_given(outside: FakeOutside, run: Run) -> None:
    result = run("request", "--role", "backup-operators", "--requester", "ada@contoso.example", "--validate")

    assert json.loads(outside.sent[0][1])["action"] == "validate"
    assert "Nothing will be given; the answer goes to the requester by mail." in result.stdout
    assert "activation " not in result.stdout


@pytest.mark.parametrize(
    "body",
    [
        b'{"requester": "ada@contoso.example", "role": "backup-operators"}\x00',
        b'\xef\xbb\xbf"{\\"requester\\": \\"ada@contoso.example\\"}"',
        b"\xff\xfe not JSON",
        b"",
    ],
)
def test_a_body_from_a_file_is_sent_untouched(outside: FakeOutside, run: Run, tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "body"
    file.write_bytes(body)

    result = run("request", "--json-body", str(file), "--request-id", "m-1")

    assert result.exit_code == 0
    assert outside.sent == [("activation-requests", body, "m-1")]


def test_a_body_from_the_standard_input_is_sent_untouched(outside: FakeOutside, run: Run) -> None:
    body = b'{"requester":"ada@contoso.example",\r\n"requestId":"run-7"}'

    result = run("request", "--json-body", "-", stdin=body)

    assert outside.sent[0][1] == body
    assert activation_for("ada@contoso.example", "run-7") in result.stdout


def test_a_body_that_will_be_set_aside_is_sent_and_the_reason_is_said(outside: FakeOutside, run: Run) -> None:
    result = run("request", "--json-body", "-", stdin=b"not JSON")

    assert len(outside.sent) == 1
    assert result.stderr.startswith("It will be set aside: the body is not JSON:")
    assert "HG-BODY-NOT-JSON" in result.stderr


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--role", "backup-operators"), "--requester missing."),
        ((), "--role and --requester missing."),
        (
            ("--role", "r", "--requester", "ada@contoso.example", "--for", "8 hours"),
            '--for "8 hours" is not a length of time.',
        ),
        (("--role", "r", "--requester", "a@b", "--for", "-1"), '--for "-1" is not a length of time.'),
        (
            ("--role", "r", "--requester", "a@b", "--request-id", "i" * 129),
            "--request-id has 129 characters; use at most 128.",
        ),
        (("--json-body", "-", "--request-id", "i" * 129), "--request-id has 129 characters; use at most 128."),
        (("--json-body", "-", "--role", "r"), "--json-body stands alone; only --request-id goes with it."),
        (("--json-body", "missing.json"), "missing.json can't be read: No such file or directory."),
    ],
)
def test_wrong_use_sends_nothing_and_says_what_is_missing(
    outside: FakeOutside, run: Run, words: tuple[str, ...], answer: str
) -> None:
    result = run("request", *words)

    assert result.exit_code == 2
    assert answer in result.stderr
    assert outside.sent == []
