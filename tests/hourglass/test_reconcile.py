"""`hourglass reconcile`: what differs between directory and record, for people; a repair only by name."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import TryAgain
from access.model import Scope, State, Stop
from tests.fakes.tenant import ADA_ADMIN, DEE, GROUP, OWNER, FakeTenant
from tests.hourglass.conftest import FakeOutside, Run
from tests.hourglass.test_documents import example_of

HOUR = timedelta(hours=1)
REPAIR = ("reconcile", "--repair", "--direct", "--yes")


@pytest.fixture
def held(tenant: FakeTenant) -> FakeTenant:
    """Ada's admin account holds the role for two hours."""

    async def ask() -> None:
        await tenant.open(approval=None)
        tenant.ask()
        await tenant.run()
        tenant.clock.advance(timedelta(minutes=5))

    asyncio.run(ask())
    return tenant


@pytest.fixture
def overdue(held: FakeTenant) -> FakeTenant:
    """Its end is over, and the messages are lost."""
    held.bus.messages.clear()
    held.clock.advance(3 * HOUR)
    return held


def state(tenant: FakeTenant) -> State:
    return asyncio.run(tenant.activation()).state


def written(tenant: FakeTenant) -> int:
    return [what for what, _ in tenant.tables.calls].count("write")


def test_where_nothing_differs_it_says_so(held: FakeTenant, run: Run) -> None:
    result = run("reconcile")

    assert (result.exit_code, result.stdout) == (0, "1 looked at, 1 held, 1 open: nothing differs.\n")


def test_what_was_done_by_hand_is_listed_after_a_second_look_and_nothing_is_written(held: FakeTenant, run: Run) -> None:
    held.directory.take_member(GROUP, ADA_ADMIN.id)
    held.directory.put_member(GROUP, DEE.id)
    before = written(held)

    result = run("reconcile")

    assert result.exit_code == 1
    assert "One look can mislead: looking again in 121 seconds." in result.stderr
    assert result.stdout == example_of("reconcile")[1]
    assert written(held) == before


def test_what_needs_no_second_look_is_not_waited_for(held: FakeTenant, outside: FakeOutside, run: Run) -> None:
    held.directory.put_member(GROUP, DEE.id)
    began = held.clock.now()

    assert run("reconcile").exit_code == 1
    assert held.clock.now() == began


def test_what_the_directory_has_deleted_is_shown_by_its_id(held: FakeTenant, run: Run) -> None:
    held.directory.remove_account(ADA_ADMIN.id)

    assert f"gone   {ADA_ADMIN.id}  -" in run("reconcile").stdout


def test_a_group_that_is_gone_is_shown_by_its_roles(held: FakeTenant, run: Run) -> None:
    asyncio.run(held.register.put_role(replace(held.role, key="second", name="Second", version=0), OWNER))
    held.directory.remove_group(GROUP)

    assert "gone   -    Backup Operators, Second  2026-03-02 09:05:00" in run("reconcile").stdout


def test_what_can_not_be_read_is_said_and_is_no_all_clear(held: FakeTenant, run: Run) -> None:
    held.directory.faults["holders"] = [TryAgain("the directory (503)", after=HOUR, fault=True)]

    result = run("reconcile")

    assert result.exit_code == 1
    assert "Could not be read: Backup Operators: the directory (503)." in result.stderr
    assert "1 could not be read, nothing else differs." in result.stdout


def test_ids_are_shown_where_names_can_not_be_had(held: FakeTenant, run: Run) -> None:
    held.directory.put_member(GROUP, DEE.id)
    held.directory.faults["account"] = [TryAgain("the directory (503)", after=HOUR, fault=True)]

    assert f"unexplained  {DEE.id[:28]}" in run("reconcile").stdout


def test_json_is_for_scripts(overdue: FakeTenant, run: Run) -> None:
    result = run("reconcile", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(each["kind"], each["principal"]) for each in found["findings"]] == [("overdue", ADA_ADMIN.id)]
    assert (found["failed"], found["repaired"]) == ({}, [])
    assert "etag" not in found["findings"][0]


class TestRepair:
    def test_it_ends_what_is_overdue_and_leaves_a_record_of_who_asked(self, overdue: FakeTenant, run: Run) -> None:
        result = run(*REPAIR)
        asyncio.run(overdue.run())

        assert "ada.admin@contoso.example, Backup Operators: sent to its end." in result.stdout
        assert (state(overdue), overdue.is_held()) == (State.ENDED, False)
        said = [
            json.loads(str(row.values["record"]))
            for (table, _), rows in overdue.tables.rows.items()
            if table == "audit"
            for row in rows.values()
        ]
        (asked,) = [each for each in said if each["event"] == "repair.asked"]
        assert (asked["subject"], asked["by"], asked["through"]) == (f"{GROUP}/{ADA_ADMIN.id}", "ada", "direct")

    def test_it_waits_until_what_a_hold_was_left_with_is_proven_gone(
        self, held: FakeTenant, outside: FakeOutside, run: Run
    ) -> None:
        async def restore() -> None:
            given = await held.activation()
            hold = await held.store.hold(given.principal, given.target)
            await held.run_for(4 * HOUR)
            now = await held.store.hold(given.principal, given.target)
            await held.store.write_hold(replace(hold, etag=now.etag))
            held.directory.put_member(GROUP, ADA_ADMIN.id)
            held.directory.lag = timedelta(seconds=30)
            held.clock.advance(HOUR)

        asyncio.run(restore())

        result = run(*REPAIR)

        assert "ada.admin@contoso.example, Backup Operators: proven_gone." in result.stdout
        assert not held.is_held()

    def test_json_says_what_was_done(self, overdue: FakeTenant, run: Run) -> None:
        found = json.loads(run(*REPAIR, "--json").stdout)

        assert [(each["principal"], each["how"]) for each in found["repaired"]] == [(ADA_ADMIN.id, "sent to its end")]

    def test_without_direct_it_says_what_to_type_and_repairs_nothing(self, overdue: FakeTenant, run: Run) -> None:
        result = run("reconcile", "--repair")

        assert result.exit_code == 2
        assert "hourglass reconcile --repair --direct" in result.stderr
        assert overdue.is_held()

    def test_it_asks_first(self, overdue: FakeTenant, run: Run) -> None:
        result = run("reconcile", "--repair", "--direct", stdin="n\n")

        assert result.exit_code == 1
        assert "Nothing was changed." in result.stderr
        assert (overdue.bus.messages, overdue.is_held()) == ([], True)

    def test_where_nothing_is_overdue_nobody_is_asked_and_nothing_is_touched(self, held: FakeTenant, run: Run) -> None:
        held.directory.put_member(GROUP, DEE.id)
        before = written(held)

        result = run("reconcile", "--repair", "--direct")

        assert "Nothing to repair: nothing of ours is overdue." in result.stdout
        assert (written(held), held.directory.holds(GROUP, DEE.id)) == (before, True)

    def test_while_a_ledger_is_restored_nothing_is_repaired(self, overdue: FakeTenant, run: Run) -> None:
        stop = Stop(scope=Scope(), reason="backup", by="Ops", through="test", at=overdue.clock.now(), restoring=True)
        asyncio.run(overdue.controls.set(stop))

        result = run(*REPAIR)

        assert result.exit_code == 1
        assert "A restored ledger waits for a person's word: nothing is repaired." in result.stderr
        assert overdue.is_held()
