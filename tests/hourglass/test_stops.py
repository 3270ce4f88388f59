"""`hourglass stop granting`, `start granting`, `stops`: by name and reason, audited, undone by name."""

import asyncio
import json

import pytest

from access.model import Scope, State
from tests.fakes.tenant import ADA_ADMIN, OWNER, ROLE, FakeTenant
from tests.hourglass.conftest import FakeOutside, Run

STOP = ("stop", "granting", "--direct", "--yes", "--reason", "Incident 4711")
START = ("start", "granting", "--direct", "--yes", "--reason", "It is over")


@pytest.fixture
def opened(tenant: FakeTenant) -> FakeTenant:
    asyncio.run(tenant.open(approval=None))
    return tenant


def in_force(tenant: FakeTenant) -> list[Scope]:
    return [stop.scope for stop in asyncio.run(tenant.controls.in_force())]


def test_stopped_nothing_is_given_and_started_again_it_is(opened: FakeTenant, run: Run) -> None:
    async def ask(request: str) -> set[State]:
        opened.ask(message_id=request, requestId=request)
        await opened.run()
        return {each.state for each in await opened.activations()}

    stopped = run(*STOP)
    assert (stopped.exit_code, stopped.stdout) == (
        0,
        "Stopped: giving anything to anybody. What runs goes on; hourglass revoke ends it.\n",
    )
    assert asyncio.run(ask("run-1")) == {State.REFUSED}

    started = run(*START)
    assert (started.exit_code, started.stdout) == (0, "Started: giving anything to anybody.\n")
    assert asyncio.run(ask("run-2")) == {State.REFUSED, State.ACTIVE}


def test_a_role_and_an_account_are_stopped_by_name(opened: FakeTenant, outside: FakeOutside, run: Run) -> None:
    dee = outside.people.id_of("dee@contoso.example")

    assert "giving the role backup-operators" in run(*STOP, "--role", "Backup-Operators").stdout
    assert f"giving anything to the account {dee}" in run(*STOP, "--principal", "dee@contoso.example").stdout
    assert in_force(opened) == [Scope(principal=dee), Scope(role=ROLE)]

    assert "1 other in force: hourglass stops." in run(*START, "--principal", dee).stdout
    assert in_force(opened) == [Scope(role=ROLE)]


def test_whose_stop_a_second_one_takes_the_place_of_is_said(opened: FakeTenant, run: Run) -> None:
    run(*STOP)
    again = run("stop", "granting", "--direct", "--yes", "--reason", "Incident 4712")

    assert "stopped already, since 2026-03-02 09:00:00 UTC by ada: Incident 4711. Your reason" in again.stdout
    assert in_force(opened) == [Scope()]


def test_an_object_id_is_stopped_though_the_directory_is_down(
    opened: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    outside.people.is_down = True

    assert run(*STOP, "--principal", ADA_ADMIN.id.upper()).exit_code == 0
    assert in_force(opened) == [Scope(principal=ADA_ADMIN.id)]

    by_name = run(*STOP, "--principal", "dee@contoso.example")
    assert by_name.exit_code == 1
    assert "Could not be done now: the directory" in by_name.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("stop", "granting", "--direct", "--yes"), 2, "--reason is missing."),
        (("stop", "granting", "--direct", "--yes", "--reason", " \n "), 2, "--reason is missing."),
        (("stop", "granting", "--direct", "--yes", "--reason", "x" * 501), 2, "--reason has 501 characters"),
        (("stop", "granting", "--reason", "x"), 2, "comes later"),
        (("start", "granting", "--reason", "x"), 2, "hourglass start granting --direct"),
        ((*STOP, "--role", "a", "--principal", "b"), 2, "Name --role or --principal, not both."),
        ((*STOP, "--role", "no-such-role"), 1, "There is no role no-such-role."),
        ((*STOP, "--principal", "nobody@contoso.example"), 1, "No account, or more than one, is named nobody@"),
        (START, 1, "Giving anything to anybody is not stopped."),
        ((*START, "--role", ROLE), 1, "Giving the role backup-operators is not stopped."),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(
    opened: FakeTenant, run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = run(*arguments)

    assert (result.exit_code, said in result.stderr) == (code, True)
    assert in_force(opened) == []


@pytest.mark.parametrize(("answer", "stopped"), [("n\n", []), ("y\n", [Scope()])])
def test_it_asks_before_it_stops(opened: FakeTenant, run: Run, answer: str, stopped: list[Scope]) -> None:
    result = run("stop", "granting", "--direct", "--reason", "Incident 4711", stdin=answer)

    assert "Stop giving anything to anybody?" in result.stdout
    assert in_force(opened) == stopped


def test_whoever_starts_again_is_shown_who_stopped_it_and_why(opened: FakeTenant, run: Run) -> None:
    run(*STOP)

    result = run("start", "granting", "--direct", "--reason", "It is over", stdin="n\n")

    assert "ada stopped it: Incident 4711" in result.stdout
    assert in_force(opened) == [Scope()]


def test_a_stop_of_a_role_that_was_removed_since_can_be_lifted(opened: FakeTenant, run: Run) -> None:
    run(*STOP, "--role", ROLE)
    asyncio.run(opened.register.remove_role(ROLE, OWNER))

    assert run(*START, "--role", ROLE).exit_code == 0
    assert in_force(opened) == []


def test_stops_lists_what_is_stopped_since_when_by_whom_and_why(opened: FakeTenant, run: Run) -> None:
    assert run("stops").stdout == "Nothing is stopped.\n"
    run("stop", "granting", "--direct", "--yes", "--reason", "[red]Incident[/red]\x1b[2J\n4711")

    assert (
        run("stops").stdout
        == """\
What is stopped          Since (UTC)          By      Why
giving anything to       2026-03-02 09:00:00  ada     [red]Incident[/red][2J
anybody                                       direct  4711
"""
    )
    assert json.loads(run("stops", "--json").stdout) == [
        {
            "role": "",
            "principal": "",
            "restoring": False,
            "since": "2026-03-02T09:00:00Z",
            "by": "ada",
            "through": "direct",
            "reason": "[red]Incident[/red][2J 4711",
        }
    ]


def test_who_stopped_and_started_is_in_the_audit(opened: FakeTenant, run: Run) -> None:
    result = run(*STOP)
    run(*START)

    assert "the audit says: direct, ada." in result.stderr
    rows = [row for (table, _), rows in opened.tables.rows.items() if table == "audit" for row in rows.values()]
    said = [json.loads(str(row.values["record"])) for row in rows]
    mine = [one for one in said if one["event"].startswith("granting.")]
    assert sorted((one["event"], one["by"], one["through"], one["reason"]) for one in mine) == [
        ("granting.started", "ada", "direct", "It is over"),
        ("granting.stopped", "ada", "direct", "Incident 4711"),
    ]
