"""`hourglass revoke`: ends everything, a role, an account or one activation; waits for the proof; goes on after a crash."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from access.adapters.tables import Row
from access.errors import TryAgain
from access.model import Activation, Cause, Eligibility, Scope, State
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, GROUP, OWNER, ROLE, FakeTenant
from tests.hourglass.conftest import FakeOutside, Run

REVOKE = ("revoke", "--direct", "--yes", "--reason", "Incident 4711")


@pytest.fixture
def two(tenant: FakeTenant, outside: FakeOutside) -> FakeTenant:
    """Ada's admin account and Bo's account hold the role; the app works while the command waits."""

    async def ask() -> None:
        await tenant.open(approval=None)
        await tenant.register.put_eligibility(Eligibility(principal=BO.id, role=ROLE), OWNER)
        tenant.ask()
        tenant.ask(message_id="m-2", requestId="run-2", requester=BO.user_principal_name, principal=None)
        await tenant.run()

    asyncio.run(ask())
    outside.works = tenant.run
    return tenant


def activations(tenant: FakeTenant) -> dict[str, Activation]:
    """Every activation by its principal's name."""
    return {each.principal_name: each for each in asyncio.run(tenant.activations())}


def states(tenant: FakeTenant) -> dict[str, State]:
    return {name: each.state for name, each in activations(tenant).items()}


def in_force(tenant: FakeTenant) -> list[Scope]:
    return [stop.scope for stop in asyncio.run(tenant.controls.in_force())]


def members(tenant: FakeTenant) -> set[str]:
    return tenant.directory.groups[GROUP]


def test_everything_is_ended_and_proven_and_giving_stays_stopped(two: FakeTenant, run: Run) -> None:
    result = run(*REVOKE, "--all")

    assert (result.exit_code, members(two)) == (0, set())
    assert states(two) == {"Ada Admin": State.ENDED, "Bo": State.ENDED}
    assert {each.cause for each in activations(two).values()} == {Cause.REVOKED}
    assert in_force(two) == [Scope()]
    lines = result.stdout.splitlines()
    assert lines[5:] == [
        "2 held, 0 overdue, 2 in all.",
        "2 found, 2 ending, 0 proven",
        "2 found, 0 ending, 2 proven",
        "Giving anything to anybody stays stopped until somebody lifts it: hourglass start granting --reason TEXT",
        "2 found; all are closed, and whatever was given is proven gone.",
    ]


@pytest.mark.parametrize("scope", [("--principal", BO.id), ("--role", ROLE)])
def test_only_what_is_meant_is_ended(two: FakeTenant, run: Run, scope: tuple[str, str]) -> None:
    async def other_role() -> None:
        await two.open(key="other", name="Other", version=0)
        await two.register.put_eligibility(Eligibility(principal=ADA.id, role="other"), OWNER)
        two.ask(message_id="m-3", requestId="run-3", principal=None, role="other")
        await two.run()

    asyncio.run(other_role())

    assert run(*REVOKE, *scope).exit_code == 0
    ended = {"Bo"} if scope[0] == "--principal" else {"Bo", "Ada Admin"}
    assert {name for name, state in states(two).items() if state is State.ENDED} == ended
    assert states(two)["Ada"] is State.ACTIVE
    assert ADA.id in members(two)
    assert in_force(two) == [Scope(role=ROLE) if scope[0] == "--role" else Scope(principal=BO.id)]


def test_one_activation_is_ended_by_its_first_digits_and_nothing_is_stopped(two: FakeTenant, run: Run) -> None:
    result = run(*REVOKE, "--activation", activations(two)["Bo"].id[:8])

    assert result.exit_code == 0
    assert states(two) == {"Ada Admin": State.ACTIVE, "Bo": State.ENDED}
    assert in_force(two) == []
    assert "stays stopped" not in result.stdout


def test_requests_and_late_grants_that_race_with_it_leave_nothing_behind(
    two: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    fault = TryAgain("the directory", after=timedelta(seconds=5), fault=True)

    async def one_more_times_out() -> None:
        await two.register.put_eligibility(Eligibility(principal=ADA.id, role=ROLE), OWNER)
        two.directory.faults["assign"] = [fault]
        two.ask(message_id="m-3", requestId="run-3", principal=None)
        await two.run()

    async def it_lands_late_and_others_ask() -> None:
        two.directory.put_member(GROUP, ADA.id)
        two.ask(message_id="m-4", requestId="run-4", principal=None, duration="PT1H")

    asyncio.run(one_more_times_out())
    assert states(two)["Ada"] is State.PROVISIONING
    outside.meanwhile = [it_lands_late_and_others_ask]

    result = run(*REVOKE, "--all")

    assert (result.exit_code, members(two)) == (0, set())
    assert "3 found; all are closed" in result.stdout
    assert {each.state for each in asyncio.run(two.activations())} == {State.ENDED, State.REFUSED}


def test_it_is_not_complete_before_what_was_asked_can_have_landed(
    tenant: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    asyncio.run(tenant.open(approval=None))
    began = tenant.clock.now()

    result = run(*REVOKE, "--all")

    assert result.exit_code == 0
    assert tenant.clock.now() - began >= tenant.ports.timing.in_flight
    assert "0 found; all are closed" in result.stdout


def test_a_dry_run_lists_what_would_end_and_changes_nothing(two: FakeTenant, run: Run) -> None:
    result = run("revoke", "--all", "--dry-run")

    assert result.exit_code == 0
    assert "2 held, 0 overdue, 2 in all.\nNothing was ended (--dry-run).\n" in result.stdout
    assert set(states(two).values()) == {State.ACTIVE}
    assert in_force(two) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (REVOKE, 2, "Name what is to end"),
        ((*REVOKE, "--all", "--role", ROLE), 2, "Name what is to end"),
        ((*REVOKE, "--all", "--activation", "0000"), 2, "Name what is to end"),
        ((*REVOKE, "--role", ROLE, "--principal", BO.id), 2, "not both"),
        ((*REVOKE, "--role", "no-such-role"), 1, "There is no role no-such-role."),
        ((*REVOKE, "--activation", "0" * 32), 1, "There is no activation 0000"),
        (("revoke", "--direct", "--yes", "--all"), 2, "--reason is missing."),
        (("revoke", "--all", "--reason", "x"), 2, "comes later"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(
    two: FakeTenant, run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = run(*arguments)

    assert (result.exit_code, said in result.stderr) == (code, True)
    assert set(states(two).values()) == {State.ACTIVE}
    assert in_force(two) == []


@pytest.mark.parametrize(("answer", "said"), [("n\n", ""), ("", "nobody answered.\nWhere nobody can, say --yes.\n")])
def test_it_asks_first_and_without_a_yes_nothing_is_changed(two: FakeTenant, run: Run, answer: str, said: str) -> None:
    result = run("revoke", "--direct", "--all", "--reason", "Incident 4711", stdin=answer)

    assert "Stop giving anything to anybody, and end all of this?" in result.stdout
    assert said in result.stderr
    assert (result.exit_code, in_force(two)) == (1, [])
    assert set(states(two).values()) == {State.ACTIVE}


def test_while_a_restored_ledger_waits_it_says_that_nothing_is_removed(two: FakeTenant, run: Run) -> None:
    run("restore", "--direct", "--yes", "--reason", "Monday")

    result = run(*REVOKE, "--all", "--no-wait")

    assert "removed only after hourglass resume" in result.stderr
    assert set(states(two).values()) == {State.ENDING}
    assert len(members(two)) == 2


def test_without_waiting_it_says_what_is_not_proven_and_since_when(two: FakeTenant, run: Run) -> None:
    bo = activations(two)["Bo"].id

    result = run(*REVOKE, "--principal", BO.id, "--no-wait")

    assert result.exit_code == 1
    assert f"""\
Not proven gone  Who holds what    Since (UTC)          ID
ending           Bo                2026-03-02 09:00:00  {bo[:8]}
""" in "\n".join(line.rstrip() for line in result.stdout.splitlines())
    assert "1 of 1 are not proven gone yet." in result.stderr


def test_interrupted_it_says_what_is_left_and_run_again_it_goes_on(
    two: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    outside.works, outside.meanwhile = None, [interrupt]

    first = run(*REVOKE, "--all")
    assert first.exit_code == 1
    assert "Interrupted. What was begun goes on without you." in first.stderr
    assert "2 of 2 are not proven gone yet." in first.stderr
    assert set(states(two).values()) == {State.ENDING}

    outside.works = two.run
    again = run(*REVOKE, "--all")
    assert (again.exit_code, members(two)) == (0, set())
    assert in_force(two) == [Scope()]


def test_the_reason_of_a_stop_that_is_in_force_already_stays(two: FakeTenant, run: Run) -> None:
    run("stop", "granting", "--direct", "--yes", "--reason", "The first one")

    run(*REVOKE, "--all")

    assert [stop.reason for stop in asyncio.run(two.controls.in_force())] == ["The first one"]


def test_while_the_queues_are_down_it_commits_and_the_sweep_ends_it(
    two: FakeTenant, outside: FakeOutside, run: Run
) -> None:
    two.bus.down = True

    result = run(*REVOKE, "--all", "--no-wait")

    assert result.exit_code == 1
    assert set(states(two).values()) == {State.ENDING}
    two.bus.down = False
    asyncio.run(two.run_for(timedelta(minutes=15)))
    assert set(states(two).values()) == {State.ENDED}
    assert members(two) == set()


def test_one_row_that_cannot_be_written_now_holds_up_no_other(outside: FakeOutside, run: Run) -> None:
    class Stubborn(FakeTables):
        """One partition can't be written for a while."""

        stuck = ""
        failures = 2

        async def write(self, table: str, operations: Any) -> list[str]:
            row: Row | None = getattr(operations[0], "row", None)
            if (
                self.stuck
                and table == "activations"
                and row is not None
                and row.partition == self.stuck
                and self.failures
            ):
                self.failures -= 1
                raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)
            return await super().write(table, operations)

    tables = Stubborn()
    tenant = FakeTenant(tables=tables)

    async def ask() -> None:
        await tenant.open(approval=None)
        await tenant.register.put_eligibility(Eligibility(principal=BO.id, role=ROLE), OWNER)
        tenant.ask()
        tenant.ask(message_id="m-2", requestId="run-2", requester=BO.user_principal_name, principal=None)
        await tenant.run()

    asyncio.run(ask())
    tables.stuck = activations(tenant)["Bo"].id
    outside.rows, outside.record, outside._clock, outside.works = tables, tenant.store, tenant.clock, tenant.run

    result = run(*REVOKE, "--all")

    assert result.exit_code == 0
    assert tables.failures == 0
    assert members(tenant) == set()


def test_who_ended_it_and_why_is_in_its_events(two: FakeTenant, run: Run) -> None:
    run(*REVOKE, "--activation", activations(two)["Ada Admin"].id)

    shown = run("show", activations(two)["Ada Admin"].id).stdout
    assert "activation.revoked" in shown
    assert "reason: Incident 4711; through: direct" in shown
    assert ADA_ADMIN.id not in members(two)
