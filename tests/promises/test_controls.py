"""What the controls promise: a stop is in force until it is lifted by name, each change is audited; on both kinds of tables."""

import json
from dataclasses import replace
from typing import Any

import pytest

from access.adapters import keys
from access.adapters.changes import Author
from access.adapters.controls import TableControls
from access.adapters.tables import Row, Tables
from access.errors import Conflict, TryAgain
from access.model import Scope, Stop
from access.ports import Controls
from tests.promises.samples import ADA_ADMIN, NOW, WatchedTables

ROLE = "backup-operators"
EVERYTHING = Stop(scope=Scope(), by="eve", through="direct", at=NOW, reason="Incident 4711")
ONE_ROLE = replace(EVERYTHING, scope=Scope(role=ROLE))
ONE_ACCOUNT = replace(EVERYTHING, scope=Scope(principal=ADA_ADMIN))
RESTORING = replace(EVERYTHING, restoring=True)
DEE = Author(by="dee", through="direct", at=NOW)


@pytest.fixture
def controls(tables: Tables) -> TableControls:
    return TableControls(tables)


async def audited(tables: Tables) -> list[dict[str, Any]]:
    found: list[Row] = []
    for shard in keys.shards():
        day = f"{NOW:%Y-%m-%d}-{shard}"
        found += [row async for row in tables.query("audit", day, start="0", end=keys.END)]
    return sorted((json.loads(str(row.values["record"])) for row in found), key=lambda said: str(said["event"]))


async def beside(tables: Tables) -> list[str]:
    rows = tables.query("control", keys.STOPS, start="_change_", end="_change_~")
    return sorted([str(row.values["record"]) async for row in rows])


async def test_without_a_stop_nothing_is_in_force(controls: TableControls) -> None:
    reading: Controls = controls

    assert await reading.stops(ROLE, ADA_ADMIN) == ()
    assert await reading.prove_only() is None
    assert await controls.in_force() == ()


async def test_a_stop_is_read_as_it_was_set_by_whom_it_covers_and_nobody_else(controls: TableControls) -> None:
    for stop in (ONE_ROLE, ONE_ACCOUNT, replace(EVERYTHING, scope=Scope(role="helpdesk"))):
        await controls.set(stop)

    assert set(await controls.stops(ROLE, ADA_ADMIN)) == {ONE_ROLE, ONE_ACCOUNT}
    assert set(await controls.stops(ROLE, "other")) == {ONE_ROLE}
    assert await controls.stops("other", "other") == ()


async def test_prove_only_is_among_the_stops_of_everybody_and_read_by_itself(controls: TableControls) -> None:
    await controls.set(RESTORING)

    assert await controls.stops(ROLE, ADA_ADMIN) == (RESTORING,)
    assert await controls.prove_only() == RESTORING


async def test_a_stop_of_granting_alone_is_no_prove_only(controls: TableControls) -> None:
    await controls.set(EVERYTHING)

    assert await controls.prove_only() is None


async def test_a_stop_that_is_set_again_has_the_new_reason(controls: TableControls) -> None:
    await controls.set(EVERYTHING)
    again = replace(EVERYTHING, by="dee", reason="Still")
    await controls.set(again)

    assert await controls.in_force() == (again,)


async def test_lifting_one_stop_leaves_the_others(controls: TableControls) -> None:
    for stop in (EVERYTHING, ONE_ROLE, RESTORING):
        await controls.set(stop)

    await controls.lift(EVERYTHING, DEE, reason="It is over")

    assert set(await controls.in_force()) == {ONE_ROLE, RESTORING}


async def test_what_is_not_in_force_cannot_be_lifted(controls: TableControls) -> None:
    await controls.set(EVERYTHING)
    await controls.lift(EVERYTHING, DEE, reason="It is over")

    with pytest.raises(Conflict):
        await controls.lift(EVERYTHING, DEE, reason="It is over")


async def test_each_change_is_audited_with_who_why_and_both_sides(controls: TableControls, tables: Tables) -> None:
    await controls.set(EVERYTHING)
    await controls.lift(EVERYTHING, DEE, reason="It is over")
    await controls.set(RESTORING)
    await controls.lift(RESTORING, DEE, reason="Compared")

    said = await audited(tables)
    assert [(one["event"], one["subject"], one["by"], one["through"], one["reason"]) for one in said] == [
        ("granting.started", "granting", "dee", "direct", "It is over"),
        ("granting.stopped", "granting", "eve", "direct", "Incident 4711"),
        ("restore.begun", "restore", "eve", "direct", "Incident 4711"),
        ("restore.ended", "restore", "dee", "direct", "Compared"),
    ]
    assert [(one["before"] is None, one["after"] is None) for one in said] == [
        (False, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert sorted(await beside(tables)) == sorted(json.dumps(one, sort_keys=True) for one in said)


async def test_a_stop_whose_audit_cannot_be_written_is_not_set(tables: Tables) -> None:
    watched = WatchedTables(tables)
    watched.fault = lambda table, _: TryAgain("the tables", after=NOW - NOW) if table == "audit" else None

    with pytest.raises(TryAgain):
        await TableControls(watched).set(EVERYTHING)

    assert await TableControls(tables).in_force() == ()


async def test_a_stop_that_somebody_else_sets_meanwhile_is_a_conflict(tables: Tables) -> None:
    controls = TableControls(tables)
    other = replace(EVERYTHING, by="dee")

    class Racing(WatchedTables):
        async def get(self, table: str, partition: str, key: str) -> Row | None:
            found = await super().get(table, partition, key)
            await controls.set(other)
            return found

    with pytest.raises(Conflict):
        await TableControls(Racing(tables)).set(EVERYTHING)

    assert await controls.in_force() == (other,)


async def test_a_stop_that_cannot_be_read_is_never_none(tables: Tables) -> None:
    class Broken(WatchedTables):
        async def get(self, table: str, partition: str, key: str) -> Row | None:
            raise TryAgain("the tables", after=NOW - NOW, fault=True)

    with pytest.raises(TryAgain):
        await TableControls(Broken(tables)).prove_only()


def test_each_scope_has_a_row_of_its_own() -> None:
    stops = [
        keys.stop("", ""),
        keys.stop(ROLE, ""),
        keys.stop("", ADA_ADMIN),
        keys.stop(ROLE, ADA_ADMIN),
        keys.RESTORE,
    ]

    assert stops[:2] == ["granting", f"role_{ROLE}"]
    assert len(set(stops)) == len(stops)
    assert all(keys.LISTED[0] <= key < keys.LISTED[1] for key in stops)
