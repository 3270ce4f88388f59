"""`hourglass show`: what happened to an activation, in 80 columns, for a person who was not there."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters import keys
from access.adapters.tables import Put
from tests.fakes.tenant import ADA_ADMIN, FakeTenant
from tests.hourglass.conftest import FakeOutside, Run
from tests.story.acts import say


@pytest.fixture
def asked(tenant: FakeTenant) -> str:
    """Ada has asked, for her admin account; Bo and Cy were asked to decide. The id of the activation."""

    async def ask() -> str:
        await tenant.open()
        tenant.ask(flow="Ask for access")
        await tenant.run()
        return (await tenant.activations())[0].id

    return asyncio.run(ask())


@pytest.fixture
def given(tenant: FakeTenant) -> str:
    """Ada's admin account has the role, which needs no approval. The id of the activation."""

    async def give() -> str:
        await tenant.open(approval=None)
        tenant.ask()
        await tenant.run()
        return (await tenant.activations())[0].id

    return asyncio.run(give())


def test_a_pending_request_is_shown_whole(run: Run, asked: str) -> None:
    result = run("show", asked)

    assert result.exit_code == 0, result.output
    assert (
        result.stdout
        == f"""\
Backup Operators for Ada Admin: pending_approval
  id         {asked}
  asked by   Ada, through Ask for access (who asked is not proven)
  asked at   2026-03-02 09:00:00 UTC
  for        2 h
  lapses     2026-03-03 09:00:00 UTC (in 1 d)
  why        Restore the finance share

When (UTC)           What                               Who
2026-03-02 09:00:00  activation.requested               Ada
                     through: Ask for access
2026-03-02 09:00:00  approval.asked                     system
                     approvers: Bo, Cy, Ada Contractor
The chain of 2 events holds.

Asked           Address                  Card  When (UTC)
Bo              bo@contoso.example       yes   2026-03-02 09:00:00
Cy              cy@contoso.example       yes   2026-03-02 09:00:00
Ada Contractor  ada.ext@contoso.example  yes   2026-03-02 09:00:00

  outbox     empty: everything has left
  due        look at 2026-03-02 09:00:30 UTC (in 30 s)
             look at 2026-03-02 09:00:30 UTC (in 30 s)
             alarm at 2026-03-03 09:00:00 UTC (in 1 d)
  hold       none: the directory was not asked
"""
    )


def test_a_held_role_shows_its_end_its_alarm_and_its_hold(run: Run, given: str) -> None:
    result = run("show", given)

    assert "  ends       2026-03-02 11:00:00 UTC (in 2 h)\n" in result.stdout
    assert "             alarm at 2026-03-02 11:00:00 UTC (in 2 h)\n" in result.stdout
    assert "  hold       held; live: 1; held before: no; asked 1 times\n" in result.stdout


def test_no_line_is_wider_than_80_columns_and_none_has_colour(run: Run, asked: str) -> None:
    result = run("show", asked)

    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "\x1b" not in result.stdout


def test_a_refusal_shows_every_unmet_demand_with_its_remedy(tenant: FakeTenant, run: Run) -> None:
    async def ask() -> str:
        await tenant.open()
        tenant.ask(duration="PT9H", justification="")
        await tenant.run()
        return (await tenant.activations())[0].id

    result = run("show", asyncio.run(ask()))

    assert "refused" in result.stdout
    assert "HG-DURATION-TOO-LONG" in result.stdout
    assert "HG-JUSTIFICATION-MISSING" in result.stdout
    assert "Ask for at most 8 h." in " ".join(result.stdout.split())


def test_the_first_digits_of_a_live_one_will_do(run: Run, asked: str) -> None:
    assert run("show", asked[:8].upper()).stdout == run("show", asked).stdout


@pytest.mark.parametrize(
    ("text", "code", "answer"),
    [
        ("0" * 32, 1, f"There is no activation {'0' * 32}."),
        ("00000000", 1, "Nothing live begins with 00000000."),
        ("abc", 2, "Write at least 4 digits of the id."),
        ("INC123456", 2, '"inc123456" is no id: ids are 32 digits, 0 to f.'),
        ("0" * 33, 2, "is no id: ids are 32 digits, 0 to f."),
    ],
)
def test_what_is_not_found_is_answered_in_words(run: Run, asked: str, text: str, code: int, answer: str) -> None:
    result = run("show", text)

    assert result.exit_code == code
    assert answer in result.stderr


def test_json_has_everything_but_the_cards_nonce(run: Run, asked: str) -> None:
    content = json.loads(run("show", asked, "--json").stdout)

    assert content["activation"]["id"] == asked
    assert content["activation"]["duration"] == "PT2H"
    assert [event["event"] for event in content["events"]] == ["activation.requested", "approval.asked"]
    assert content["chain_broken"] is None
    assert {one["name"] for one in content["asked"]} == {"Bo", "Cy", "Ada Contractor"}
    assert "nonce" not in content["asked"][0]


def test_an_event_that_was_changed_breaks_the_chain(tenant: FakeTenant, run: Run, asked: str) -> None:
    async def forge() -> None:
        row = await tenant.tables.get("activations", asked, keys.event(1))
        assert row is not None
        await tenant.tables.write("activations", [Put(replace(row, values={**row.values, "by": "somebody-else"}))])

    asyncio.run(forge())
    result = run("show", asked)

    assert result.exit_code == 1
    assert "THE CHAIN OF EVENTS IS BROKEN: event 1 was changed after it was written." in result.stdout


@pytest.mark.parametrize(("number", "why"), [(1, "event 1 is missing"), (2, "2 events were written, and 1 are here")])
def test_an_event_that_is_missing_breaks_the_chain(
    tenant: FakeTenant, run: Run, asked: str, number: int, why: str
) -> None:
    del tenant.tables.rows["activations", asked][keys.event(number)]

    result = run("show", asked)

    assert f"THE CHAIN OF EVENTS IS BROKEN: {why}." in result.stdout


def test_what_has_not_left_yet_is_named(tenant: FakeTenant, run: Run) -> None:
    async def ask() -> str:
        await tenant.open()
        message = tenant.ask()
        tenant.bus.messages.remove(message)
        tenant.bus.down = True
        await tenant.deliver(message)
        return (await tenant.activations())[0].id

    result = run("show", asyncio.run(ask()))

    assert "out-000001 to activation-events" in " ".join(result.stdout.split())


def test_wait_waits_until_it_is_there_and_nothing_is_under_way(
    tenant: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    async def ask() -> None:
        await tenant.open(approval=None)
        tenant.ask()

    async def nothing() -> None:
        pass

    twin = FakeTenant()
    asyncio.run(_asked_alike(twin))
    activation = asyncio.run(twin.activations())[0].id
    outside.meanwhile = [nothing, ask, tenant.run]

    result = run("show", activation, "--wait")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Backup Operators for Ada Admin: active\n")


def test_wait_gives_up_after_its_time(run: Run) -> None:
    result = run("show", "0" * 32, "--wait", "--timeout", "3")

    assert result.exit_code == 1
    assert "There is no activation" in result.stderr


def test_text_from_elsewhere_can_not_command_the_terminal(tenant: FakeTenant, run: Run) -> None:
    async def ask() -> str:
        await tenant.open()
        tenant.ask(justification="[red]Restore[/red] \x1b[2J :boom:", flow="\x1b]0;title\x07")
        await tenant.run()
        return (await tenant.activations())[0].id

    result = run("show", asyncio.run(ask()))

    assert "\x1b" not in result.stdout
    assert "[red]Restore[/red] [2J :boom:" in result.stdout


def test_the_end_is_shown_as_proven(tenant: FakeTenant, run: Run, given: str) -> None:
    asyncio.run(tenant.run_for(timedelta(hours=3)))

    result = run("show", given)

    assert f"Backup Operators for {ADA_ADMIN.name}: ended" in result.stdout
    assert "removal.proven" in result.stdout
    assert "The chain of 4 events holds." in result.stdout


async def _asked_alike(twin: FakeTenant) -> None:
    await twin.open(approval=None)
    twin.ask()
    await twin.run()


def test_what_was_given_back_says_by_whom_and_why(run: Run, tenant: FakeTenant, given: str) -> None:
    say(tenant, "deactivate", activation=given, justification="Done sooner")
    asyncio.run(tenant.run())

    result = run("show", given)

    assert "  cause      deactivated\n  ended by   Ada\n  because    Done sooner\n" in result.stdout


def test_a_command_that_was_refused_says_what_it_asked_for(run: Run, tenant: FakeTenant, given: str) -> None:
    say(tenant, "cancel", activation=given)
    asyncio.run(tenant.run())
    (refused,) = [one.id for one in asyncio.run(tenant.activations()) if one.id != given]

    result = run("show", refused)

    assert f"Backup Operators for Ada Admin: refused\n  id         {refused}\n  asks to    cancel\n" in result.stdout
    assert "HG-NOTHING-TO-CANCEL" in result.stdout
