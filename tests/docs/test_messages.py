"""The published schemas, their examples and the pages beside them are about the messages that the code sends and reads."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from access.approval import Choice
from access.body import read_body
from access.cards import approval_card
from access.events import Event
from access.model import Door, State
from access.wire import QUEUES, Envelope, Nudge, Telling, read_nudge, read_press, read_request, read_telling
from notifier.mails import WORDS
from tests.docs import pages
from tests.fakes.tenant import BO, FakeTenant

MESSAGES = pages.DOCS / "messages"
EXAMPLES = MESSAGES / "examples"
SCHEMAS = {path.name.removesuffix(".schema.json"): path for path in sorted(MESSAGES.glob("*.schema.json"))}
SAMPLES = pages.ROOT / "tests" / "samples" / "activation-requests"
ACTIVATION = "3f2a9c1e5b7d4086a1c3e5f708192a3b"
INTERNAL = {
    "approvals": "nudge",
    "provisioning": "nudge",
    "expirations": "nudge",
    "notifications": "telling",
    "ticks": "tick",
}


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads(SCHEMAS[name].read_text(encoding="utf-8")), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def problems(name: str, message: object) -> list[str]:
    return [error.message for error in schema(name).iter_errors(message)]


def examples_of(name: str) -> list[str]:
    return [path.name for path in sorted(EXAMPLES.glob(f"{name}.*json"))]


def example(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
    return content


def request_problems(body: Mapping[str, object]) -> tuple[str, ...]:
    envelope = Envelope(queue="activation-requests", message_id="m-1")
    command = read_request(body, envelope, door=Door.FLOW, repairs=())
    return tuple(problem.code for problem in command.problems) + command.ignored


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_names_itself(name: str) -> None:
    content = json.loads(SCHEMAS[name].read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert content["$id"].endswith(f"/{name}.schema.json")


@pytest.mark.parametrize(("name", "file"), [(name, file) for name in SCHEMAS for file in examples_of(name)])
def test_an_example_is_what_its_schema_describes(name: str, file: str) -> None:
    assert problems(name, example(file)) == []


def test_every_schema_has_an_example_and_every_example_a_schema() -> None:
    assert all(examples_of(name) for name in SCHEMAS)
    described = {file for name in SCHEMAS for file in examples_of(name)}
    assert {path.name for path in EXAMPLES.iterdir()} == described | {"card-press.txt"}


@pytest.mark.parametrize("file", examples_of("activation-requests"))
def test_an_example_of_a_request_is_read_without_a_repair_or_a_problem(file: str) -> None:
    body, repairs = read_body((EXAMPLES / file).read_bytes())

    assert repairs == ()
    assert request_problems(body) == ()


def test_the_page_of_requests_names_every_field_of_the_schema() -> None:
    page = pages.text("docs/messages/activation-requests.md")
    described = json.loads(SCHEMAS["activation-requests"].read_text(encoding="utf-8"))["properties"]

    assert [pages.codes(row["Field"])[0] for row in pages.table(page)] == list(described)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"action": "destroy"},
        {"action": "cancel", "role": None},
        {"action": "extend", "duration": None},
        {"action": "deactivate", "activation": "7ec1"},
        {"duration": "8 hours"},
        {"duration": 0},
        {"duration": "P"},
        {"start": "2030-03-02T09:00:00"},
        {"ticket": ["INC1"]},
        {"flow": "x" * 321},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_reader_names_too(change: dict[str, object]) -> None:
    body = {**example("activation-requests.full.json"), **change}

    assert problems("activation-requests", body)
    assert request_problems(body)


def test_the_nudge_that_is_sent_is_the_one_described() -> None:
    body = Nudge(ACTIVATION).body()

    assert body == example("nudge.json")
    assert read_nudge(example("nudge.json")) == Nudge(ACTIVATION)


@pytest.mark.parametrize("file", examples_of("telling"))
def test_an_example_of_a_telling_is_read_and_written_the_same(file: str) -> None:
    assert read_telling(example(file)).body() == example(file)


def test_the_schema_and_the_page_know_every_mail_there_is() -> None:
    mails = {*WORDS, "validated"}
    described = json.loads(SCHEMAS["telling"].read_text(encoding="utf-8"))["properties"]["what"]["enum"]
    listed = pages.table(pages.section(pages.text("docs/messages/README.md"), "## Tellings"))

    assert set(described) == mails
    assert {pages.codes(row["`what`"])[0] for row in listed} == mails
    assert all(problems("telling", Telling(activation=ACTIVATION, what=what, to=BO.id).body()) == [] for what in WORDS)


def test_the_schema_of_events_knows_every_event_and_every_state() -> None:
    properties = json.loads(SCHEMAS["activation-events"].read_text(encoding="utf-8"))["properties"]

    assert set(properties["type"]["enum"]) == set(Event)
    assert set(properties["data"]["properties"]["state"]["enum"]) == set(State)


async def test_whatever_the_main_job_sends_is_as_described(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask()
    tenant.ask(action="validate", requestId="run-2", message_id="m-2")
    tenant.ask(justification="", requestId="run-3", message_id="m-3")
    await tenant.run_for(timedelta(hours=25))

    sent = [(message.queue, json.loads(message.body)) for message in tenant.bus.sent]
    kinds = {queue: INTERNAL.get(queue, queue) for queue, _ in sent}
    assert set(kinds.values()) == set(SCHEMAS)
    assert [(queue, found) for queue, body in sent if (found := problems(kinds[queue], body))] == []


def test_the_example_of_a_card_press_is_read_with_its_note_as_text() -> None:
    press = read_press((EXAMPLES / "card-press.txt").read_bytes())

    assert press.choice is Choice.APPROVE
    assert press.note.endswith('{"decision": "deny"} is only text here.')


async def test_a_button_of_our_card_sends_what_the_page_describes(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask()
    await tenant.run()
    card = approval_card(await tenant.activation(), token="t", url="https://hourglass.contoso.example", originator="")

    described = (EXAMPLES / "card-press.txt").read_text(encoding="utf-8").partition("\n")[0]
    for action in card["actions"]:
        first, _, note = action["body"].partition("\n")
        assert list(json.loads(first)) == list(json.loads(described))
        assert note == "{{note.value}}"


def test_every_repair_is_named_on_the_page_and_every_named_one_is_shown_by_a_sample() -> None:
    page = pages.section(pages.text("docs/messages/activation-requests.md"), "## Bodies that are accepted")
    described = {tuple(pages.codes(row["Repairs"])) for row in pages.table(page)}
    samples = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))

    assert {repair for repairs in described for repair in repairs} == {
        repair for sample in samples.values() for repair in sample.get("repairs", [])
    }


@pytest.mark.parametrize("queue", ["activation-requests", *INTERNAL, "activation-events"])
def test_the_page_of_messages_has_every_queue_of_the_topology(queue: str) -> None:
    topology = json.loads(pages.text("local/topology.json"))["UserConfig"]["Namespaces"][0]
    names = {entity["Name"] for kind in ("Queues", "Topics") for entity in topology[kind]}
    listed = {code for row in pages.table(pages.text("docs/messages/README.md")) for code in pages.codes(row["Where"])}

    assert queue in names
    assert queue in listed


def test_the_dead_letters_of_every_queue_of_the_topology_are_collected() -> None:
    topology = json.loads(pages.text("local/topology.json"))["UserConfig"]["Namespaces"][0]

    assert set(QUEUES) == {queue["Name"] for queue in topology["Queues"]}
