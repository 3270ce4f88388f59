"""A request is read field by field: what can't be read is named, nothing is guessed, and no text is taken as it came."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import Code, Unusable
from access.ids import activation_id
from access.model import Action, Door, Ticket
from access.policy import JUSTIFICATION_LIMIT, Allowed, Ask, Facts, NotAllowed, evaluate
from access.wire import ATTEMPT, IDENTITY, Envelope, RequestCommand, clean, read_duration, read_request
from tests.access.contoso import ADA, ADA_ADMIN, ELIGIBLE, HOUR, MINUTE, NOW, ROLE, SECOND

ENVELOPE = Envelope(queue="activation-requests", message_id="message-1")


def read(body: dict[str, object], envelope: Envelope = ENVELOPE) -> RequestCommand:
    return read_request(body, envelope, door=Door.FLOW, repairs=())


def of_ada(**fields: object) -> RequestCommand:
    return read({"requester": "ada@contoso.example", **fields})


def facts_until(ends_at: datetime | None) -> Facts:
    """Ada is eligible, and nothing is wrong with her accounts."""
    return Facts(
        settings=ROLE,
        requester=ADA,
        principal=ADA_ADMIN,
        same_person=True,
        eligibilities=(replace(ELIGIBLE, ends_at=ends_at),),
        target_exists=True,
    )


def problem(command: RequestCommand) -> tuple[str, str]:
    assert len(command.problems) == 1, command.problems
    return command.problems[0].code, command.problems[0].what


def test_a_request_says_who_for_which_account_which_role_for_how_long_and_why() -> None:
    command = of_ada(
        principal="adm-ada@contoso.example",
        role="Storage-Admin",
        duration="PT2H",
        start="2026-01-05T10:00:00+01:00",
        justification="Rotate the keys.",
        ticket={"system": "ServiceNow", "number": "CHG0012345"},
        requestId="run-1",
        flow="Ask for access",
    )
    assert (command.requester, command.principal) == ("ada@contoso.example", "adm-ada@contoso.example")
    assert (command.role, command.duration) == ("storage-admin", 2 * HOUR)
    assert command.starts_at == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    assert (command.justification, command.ticket) == ("Rotate the keys.", Ticket("ServiceNow", "CHG0012345"))
    assert (command.request_id, command.weak_id, command.through) == ("run-1", False, "Ask for access")
    assert (command.source, command.door, command.action) == ("activation-requests", Door.FLOW, Action.ACTIVATE)
    assert not command.problems
    assert not command.ignored


def test_what_is_left_out_is_left_to_the_role() -> None:
    command = of_ada()
    assert (command.duration, command.starts_at, command.ticket, command.justification) == (None, None, None, "")


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_field_is_a_field_left_out(nothing: object) -> None:
    command = of_ada(principal=nothing, duration=nothing, start=nothing, ticket=nothing, justification=nothing)
    assert command.principal == "ada@contoso.example"
    assert (command.duration, command.starts_at, command.ticket, command.problems) == (None, None, None, ())


def test_a_validation_asks_what_would_be_decided() -> None:
    assert of_ada(action="validate").action is Action.VALIDATE


# Who


@pytest.mark.parametrize(
    "nobody", [None, "", "  ", "\u202e", 7, True, [], ["ada"], {}, {"oid": ""}, {"oid": 7}, "x" * 321]
)
def test_where_nobody_is_named_nobody_could_be_told(nobody: object) -> None:
    with pytest.raises(Unusable) as caught:
        read({"requester": nobody})
    assert caught.value.code is Code.REQUESTER_MISSING


@pytest.mark.parametrize("key", ["oid", "id", "userPrincipalName", "upn", "mail", "email"])
def test_somebody_is_named_by_text_or_by_an_object_with_an_id_or_an_address(key: str) -> None:
    assert read({"requester": {key: " ada ", "how": "forms"}}).requester == "ada"


def test_of_several_names_the_object_id_counts() -> None:
    assert read({"requester": {"mail": "shared@contoso.example", "oid": "ada"}}).requester == "ada"


def test_without_a_principal_the_requester_receives() -> None:
    assert of_ada().principal == "ada@contoso.example"


@pytest.mark.parametrize("unnamed", [7, [], {}, " "], ids=str)
def test_a_principal_that_names_no_account_is_never_read_as_the_requester(unnamed: object) -> None:
    command = of_ada(principal=unnamed)
    assert command.principal == ""
    assert problem(command) == (Code.FIELD_INVALID, "The field principal names no account.")


# Version and action


@pytest.mark.parametrize("version", [1, "1"])
def test_version_one_is_read_and_so_is_none(version: object) -> None:
    assert of_ada(version=version).problems == ()
    assert of_ada().problems == ()


@pytest.mark.parametrize("version", [0, 2, "2", "one", None, [], 1.5, True], ids=str)
def test_any_other_version_is_refused_by_name(version: object) -> None:
    assert problem(of_ada(version=version))[0] == Code.VERSION_UNKNOWN


@pytest.mark.parametrize("action", ["destroy", "", "Activate", 1, None, []], ids=str)
def test_any_other_action_is_refused_by_name(action: object) -> None:
    assert problem(of_ada(action=action))[0] == Code.ACTION_UNKNOWN


# Commands about an activation

ID = "0a" * 16


@pytest.mark.parametrize("action", ["deactivate", "cancel", "extend"])
def test_a_command_names_an_activation_by_its_id_or_by_its_role(action: str) -> None:
    by_id = of_ada(action=action, activation=f" {ID.upper()} ", duration="PT1H")
    by_role = of_ada(action=action, role="Storage-Admin", principal="adm-ada@contoso.example", duration="PT1H")
    assert (by_id.action, by_id.activation, by_id.role, by_id.problems) == (action, ID, "", ())
    assert (by_role.activation, by_role.role, by_role.problems) == ("", "storage-admin", ())


@pytest.mark.parametrize("action", ["deactivate", "cancel", "extend"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_command_that_names_nothing_is_refused_by_name(action: str, nothing: object) -> None:
    command = of_ada(action=action, activation=nothing, role=nothing, duration="PT1H")
    assert problem(command) == (Code.FIELD_INVALID, "The field activation is missing, and so is role.")


@pytest.mark.parametrize("stated", ["7", "0a" * 15, "../" + ID, "g" * 32, True, [], {}], ids=str)
def test_what_is_no_id_of_an_activation_is_refused_by_name(stated: object) -> None:
    command = of_ada(action="cancel", activation=stated)
    code, what = problem(command)
    assert (command.activation, code) == ("", Code.FIELD_INVALID)
    assert what.startswith("The field activation is ")


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_extension_says_how_much_longer(nothing: object) -> None:
    command = of_ada(action="extend", activation=ID, duration=nothing)
    assert problem(command) == (Code.DURATION_INVALID, "The field duration is missing.")


def test_an_extension_gives_its_reason_and_ticket_as_a_request_does() -> None:
    command = of_ada(action="extend", activation=ID, duration=1, justification="It takes longer.", ticket="CHG1")
    assert (command.duration, command.justification, command.ticket) == (HOUR, "It takes longer.", Ticket("", "CHG1"))


@pytest.mark.parametrize("action", ["deactivate", "cancel"])
def test_fields_that_an_action_does_not_have_are_ignored_and_named_whatever_they_hold(action: str) -> None:
    command = of_ada(action=action, activation=ID, duration="soon", start="never", ticket=[])
    assert command.ignored == ("duration", "start", "ticket")
    assert (command.duration, command.starts_at, command.ticket, command.problems) == (None, None, None, ())


def test_a_request_for_a_role_names_no_activation() -> None:
    command = of_ada(role="storage-admin", activation=ID)
    assert (command.activation, command.ignored) == ("", ("activation",))


def test_the_same_id_for_another_activation_can_be_told() -> None:
    other = "0b" * 16
    assert of_ada(action="cancel", activation=ID).content != of_ada(action="cancel", activation=other).content


# Durations


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("PT2H", 2 * HOUR),
        ("pt90m", 90 * MINUTE),
        ("PT20S", 20 * SECOND),
        ("P1D", 24 * HOUR),
        ("P1DT2H3M4S", 26 * HOUR + 3 * MINUTE + 4 * SECOND),
        (" PT2H ", 2 * HOUR),
        (2, 2 * HOUR),
        (1.5, 90 * MINUTE),
        ("2", 2 * HOUR),
        ("1.5", 90 * MINUTE),
        ("1,5", 90 * MINUTE),
    ],
)
def test_a_duration_is_iso_8601_or_a_number_of_hours_also_as_text(stated: object, meant: timedelta) -> None:
    assert of_ada(duration=stated).duration == meant


@pytest.mark.parametrize("stated", [0, "0", 0.0, "PT0S", "P0D", -1, "-1", -0.5, 0.00001], ids=str)
def test_a_duration_of_nothing_or_less_is_refused_by_name(stated: object) -> None:
    command = of_ada(duration=stated)
    assert command.duration is None
    assert problem(command)[0] == Code.DURATION_INVALID


@pytest.mark.parametrize(
    "stated",
    [
        *("8 hours", "PT", "P", "P1DT", "P1M", "P1Y", "PT1.5H", "2h", " ", "1e3", "1:30", "-PT2H", "9" * 400),
        *(True, [], {}, [2], float("nan"), float("inf")),
    ],
    ids=str,
)
def test_what_is_no_length_of_time_is_refused_by_name_and_shown(stated: object) -> None:
    command = of_ada(duration=stated)
    code, what = problem(command)
    assert (command.duration, code) == (None, Code.DURATION_INVALID)
    assert what.startswith("The field duration is ")
    assert len(what) < 120


# Starts


@pytest.mark.parametrize(
    "stated", ["2026-01-05T09:00:00Z", "2026-01-05T10:00:00+01:00", " 2026-01-05T09:00:00.999Z ", "20260105T090000Z"]
)
def test_a_start_is_an_instant_with_a_zone_to_the_second_in_utc(stated: str) -> None:
    assert of_ada(start=stated).starts_at == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "stated",
    [
        *("2026-01-05T09:00:00", "2026-01-05", "tomorrow", "2026-13-05T09:00:00Z", 1767603600, True, [], {}),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"),
    ],
    ids=str,
)
def test_what_is_no_instant_with_a_zone_is_refused_by_name(stated: object) -> None:
    command = of_ada(start=stated)
    assert (command.starts_at, problem(command)[0]) == (None, Code.START_INVALID)


def test_a_start_in_the_past_is_read_and_left_to_the_rules() -> None:
    assert of_ada(start="2020-01-01T00:00:00Z").starts_at == datetime(2020, 1, 1, tzinfo=UTC)


# Texts


def test_a_justification_of_a_hundred_thousand_characters_is_refused_by_the_rules_not_cut() -> None:
    command = of_ada(justification="x" * 100_000)
    assert (len(command.justification), command.problems) == (100_000, ())
    ask = Ask(role="r", door=Door.FLOW, justification=command.justification)
    verdict = evaluate(ask, facts_until(None), now=NOW)
    assert isinstance(verdict, NotAllowed)
    assert [unmet.code for unmet in verdict.unmet] == [Code.JUSTIFICATION_TOO_LONG]
    assert JUSTIFICATION_LIMIT < 100_000


def test_html_is_kept_as_the_text_it_is() -> None:
    assert of_ada(justification="<b>now</b> & then").justification == "<b>now</b> & then"


def test_line_breaks_become_line_feeds() -> None:
    assert of_ada(justification="one\r\ntwo\rthree\nfour\tfive").justification == "one\ntwo\nthree\nfour\tfive"


@pytest.mark.parametrize(
    "mark", list("\x00\x07\x1b\x7f\x85\u061c\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\ud800\udfff")
)
def test_what_would_show_other_words_than_it_holds_is_taken_out(mark: str) -> None:
    assert of_ada(justification=f"de{mark}ny").justification == "deny"


@pytest.mark.parametrize("name", ["role", "requestId", "flow"])
def test_a_text_that_is_too_long_is_refused_by_name(name: str) -> None:
    assert of_ada(**{name: "x" * 320}).problems == ()
    assert problem(of_ada(**{name: "x" * 321})) == (Code.FIELD_INVALID, f"The field {name} has 321 characters.")


@pytest.mark.parametrize("name", ["role", "requestId", "flow", "justification"])
@pytest.mark.parametrize("value", [True, [], {}, [1]], ids=str)
def test_what_is_no_text_is_refused_by_name(name: str, value: object) -> None:
    code, what = problem(of_ada(**{name: value}))
    assert code == Code.FIELD_INVALID
    assert what.startswith(f"The field {name} is ")


def test_a_number_is_a_text_too() -> None:
    assert of_ada(requestId=4711).request_id == "4711"


# Tickets


@pytest.mark.parametrize("stated", ["CHG0012345", " CHG0012345 "])
def test_a_ticket_may_be_just_its_number(stated: str) -> None:
    assert of_ada(ticket=stated).ticket == Ticket("", "CHG0012345")
    assert of_ada(ticket=4711).ticket == Ticket("", "4711")


def test_a_ticket_without_a_number_is_left_to_the_rules() -> None:
    assert of_ada(ticket={"system": "ServiceNow"}).ticket == Ticket("ServiceNow", "")


@pytest.mark.parametrize("stated", [True, 1.5, [], ["CHG1"]], ids=str)
def test_what_is_no_ticket_is_refused_by_name(stated: object) -> None:
    command = of_ada(ticket=stated)
    assert (command.ticket, problem(command)[0]) == (None, Code.FIELD_INVALID)


@pytest.mark.parametrize(
    ("stated", "name"),
    [({"system": [], "number": "1"}, "system"), ({"number": "1" * 101}, "number"), ("1" * 101, "ticket")],
)
def test_what_is_wrong_inside_a_ticket_is_named(stated: object, name: str) -> None:
    assert problem(of_ada(ticket=stated))[1].startswith(f"The field {name} ")


# All at once, what nobody knows, and ids


def test_every_field_that_could_not_be_read_is_named_at_once() -> None:
    command = of_ada(version=9, action="x", principal=7, duration="long", start="soon", role=[], ticket=[])
    assert [found.code for found in command.problems] == [
        Code.VERSION_UNKNOWN,
        Code.ACTION_UNKNOWN,
        Code.FIELD_INVALID,
        Code.FIELD_INVALID,
        Code.DURATION_INVALID,
        Code.START_INVALID,
        Code.FIELD_INVALID,
    ]
    assert all(found.remedy for found in command.problems)


def test_fields_that_nobody_knows_are_ignored_and_named_at_most_twenty_and_cut() -> None:
    command = of_ada(**{f"field-{number:02}": 1 for number in range(30)}, **{"a" * 1_000: 1})
    assert len(command.ignored) == 20
    assert command.ignored[0] == "a" * 40
    assert command.problems == ()


def test_without_a_request_id_the_message_is_the_id_and_that_is_weaker() -> None:
    command = of_ada()
    assert (command.request_id, command.weak_id) == ("message-1", True)


def test_without_a_message_id_either_the_brokers_number_is_the_same_for_every_delivery() -> None:
    envelope = Envelope(queue="q", sequence_number=42, enqueued_at="2026-01-05T09:00:00Z")
    assert read({"requester": "ada"}, envelope).request_id == "42@2026-01-05T09:00:00Z"


def test_a_message_that_we_put_off_is_still_the_message_it_was_at_first() -> None:
    put_off = Envelope(queue="q", message_id="again", properties={IDENTITY: "message-1", ATTEMPT: "3"})
    assert (put_off.identity, put_off.attempt) == ("message-1", 3)
    assert (ENVELOPE.identity, ENVELOPE.attempt) == ("message-1", 0)


@pytest.mark.parametrize("forged", ["", "-1", "x", "²", "1.5"])
def test_a_forged_count_of_attempts_counts_as_none(forged: str) -> None:
    assert Envelope(queue="q", properties={ATTEMPT: forged}).attempt == 0


def test_a_forged_count_of_attempts_is_cut_to_what_can_be_read() -> None:
    assert Envelope(queue="q", properties={ATTEMPT: "9" * 10_000}).attempt == 999_999_999


def test_the_same_id_with_other_content_can_be_told() -> None:
    assert of_ada(role="a").content == of_ada(role="a", unknown=1).content
    assert of_ada(role="a").content != of_ada(role="b").content
    assert of_ada(role="a").content != of_ada(role="a", action="validate").content


# Anything at all

NAMES = st.sampled_from(
    (
        *("version", "action", "requester", "principal", "role", "duration", "start", "justification", "ticket"),
        *("requestId", "flow", "activation", "oid", "system", "number"),
    )
)
TEXTS = st.text(st.characters() | st.sampled_from("\ud800\x00\u202e")) | st.sampled_from(
    ["PT1H", "activate", "extend", "cancel", "0a" * 16, "2026-01-05T09:00:00Z", "9999-12-31T00:00:00Z", "1", "-"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=4), max_leaves=8
)
BODIES = st.dictionaries(NAMES | TEXTS, VALUES, max_size=8)


@given(BODIES | BODIES.map(lambda body: {**body, "requester": "ada"}))
def test_whatever_the_object_it_is_read_or_set_aside_and_can_be_judged_and_stored(body: dict[str, object]) -> None:
    try:
        command = read(body)
    except Unusable:
        return
    texts = [command.requester, command.principal, command.role, command.justification, command.through]
    texts += [command.request_id, *command.ignored, *(found.what for found in command.problems)]
    json.dumps(texts, ensure_ascii=False).encode()
    assert activation_id(
        tenant="t", principal=command.principal, door=command.door, source=command.source, request=command.request_id
    )
    ask = Ask(
        role=command.role,
        door=command.door,
        duration=command.duration,
        starts_at=command.starts_at,
        justification=command.justification,
        ticket=command.ticket,
        problems=command.problems,
    )
    assert isinstance(evaluate(ask, facts_until(datetime.max.replace(tzinfo=UTC)), now=NOW), Allowed | NotAllowed)


@given(st.text() | st.from_regex(r"-?\d*[.,]?\d*|P.*", fullmatch=True))
def test_whatever_the_text_a_duration_is_read_or_not_and_always_fits_after_any_start(text: str) -> None:
    span = read_duration(text)
    assert span is None or datetime(9000, 1, 1, tzinfo=UTC) + span < datetime.max.replace(tzinfo=UTC)


@given(st.text(st.characters() | st.sampled_from("\r\n\x00\ud800\u202e")))
def test_a_text_once_clean_stays_clean(text: str) -> None:
    assert clean(clean(text)) == clean(text)
