"""`hourglass list`: who holds what until when, the most urgent first."""

import asyncio
import json
from datetime import timedelta
from itertools import pairwise

import pytest

from access.adapters import keys
from access.errors import TryAgain
from access.model import ApprovalDemand, Eligibility
from tests.fakes.tenant import ADA, ADA_ADMIN, APPROVERS, BO, OWNER, ROLE, FakeTenant
from tests.hourglass.conftest import Run
from tests.story.acts import say


def test_where_nobody_holds_anything_it_says_so(run: Run) -> None:
    result = run("list")

    assert (result.exit_code, result.stdout) == (0, "Nobody holds anything, and nothing is waiting.\n")


@pytest.fixture
def three(tenant: FakeTenant) -> FakeTenant:
    """Bo waits for a decision, Ada's admin account holds the role for two hours, Ada's own account was refused."""

    async def ask() -> None:
        await tenant.open(approval=None)
        await tenant.register.put_eligibility(Eligibility(principal=BO.id, role=ROLE), OWNER)
        tenant.ask()
        tenant.ask(message_id="m-2", requestId="run-2", principal=ADA.user_principal_name)
        await tenant.run()
        await tenant.open(approval=ApprovalDemand(groups=(APPROVERS,)))
        tenant.ask(message_id="m-3", requestId="run-3", requester=BO.user_principal_name, principal=None)
        await tenant.run()

    asyncio.run(ask())
    return tenant


def test_who_holds_what_is_listed_the_most_urgent_first(three: FakeTenant, run: Run) -> None:
    held, waiting = _ids(three, "active"), _ids(three, "pending_approval")

    result = run("list")

    assert (
        result.stdout
        == f"""\
State             Who holds what    Until (UTC)          ID
active            Ada Admin         2026-03-02 11:00:00  {held[:8]}
                  Backup Operators  in 2 h
pending_approval  Bo                2026-03-03 09:00:00  {waiting[:8]}
                  Backup Operators  lapses in 1 d
1 held, 0 overdue, 2 in all.
"""
    )


def test_all_lists_what_was_closed_a_moment_ago_too_and_last(three: FakeTenant, run: Run) -> None:
    result = run("list", "--all")

    assert [line.split()[0] for line in result.stdout.splitlines() if line[0] != " "] == [
        "State",
        "active",
        "pending_approval",
        "refused",
        "1",
    ]


def test_what_is_overdue_is_marked_and_counted(three: FakeTenant, run: Run) -> None:
    three.clock.advance(timedelta(hours=2, minutes=6))

    result = run("list")

    first, second = result.stdout.splitlines()[1:3]
    assert first.startswith("active  ")
    assert second.startswith("OVERDUE  ")
    assert second.endswith("  6 min ago")
    assert "1 held, 1 overdue, 2 in all." in result.stdout


def test_what_somebody_ended_is_overdue_from_then_on_whenever_its_end_would_be(three: FakeTenant, run: Run) -> None:
    three.directory.faults["remove"] = [TryAgain("the directory (503)", after=timedelta(hours=1), fault=True)] * 99
    say(three, "deactivate")
    asyncio.run(three.run())
    three.clock.advance(timedelta(minutes=6))

    result = run("list")

    first, second = result.stdout.splitlines()[1:3]
    assert first.split()[:5] == ["ending", "Ada", "Admin", "2026-03-02", "09:00:00"]
    assert second.split() == ["OVERDUE", "Backup", "Operators", "6", "min", "ago"]


def test_what_is_over_has_no_end_to_come_and_a_command_that_was_refused_is_named(three: FakeTenant, run: Run) -> None:
    waiting = {"activation": _ids(three, "pending_approval"), "requester": BO.user_principal_name}
    say(three, "extend", duration="PT1H", **waiting)
    say(three, "cancel", request="run-9", **waiting)
    asyncio.run(three.run())

    lines = run("list", "--all").stdout.splitlines()

    closed = [(line, below) for line, below in pairwise(lines) if line.startswith(("refused", "canceled"))]
    assert {line.split()[0] for line, _ in closed} == {"refused", "canceled"}
    assert not [below for line, below in closed if "2026-" in line or "lapses" in below]
    assert [below.split()[0] for _, below in closed if "extend" in below] == ["extend"]


def test_json_is_for_scripts_with_whole_ids(three: FakeTenant, run: Run) -> None:
    found = json.loads(run("list", "--json").stdout)

    assert [(one["state"], one["principal"], one["ends_at"]) for one in found] == [
        ("active", ADA_ADMIN.id, "2026-03-02T11:00:00Z"),
        ("pending_approval", BO.id, None),
    ]
    assert found[0]["id"] == _ids(three, "active")
    assert found[0]["overdue"] is False


def test_it_reads_the_sixteen_due_shards_and_each_live_activation_once(three: FakeTenant, run: Run) -> None:
    three.tables.calls.clear()

    run("list")

    queries = [table for what, table in three.tables.calls if what == "query"]
    reads = [table for what, table in three.tables.calls if what == "get"]
    assert queries == ["due"] * len(keys.shards())
    assert reads == ["activations"] * 3


def test_no_line_is_wider_than_80_columns(three: FakeTenant, run: Run) -> None:
    assert max(len(line) for line in run("list").stdout.splitlines()) <= 80


def _ids(tenant: FakeTenant, state: str) -> str:
    return next(each.id for each in asyncio.run(tenant.activations()) if each.state == state)
