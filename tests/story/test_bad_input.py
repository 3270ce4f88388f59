"""Bad input, end to end on in-memory ports: an answer that reaches somebody, or quarantine with a reason; never a loss."""

import json
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from access.adapters.changes import Author
from access.model import Account, Eligibility, RoleSettings, Source, State, Target
from tests.fakes.clock import ARBITRARY_MORNING
from tests.fakes.tenant import ADA, ADA_ADMIN, ELIGIBLE, EVE, GROUP, OWNER, ROLE, FakeTenant

SAMPLES = Path(__file__).parents[1] / "samples" / "activation-requests"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
SAMPLE_ADMIN = Account(
    id="0b0b0b0b-0000-4000-8000-000000000002",
    name="Ada (sample admin)",
    user_principal_name="adm-ada@contoso.example",
    employee_id="E1",
)
DAY = timedelta(days=1)


async def sample_tenant(tenant: FakeTenant) -> FakeTenant:
    """Open the role that the samples ask for."""
    await tenant.open()
    tenant.directory.add_account(SAMPLE_ADMIN)
    tenant.directory.add_account(
        replace(ADA, id="0a0a0a0a-0000-4000-8000-000000000001", user_principal_name="a2@x", mail="a2@x")
    )
    role = RoleSettings(
        key="storage-admin",
        name="Storage Admin",
        target=Target(Source.GROUP_MEMBER, GROUP),
        maximum_duration=timedelta(hours=8),
        default_duration=timedelta(hours=1),
        version=0,
    )
    await tenant.register.put_role(role, OWNER)
    await tenant.register.put_eligibility(Eligibility(principal=SAMPLE_ADMIN.id, role="storage-admin"), OWNER)
    return tenant


@pytest.mark.parametrize("name", MANIFEST)
async def test_each_stored_sample_ends_in_an_answer_or_in_quarantine(tenant: FakeTenant, name: str) -> None:
    await sample_tenant(tenant)

    tenant.bus.put("activation-requests", (SAMPLES / name).read_bytes(), message_id=name)
    await tenant.run()

    answered = [activation for activation in await tenant.activations() if tenant.mailer.mails]
    assert len(answered) + len(tenant.quarantine.kept) == 1, "one outcome, and somebody knows"
    problems = MANIFEST[name].get("problems")
    if problems:
        assert set(problems) <= {demand.code for demand in answered[0].unmet}
    for _, kept in tenant.quarantine.kept.values():
        assert kept == (SAMPLES / name).read_bytes(), "not a byte is changed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "HG-BODY-EMPTY"),
        (b"\x00\x00", "HG-BODY-EMPTY"),
        (b"\xff\xfe\x00", "HG-BODY-NOT-UTF8"),
        (b"x" * (256 * 1024), "HG-BODY-TOO-LARGE"),
        (b"[" * 10_000 + b"]" * 10_000, "HG-BODY-TOO-DEEP"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "HG-BODY-TOO-DEEP"),
        (b"42", "HG-BODY-NOT-OBJECT"),
        (b"{}", "HG-REQUESTER-MISSING"),
        (b'{"requester": "nobody@contoso.example", "role": "x"}', "HG-REQUESTER-UNKNOWN"),
        (b'{"requester": {"oid": 7}, "role": "x"}', "HG-REQUESTER-MISSING"),
    ],
    ids=[
        "empty",
        "nul",
        "not utf-8",
        "256 KB",
        "deep list",
        "deep object",
        "number",
        "nobody",
        "stranger",
        "wrong type",
    ],
)
async def test_what_nobody_can_be_told_about_is_set_aside_with_its_reason(
    tenant: FakeTenant, body: bytes, code: str
) -> None:
    await tenant.open()

    tenant.bus.put("activation-requests", body, message_id="m")
    tenant.bus.put("activation-requests", body, message_id="m")
    await tenant.run()

    assert tenant.quarantine.codes == [code]
    assert await tenant.activations() == []


async def refused(tenant: FakeTenant, **fields: object) -> list[str]:
    """Ask, and return the codes that Ada is told."""
    tenant.ask(**fields)  # type: ignore[arg-type] # fields of the body, by name
    await tenant.run()
    activation = await tenant.activation()
    assert activation.state is State.REFUSED
    (mail,) = tenant.mailer.to(ADA.mail or "")
    codes = [demand.code for demand in activation.unmet]
    assert all(code in mail.html for code in codes)
    assert all(demand.remedy in unescape(mail.html) for demand in activation.unmet)
    return codes


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"duration": 0}, ["HG-DURATION-INVALID"]),
        ({"duration": "-PT1H"}, ["HG-DURATION-INVALID"]),
        ({"duration": -2}, ["HG-DURATION-INVALID"]),
        ({"duration": "8 hours"}, ["HG-DURATION-INVALID"]),
        ({"duration": "PT8H1S"}, ["HG-DURATION-TOO-LONG"]),
        ({"duration": "PT4M"}, ["HG-DURATION-TOO-SHORT"]),
        ({"start": "2026-03-01T09:00:00Z"}, ["HG-START-PAST"]),
        ({"start": "tomorrow"}, ["HG-START-INVALID"]),
        ({"role": "no-such-role"}, ["HG-ROLE-UNKNOWN"]),
        ({"role": "../../secrets#?"}, ["HG-ROLE-UNKNOWN"]),
        ({"principal": "nobody@contoso.example"}, ["HG-PRINCIPAL-UNKNOWN"]),
        ({"principal": ["x"]}, ["HG-FIELD-INVALID", "HG-PRINCIPAL-UNKNOWN"]),
        ({"principal": EVE.user_principal_name}, ["HG-PRINCIPAL-DISABLED", "HG-NOT-SAME-PERSON", "HG-NOT-ELIGIBLE"]),
        ({"principal": "bo@contoso.example"}, ["HG-NOT-SAME-PERSON", "HG-NOT-ELIGIBLE"]),
        ({"principal": None}, ["HG-NOT-ELIGIBLE"]),
        ({"justification": "x" * 100_000}, ["HG-JUSTIFICATION-TOO-LONG"]),
        ({"justification": " \n\u202e\u200f "}, ["HG-JUSTIFICATION-MISSING"]),
        ({"version": 9}, ["HG-VERSION-UNKNOWN"]),
        ({"action": "destroy"}, ["HG-ACTION-UNKNOWN"]),
        ({"justification": {"a": 1}}, ["HG-FIELD-INVALID", "HG-JUSTIFICATION-MISSING"]),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named_to_the_requester(
    tenant: FakeTenant, fields: dict[str, object], codes: list[str]
) -> None:
    await tenant.open()

    assert await refused(tenant, **fields) == codes


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"action": "deactivate", "role": None}, ["HG-FIELD-INVALID"]),
        ({"action": "cancel", "activation": "../../x#?"}, ["HG-FIELD-INVALID", "HG-NOTHING-TO-CANCEL"]),
        ({"action": "cancel", "activation": ["0" * 32], "role": None}, ["HG-FIELD-INVALID"]),
        ({"action": "deactivate", "activation": "0" * 32}, ["HG-ACTIVATION-UNKNOWN"]),
        ({"action": "deactivate", "role": "no-such-role"}, ["HG-NOTHING-TO-END"]),
        ({"action": "deactivate", "role": "../../secrets#?"}, ["HG-NOTHING-TO-END"]),
        (
            {"action": "deactivate", "principal": "nobody@contoso.example"},
            ["HG-PRINCIPAL-UNKNOWN", "HG-NOTHING-TO-END"],
        ),
        ({"action": "deactivate", "principal": ["x"]}, ["HG-FIELD-INVALID", "HG-NOTHING-TO-END"]),
        ({"action": "deactivate", "principal": "bo@contoso.example"}, ["HG-NOT-SAME-PERSON"]),
        ({"action": "deactivate", "version": 9}, ["HG-VERSION-UNKNOWN", "HG-NOTHING-TO-END"]),
        ({"action": "extend", "duration": None}, ["HG-DURATION-INVALID", "HG-NOTHING-TO-EXTEND"]),
        (
            {"action": "extend", "duration": "-PT1H", "ticket": []},
            [
                "HG-DURATION-INVALID",
                "HG-FIELD-INVALID",
                "HG-NOTHING-TO-EXTEND",
            ],
        ),
        ({"action": "cancel", "justification": "x" * 100_000}, ["HG-NOTHING-TO-CANCEL"]),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_command_is_named_to_the_requester(
    tenant: FakeTenant, fields: dict[str, object], codes: list[str]
) -> None:
    await tenant.open()

    assert await refused(tenant, **fields) == codes


@pytest.mark.parametrize("action", ["deactivate", "cancel", "extend"])
@pytest.mark.parametrize(
    ("requester", "code"),
    [("nobody@contoso.example", "HG-REQUESTER-UNKNOWN"), (None, "HG-REQUESTER-MISSING")],
)
async def test_a_command_of_nobody_is_set_aside(
    tenant: FakeTenant, action: str, requester: str | None, code: str
) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    tenant.ask(action=action, requester=requester, requestId="run-2", message_id="m-2")
    await tenant.run()

    assert tenant.quarantine.codes == [code]
    assert (await tenant.activation()).state is State.ACTIVE


async def test_an_eligibility_that_ended_yesterday_is_named(tenant: FakeTenant) -> None:
    await tenant.open()
    yesterday = Eligibility(principal=ELIGIBLE, role=ROLE, through_group=True, ends_at=ARBITRARY_MORNING - DAY)
    await tenant.register.put_eligibility(yesterday, OWNER)

    assert await refused(tenant) == ["HG-ELIGIBILITY-ENDED"]


async def test_an_eligibility_that_starts_tomorrow_is_named(tenant: FakeTenant) -> None:
    await tenant.open()
    tomorrow = Eligibility(principal=ELIGIBLE, role=ROLE, through_group=True, starts_at=ARBITRARY_MORNING + DAY)
    await tenant.register.put_eligibility(tomorrow, OWNER)

    assert await refused(tenant) == ["HG-ELIGIBILITY-NOT-STARTED"]


async def test_a_role_whose_group_was_deleted_says_so(tenant: FakeTenant) -> None:
    await tenant.open()
    del tenant.directory.groups[GROUP]

    assert await refused(tenant) == ["HG-ROLE-TARGET-GONE"]


async def test_a_role_that_was_removed_is_unknown(tenant: FakeTenant) -> None:
    await tenant.open()
    await tenant.register.remove_role(ROLE, Author(by="owner", through="test", at=ARBITRARY_MORNING))

    assert await refused(tenant) == ["HG-ROLE-UNKNOWN"]


async def test_a_disabled_requester_is_refused(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.directory.add_account(replace(ADA, enabled=False))

    tenant.ask()
    await tenant.run()

    assert "HG-REQUESTER-DISABLED" in [demand.code for demand in (await tenant.activation()).unmet]


async def test_a_request_without_any_id_is_known_by_what_the_broker_numbered_it_with(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    message = tenant.ask(message_id=None, requestId=None)

    await tenant.run()
    await tenant.deliver(message)
    await tenant.run()

    assert (await tenant.activation()).state is State.ACTIVE
    rows = tenant.tables.rows["activations", (await tenant.activation()).id]
    assert '"weak_id": true' in str(rows["event-000001"].values["details"])


async def test_what_a_justification_holds_is_shown_and_never_obeyed(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(justification='</script><b onclick="x">hi</b>\n\u202egnp.exe {{DATE(2020)}} [click](http://x)')

    await tenant.run()

    (mail, *_) = tenant.mailer.to("bo@contoso.example")
    assert "<b onclick" not in mail.html
    assert "\u202e" not in mail.html
    assert mail.html.count("</script>") == 1
    assert "\n" not in mail.subject


async def test_a_requester_whose_name_no_key_takes_is_answered_all_the_same(tenant: FakeTenant) -> None:
    guest = replace(ADA, id="00000000-0000-0000-0000-000000000099", user_principal_name="ada_x#EXT#@contoso.example")
    await tenant.open()
    tenant.directory.add_account(replace(guest, mail="guest@contoso.example"))

    tenant.ask(requester=guest.user_principal_name, principal=None, justification="")
    await tenant.run()

    assert len(tenant.mailer.to("guest@contoso.example")) == 1


async def test_a_nudge_with_a_forged_id_is_set_aside(tenant: FakeTenant) -> None:
    await tenant.open()
    for queue in ("provisioning", "expirations", "approvals"):
        tenant.bus.put(queue, b'{"version": 1, "activation": "../../x#?"}', message_id=queue)

    await tenant.run()

    assert tenant.quarantine.codes == ["HG-NUDGE-INVALID"] * 3


async def test_a_nudge_for_an_activation_that_is_not_there_does_nothing(tenant: FakeTenant) -> None:
    await tenant.open()
    for queue in ("provisioning", "expirations", "approvals"):
        tenant.bus.put(queue, b'{"version": 1, "activation": "%s"}' % (b"0" * 32), message_id=queue)

    await tenant.run()

    assert (await tenant.activations(), tenant.quarantine.codes, tenant.mailer.mails) == ([], [], [])


async def test_a_requester_who_is_deleted_before_the_start_ends_the_matter(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T12:00:00Z")
    await tenant.run()
    del tenant.directory.accounts[ADA.id]

    await tenant.run_for(timedelta(hours=4))

    assert (await tenant.activation()).state is State.CANCELED
    assert tenant.quarantine.codes == []
    assert not tenant.directory.holds(GROUP, ADA_ADMIN.id)


@pytest.mark.parametrize("letter", ["\U0001f600", '"', "\\", "ä"])
async def test_the_longest_texts_there_can_be_fit_into_the_record(tenant: FakeTenant, letter: str) -> None:
    await tenant.open(approval=None)
    longest: dict[str, Any] = {
        "justification": letter * 2_000,
        "flow": letter * 320,
        "ticket": {"system": letter * 100, "number": letter * 100},
        **{f"{letter * 300}{number}": 1 for number in range(30)},
    }
    tenant.ask(**longest)
    await tenant.run()
    given = await tenant.activation()

    tenant.ask(message_id="m-2", requestId="run-2", action="extend", activation=given.id, duration="PT1H", **longest)
    await tenant.run()

    assert await tenant.events() == ["activation.accepted", "activation.provisioned", "activation.extended"]
    assert (await tenant.activation()).justification == letter * 2_000
