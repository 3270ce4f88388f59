"""`hourglass restore`, `hourglass resume`: nothing is changed until a person says go, who sees first what would come of it."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.errors import TryAgain
from access.hold import Presence
from access.model import Activation, ApprovalDemand, Eligibility, State
from hourglass.restore import what_follows
from tests.fakes.tenant import APPROVERS, BO, GROUP, OWNER, ROLE, FakeTenant
from tests.hourglass.conftest import NOW, Run
from tests.promises.samples import asked_for

RESTORE = ("restore", "--direct", "--yes", "--reason", "Restored from Monday")
RESUME = ("resume", "--direct", "--yes", "--reason", "Compared")
HELD, NOT_HELD, GONE = Presence
LATER = NOW + timedelta(hours=3)


@pytest.fixture
def held(tenant: FakeTenant) -> FakeTenant:
    """Ada's admin account holds the role for two hours; Bo waits for a decision."""

    async def ask() -> None:
        await tenant.open(approval=None)
        await tenant.register.put_eligibility(Eligibility(principal=BO.id, role=ROLE), OWNER)
        tenant.ask()
        await tenant.run()
        tenant.clock.advance(timedelta(seconds=1))
        await tenant.open(approval=ApprovalDemand(groups=(APPROVERS,)))
        tenant.ask(message_id="m-2", requestId="run-2", requester=BO.user_principal_name, principal=None)
        await tenant.run()

    asyncio.run(ask())
    return tenant


def ids(tenant: FakeTenant) -> dict[str, str]:
    return {each.principal_name: each.id[:8] for each in asyncio.run(tenant.activations())}


def is_withheld(tenant: FakeTenant) -> bool:
    return asyncio.run(tenant.controls.prove_only()) is not None


def test_what_the_ledger_says_is_shown_beside_what_the_directory_shows(held: FakeTenant, run: Run) -> None:
    short = ids(held)

    result = run(*RESTORE)

    assert result.exit_code == 0
    assert is_withheld(held)
    assert (
        result.stdout
        == f"""\
Recorded          Directory  Who holds what    Once changes go on      ID
active            held       Ada Admin         goes on until its end   {short["Ada Admin"]}
                             Backup Operators
pending_approval  not held   Bo                waits for its decision  {short["Bo"]}
                             Backup Operators
2 open, 0 to look at.
What is held that this ledger doesn't know of: hourglass reconcile.
Nothing is given, removed or mailed until: hourglass resume --reason TEXT
"""
    )


def test_what_was_given_after_the_backup_is_marked_and_comes_first(held: FakeTenant, run: Run) -> None:
    held.directory.put_member(GROUP, BO.id)

    result = run(*RESTORE)

    rows = result.stdout.splitlines()
    assert rows[1].startswith("pending_approval  held ")
    assert "LOOK: given after" in rows[1]
    assert "2 open, 1 to look at." in rows


def test_until_somebody_resumes_by_name_nothing_is_removed(held: FakeTenant, run: Run) -> None:
    run(*RESTORE)
    asyncio.run(held.run_for(timedelta(hours=3)))
    assert held.is_held()
    assert "OVERDUE" in run(*RESTORE).stdout

    result = run(*RESUME)
    assert result.exit_code == 0
    assert "is removed" in result.stdout
    assert "Changes go on" in result.stdout
    assert not is_withheld(held)
    asyncio.run(held.run_for(timedelta(minutes=30)))
    assert not held.is_held()


def test_an_empty_ledger_is_said_to_be_empty(tenant: FakeTenant, run: Run) -> None:
    assert run(*RESTORE).stdout.startswith("This ledger has nothing open.\n")


def test_a_directory_that_cannot_be_read_is_said_and_holds_nobody_up(held: FakeTenant, run: Run) -> None:
    fault = TryAgain("the directory", after=timedelta(seconds=5), fault=True)
    held.directory.faults["presence"] = [fault, fault]

    result = run(*RESTORE)

    assert result.exit_code == 0
    assert result.stdout.count("can't be read") == 2
    assert "2 open, 2 to look at." in result.stdout


@pytest.mark.parametrize("command", ["restore", "resume"])
def test_a_reason_is_needed_and_the_front_door_is_not_there_yet(held: FakeTenant, run: Run, command: str) -> None:
    without = run(command, "--direct", "--yes")
    assert (without.exit_code, "--reason is missing." in without.stderr) == (2, True)

    through = run(command, "--reason", "x")
    assert (through.exit_code, f"hourglass {command} --direct" in through.stderr) == (2, True)
    assert not is_withheld(held)


def test_what_is_not_withheld_cannot_be_resumed(held: FakeTenant, run: Run) -> None:
    result = run(*RESUME)

    assert (result.exit_code, "no restored ledger waits" in result.stderr) == (1, True)


def test_a_no_leaves_it_as_it_is(held: FakeTenant, run: Run) -> None:
    assert run("restore", "--direct", "--reason", "Monday", stdin="n\n").exit_code == 1
    assert not is_withheld(held)

    run(*RESTORE)
    asked = run("resume", "--direct", "--reason", "Compared", stdin="n\n")
    assert asked.exit_code == 1
    assert "ada withheld every change: Restored from Monday" in asked.stdout
    assert is_withheld(held)


def test_stops_lists_it_among_what_is_stopped(held: FakeTenant, run: Run) -> None:
    run(*RESTORE)

    listed = run("stops").stdout
    assert "every change" in listed
    assert run("start", "granting", "--direct", "--yes", "--reason", "x").exit_code == 1
    assert is_withheld(held)


def activation(state: State, *, held_before: bool = False) -> Activation:
    return replace(asked_for(), state=state, starts_at=NOW, held_before=held_before)


@pytest.mark.parametrize(
    ("state", "presence", "ours", "now", "follows"),
    [
        (State.ACTIVE, HELD, True, NOW, "goes on until its end"),
        (State.ACTIVE, NOT_HELD, True, NOW, "removed since; not given again"),
        (State.ACTIVE, HELD, True, LATER, "is removed"),
        (State.ACTIVE, NOT_HELD, True, LATER, "is proven gone"),
        (State.ENDING, HELD, True, NOW, "is removed"),
        (State.ENDING, GONE, True, NOW, "is proven gone"),
        (State.PROVISIONING, HELD, True, NOW, "becomes active"),
        (State.PROVISIONING, NOT_HELD, False, NOW, "is given"),
        (State.PROVISIONING, HELD, True, LATER, "is removed"),
        (State.SCHEDULED, NOT_HELD, False, NOW, "starts at its time"),
        (State.SCHEDULED, NOT_HELD, False, LATER, "is closed"),
        (State.PENDING_APPROVAL, NOT_HELD, False, NOW, "waits for its decision"),
    ],
)
def test_what_follows_is_what_the_state_and_the_directory_ask_for(
    state: State, presence: Presence, now: datetime, follows: str, *, ours: bool
) -> None:
    assert what_follows(activation(state), presence, ours=ours, now=now) == (follows, False)


@pytest.mark.parametrize("state", [State.PENDING_APPROVAL, State.SCHEDULED, State.PROVISIONING, State.ENDING])
def test_what_is_held_and_this_ledger_never_asked_for_is_to_be_looked_at(state: State) -> None:
    assert what_follows(activation(state), HELD, ours=False, now=NOW)[1]


def test_what_was_held_before_stays_and_is_no_surprise() -> None:
    before = activation(State.ENDING, held_before=True)

    assert what_follows(before, HELD, ours=False, now=NOW) == ("ends, and stays: held before", False)
