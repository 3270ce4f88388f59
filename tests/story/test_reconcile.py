"""Directory and record, compared both ways: what was done by hand is reported once, never put back and never taken."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from access.adapters.tables import Operation
from access.change import move
from access.errors import TryAgain
from access.events import Event, Happened
from access.model import Account, Activation, Eligibility, Scope, Source, State, Stop, Target
from expiry_timer.reconcile import Mode, Reconciled, only_looking, reconcile
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, CY, DEE, ELIGIBLE, GROUP, OWNER, ROLE, TIMING, FakeTenant
from tests.story.acts import pending

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REPORTS = {"drift.missing", "drift.unexplained", "drift.overdue", "assignment.returned", "directory.gone"}
OTHER_GROUP = "99999999-0000-0000-0000-000000000009"
OTHER = Target(Source.GROUP_MEMBER, OTHER_GROUP)


class Ops:
    """What ops hear: the events that are logged as warnings or errors, each with whom and what it is about."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def heard(self) -> list[tuple[str, str]]:
        records = [vars(record) for record in self._caplog.records if record.getMessage() in REPORTS]
        return [(record["msg"], record["principal"] or record["target"]) for record in records]


@pytest.fixture
def ops(caplog: pytest.LogCaptureFixture) -> Ops:
    caplog.set_level(logging.INFO)
    return Ops(caplog)


async def look(tenant: FakeTenant) -> Reconciled:
    """The hourly look, and whatever follows from it."""
    done = await reconcile(ports=tenant.ports)
    await tenant.run()
    return done


async def look_twice(tenant: FakeTenant) -> Reconciled:
    """Two looks, an hour apart: enough to believe that something is not there."""
    await look(tenant)
    await tenant.run_for(HOUR)
    return await look(tenant)


async def active(tenant: FakeTenant) -> Activation:
    """Ada's admin account holds the role for four hours, and long enough for reads to show it."""
    await tenant.open(approval=None)
    tenant.ask(duration="PT4H")
    await tenant.run()
    tenant.clock.advance(5 * MINUTE)
    return await tenant.activation()


def kinds(done: Reconciled) -> list[str]:
    return [finding.kind.value for finding in done.findings]


def rows_of_drift(tenant: FakeTenant) -> list[str]:
    return [key for (table, _), rows in tenant.tables.rows.items() if table == "drift" for key in rows]


class TestNothingDiffers:
    async def test_a_tenant_where_all_is_as_recorded_has_nothing_to_report(self, tenant: FakeTenant, ops: Ops) -> None:
        await active(tenant)

        done = await look_twice(tenant)

        assert (done.findings, done.failed, ops.heard) == ([], {}, [])
        assert (done.targets, done.activations, done.holders) == (1, 1, 1)
        assert tenant.is_held()

    async def test_it_costs_one_list_for_each_target_and_one_hold_for_each_holder_that_no_activation_explains(
        self, tenant: FakeTenant
    ) -> None:
        await active(tenant)
        tenant.directory.put_member(GROUP, DEE.id)
        tenant.directory.calls.clear()
        tenant.tables.calls.clear()

        await reconcile(ports=tenant.ports)

        assert tenant.directory.calls == [("holders", "", GROUP)]
        assert [table for what, table in tenant.tables.calls if what == "get"] == ["control", "activations", "holds"]

    async def test_a_directory_that_lags_is_not_believed(self, tenant: FakeTenant, ops: Ops) -> None:
        await tenant.open(approval=None)
        tenant.ask(duration="PT30M")
        await tenant.run()
        tenant.directory.lag = TIMING.proof_window - timedelta(seconds=1)

        for _ in range(90):
            done = await look(tenant)
            assert [finding for finding in done.findings if finding.confirmed] == []
            await tenant.run_for(MINUTE / 2)

        assert ops.heard == []
        assert (await tenant.activation()).state is State.ENDED

    @pytest.mark.parametrize("seed", range(10))
    async def test_whatever_the_age_of_each_read_nothing_is_found_where_nobody_did_anything_by_hand(
        self, ops: Ops, seed: int
    ) -> None:
        chance = Random(seed)
        tenant = FakeTenant(directory=Ageing(clock := FakeClock(), chance), clock=clock)
        await tenant.open(approval=None)
        for number in range(3):
            tenant.ask(message_id=f"m-{number}", requestId=f"run-{number}", duration=f"PT{chance.randint(5, 10)}M")
            for _ in range(45):
                await tenant.run_for(timedelta(seconds=chance.randint(20, 60)))
                assert [each for each in (await look(tenant)).findings if each.confirmed] == []

        assert ops.heard == []
        assert {each.state for each in await tenant.activations()} == {State.ENDED}


class Ageing(FakeDirectory):
    """A directory of which each read is of an age of its own, within the proof window."""

    def __init__(self, clock: FakeClock, chance: Random) -> None:
        super().__init__(clock)
        self._chance = chance

    def _seen(self, group: str) -> frozenset[str]:
        self.lag = timedelta(seconds=self._chance.randrange(int(TIMING.proof_window.total_seconds())))
        return super()._seen(group)


class TestRemovedByHand:
    async def test_it_is_not_put_back_and_is_reported_once_after_a_second_look(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)

        first = await look(tenant)
        assert (kinds(first), first.unsure, ops.heard) == (["missing"], True, [])

        await tenant.run_for(HOUR)
        second = await look(tenant)
        await look_twice(tenant)

        assert (kinds(second), second.unsure, second.reported) == (["missing"], False, 1)
        assert ops.heard == [("drift.missing", ADA_ADMIN.id)]
        assert (await tenant.events()).count("assignment.missing") == 1
        assert (await tenant.activation()).state is State.ACTIVE
        assert not tenant.is_held()
        assert [call for call, _, _ in tenant.directory.calls].count("assign") == 1

    async def test_its_end_is_still_proven(self, tenant: FakeTenant) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        await look_twice(tenant)

        await tenant.run_for(4 * HOUR)
        await look(tenant)

        assert (await tenant.activation()).state is State.ENDED
        assert (await tenant.events())[-1] == "removal.proven"
        assert rows_of_drift(tenant) == []

    async def test_what_is_back_before_the_second_look_was_never_missing(self, tenant: FakeTenant, ops: Ops) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        await look(tenant)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await tenant.run_for(HOUR)

        done = await look(tenant)

        assert (done.findings, ops.heard, rows_of_drift(tenant)) == ([], [], [])

    async def test_a_second_look_within_the_proof_window_proves_nothing(self, tenant: FakeTenant, ops: Ops) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        await look(tenant)
        tenant.clock.advance(TIMING.proof_window - timedelta(seconds=1))

        done = await look(tenant)

        assert (done.unsure, ops.heard) == (True, [])

    async def test_two_looks_at_once_report_it_once(self, tenant: FakeTenant, ops: Ops) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        tenant.directory.put_member(GROUP, DEE.id)
        await at_once(tenant)
        await tenant.run_for(HOUR)

        await at_once(tenant)

        assert sorted(ops.heard) == [("drift.missing", ADA_ADMIN.id), ("drift.unexplained", DEE.id)]
        assert (await tenant.events()).count("assignment.missing") == 1


async def at_once(tenant: FakeTenant) -> None:
    """Two looks that take turns at every call of the tables."""
    await asyncio.gather(reconcile(ports=tenant.ports), reconcile(ports=tenant.ports))
    await tenant.run()


class TestAddedByHand:
    async def test_it_is_not_taken_and_is_reported_once_when_first_seen(self, tenant: FakeTenant, ops: Ops) -> None:
        await tenant.open(approval=None)
        tenant.directory.put_member(GROUP, DEE.id)

        first, later = await look(tenant), await look_twice(tenant)

        assert (kinds(first), kinds(later)) == (["unexplained"], ["unexplained"])
        assert (first.reported, later.reported) == (1, 0)
        assert ops.heard == [("drift.unexplained", DEE.id)]
        assert tenant.directory.holds(GROUP, DEE.id)

    async def test_what_is_taken_by_hand_again_is_forgotten_and_reported_when_it_comes_back(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await tenant.open(approval=None)
        tenant.directory.put_member(GROUP, DEE.id)
        await look(tenant)
        tenant.directory.take_member(GROUP, DEE.id)
        await look(tenant)
        assert rows_of_drift(tenant) == []
        tenant.directory.put_member(GROUP, DEE.id)

        await look(tenant)

        assert ops.heard == [("drift.unexplained", DEE.id)] * 2

    async def test_what_was_held_before_an_activation_is_reported_once_for_before_and_after(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await tenant.open(approval=None)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await look(tenant)
        tenant.ask(duration="PT1H")
        await tenant.run()
        during = await look(tenant)
        await tenant.run_for(2 * HOUR)

        await look(tenant)

        assert during.findings == []
        assert (await tenant.activation()).state is State.ENDED
        assert ops.heard == [("drift.unexplained", ADA_ADMIN.id)]
        assert tenant.is_held()

    async def test_what_is_added_while_ours_is_held_can_not_be_told_from_ours(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await look(tenant)

        await tenant.run_for(5 * HOUR)

        assert (ops.heard, tenant.is_held()) == ([], False)

    async def test_what_was_proven_gone_and_is_held_again_is_an_alert_and_is_not_taken(
        self, tenant: FakeTenant, ops: Ops, caplog: pytest.LogCaptureFixture
    ) -> None:
        await active(tenant)
        await tenant.run_for(5 * HOUR)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)

        done = await look(tenant)
        await look_twice(tenant)

        assert kinds(done) == ["returned"]
        assert ops.heard == [("assignment.returned", ADA_ADMIN.id)]
        assert {record.levelname for record in caplog.records if record.getMessage() == "assignment.returned"} == {
            "ERROR"
        }
        assert tenant.is_held()

    async def test_it_is_the_same_finding_when_its_free_hold_is_not_kept_any_more(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await active(tenant)
        await tenant.run_for(5 * HOUR)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await look(tenant)
        for table, partition in list(tenant.tables.rows):
            if table == "holds":
                del tenant.tables.rows[table, partition]

        done = await look(tenant)

        assert (kinds(done), len(ops.heard)) == (["returned"], 1)

    async def test_a_read_that_may_be_older_than_the_proof_is_no_return(self, tenant: FakeTenant, ops: Ops) -> None:
        given = await active(tenant)
        await tenant.run_for(4 * HOUR)
        hold = await tenant.store.hold(given.principal, given.target)
        await tenant.store.write_hold(replace(hold, gone_at=tenant.clock.now() - MINUTE))
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)

        done = await look(tenant)

        assert (done.findings, ops.heard) == ([], [])


class TestGone:
    async def test_a_group_deleted_under_three_activations_ends_all_closes_what_waits_and_is_heard_of_once(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await pending(tenant)
        await tenant.open(approval=None)
        people = (BO, CY, DEE)
        for number, account in enumerate(people):
            await tenant.register.put_eligibility(Eligibility(principal=account.id, role=ROLE), OWNER)
            upn = account.user_principal_name
            tenant.ask(message_id=f"m{number}", requestId=f"r{number}", requester=upn, principal=upn, duration="PT5H")
        await tenant.run()
        states = [each.state for each in await tenant.activations()]
        assert sorted(states) == ["active", "active", "active", "pending_approval"]
        tenant.directory.remove_group(GROUP)

        done = await look_twice(tenant)
        await tenant.run_for(6 * HOUR)
        await look(tenant)

        assert ops.heard == [("directory.gone", GROUP)]
        found = await tenant.activations()
        assert sorted(each.state for each in found) == ["canceled", "ended", "ended", "ended"]
        (closed,) = [each for each in found if each.state is State.CANCELED]
        assert done.closed == [closed.id]
        assert (closed.cause, [demand.code for demand in closed.unmet]) == ("withdrawn", ["HG-ROLE-TARGET-GONE"])
        assert tenant.subjects(ADA)[-1] == "Hourglass: Your request for Backup Operators was closed"

    async def test_a_request_for_an_account_that_is_gone_closes_after_a_second_look(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await pending(tenant)
        tenant.directory.remove_account(ADA_ADMIN.id)

        await look(tenant)
        assert ((await tenant.activation()).state, ops.heard) == (State.PENDING_APPROVAL, [])
        await tenant.run_for(HOUR)
        await look(tenant)
        await look_twice(tenant)

        closed = await tenant.activation()
        assert (closed.state, [demand.code for demand in closed.unmet]) == (State.CANCELED, ["HG-PRINCIPAL-UNKNOWN"])
        assert ops.heard == [("directory.gone", ADA_ADMIN.id)]
        assert "was closed" in tenant.subjects(ADA)[-1]
        assert tenant.subjects(BO)[-1] == "Hourglass: Closed: Ada, Backup Operators"
        assert rows_of_drift(tenant) == []

    async def test_an_account_that_is_there_again_keeps_its_request(self, tenant: FakeTenant, ops: Ops) -> None:
        await pending(tenant)
        tenant.directory.remove_account(ADA_ADMIN.id)
        await look(tenant)
        tenant.directory.add_account(ADA_ADMIN)
        await tenant.run_for(HOUR)

        await look(tenant)

        assert ((await tenant.activation()).state, ops.heard) == (State.PENDING_APPROVAL, [])

    async def test_a_disabled_account_is_not_gone(self, tenant: FakeTenant) -> None:
        await pending(tenant)
        tenant.directory.add_account(replace(ADA_ADMIN, enabled=False))

        await look_twice(tenant)

        assert (await tenant.activation()).state is State.PENDING_APPROVAL

    async def test_a_scheduled_one_is_closed_too(self, tenant: FakeTenant) -> None:
        await tenant.open(approval=None)
        tenant.ask(start=(tenant.clock.now() + timedelta(days=2)).isoformat())
        await tenant.run()
        assert (await tenant.activation()).state is State.SCHEDULED
        tenant.directory.remove_group(GROUP)

        await look_twice(tenant)

        assert (await tenant.activation()).state is State.CANCELED

    async def test_a_user_deleted_while_active_is_heard_of_once_and_is_not_missing(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await active(tenant)
        tenant.directory.remove_account(ADA_ADMIN.id)

        done = await look_twice(tenant)
        await look_twice(tenant)
        await tenant.run_for(4 * HOUR)
        await look(tenant)

        assert kinds(done) == ["gone"]
        assert ops.heard == [("directory.gone", ADA_ADMIN.id)]
        assert (await tenant.activation()).state is State.ENDED
        assert rows_of_drift(tenant) == []

    async def test_an_account_that_can_not_be_read_is_not_gone_and_what_was_found_stands(
        self, tenant: FakeTenant
    ) -> None:
        await pending(tenant)
        tenant.directory.remove_account(ADA_ADMIN.id)
        await look(tenant)
        await tenant.run_for(HOUR)
        tenant.directory.faults["account"] = [fault()]

        done = await look(tenant)

        assert done.failed == {ADA_ADMIN.id: "the directory (503)"}
        assert (await tenant.activation()).state is State.PENDING_APPROVAL
        assert rows_of_drift(tenant) == [f"gone_{ADA_ADMIN.id}"]


def fault() -> TryAgain:
    return TryAgain("the directory (503)", after=MINUTE, fault=True)


class TestWhatFails:
    async def two_targets(self, tenant: FakeTenant) -> None:
        await tenant.open(approval=None)
        tenant.directory.add_group(OTHER_GROUP, "Other", CY.id)
        tenant.directory.put_member(GROUP, DEE.id)
        await tenant.register.put_role(replace(tenant.role, key="other", target=OTHER, version=0), OWNER)

    async def test_a_target_that_can_not_be_read_does_not_stop_the_others(self, tenant: FakeTenant, ops: Ops) -> None:
        await self.two_targets(tenant)
        tenant.directory.faults["holders"] = [fault()]

        done = await look(tenant)

        assert (done.failed, ops.heard) == ({GROUP: "the directory (503)"}, [("drift.unexplained", CY.id)])

    async def test_nor_do_one_that_fails_for_ever_and_one_that_is_gone(self, tenant: FakeTenant, ops: Ops) -> None:
        await self.two_targets(tenant)
        first = replace(tenant.role, key="a-first", target=Target(Source.GROUP_MEMBER, ELIGIBLE), version=0)
        await tenant.register.put_role(first, OWNER)
        tenant.directory.remove_group(GROUP)
        tenant.directory.faults["holders"] = [fault()]
        before = await look(tenant)
        await tenant.run_for(HOUR)
        tenant.directory.faults["holders"] = [fault()]

        done = await look(tenant)

        assert (before.failed, done.failed) == ({ELIGIBLE: "the directory (503)"}, {ELIGIBLE: "the directory (503)"})
        assert kinds(done) == ["gone", "unexplained"]
        assert ops.heard == [("drift.unexplained", CY.id), ("directory.gone", GROUP)]

    async def test_nor_does_a_bug_at_one(self, tenant: FakeTenant, ops: Ops, caplog: pytest.LogCaptureFixture) -> None:
        await self.two_targets(tenant)
        tenant.directory.faults["holders"] = [ValueError("not JSON")]

        done = await look(tenant)

        assert done.failed == {GROUP: "a bug, see the log"}
        assert ops.heard == [("drift.unexplained", CY.id)]
        assert [r.levelname for r in caplog.records if r.getMessage() == "reconcile.broken"] == ["ERROR"]

    async def test_what_was_found_stands_while_a_target_can_not_be_read(self, tenant: FakeTenant, ops: Ops) -> None:
        await self.two_targets(tenant)
        await look(tenant)
        tenant.directory.faults["holders"] = [fault(), fault()]
        await look(tenant)

        await look(tenant)

        assert len(ops.heard) == 2


class TestOnlyLooking:
    async def test_it_writes_nothing_and_a_second_look_of_the_same_run_is_sure(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        tenant.directory.put_member(GROUP, DEE.id)
        before = {place: dict(rows) for place, rows in tenant.tables.rows.items() if rows}
        looking = only_looking(tenant.ports)

        first = await reconcile(ports=looking, mode=Mode.LOOK)
        tenant.clock.advance(TIMING.proof_window)
        second = await reconcile(ports=looking, mode=Mode.LOOK)

        assert (first.unsure, second.unsure) == (True, False)
        assert kinds(second) == ["missing", "unexplained"]
        assert {place: dict(rows) for place, rows in tenant.tables.rows.items() if rows} == before

    async def test_what_is_no_longer_so_at_the_second_look_is_not_found(self, tenant: FakeTenant) -> None:
        await active(tenant)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        looking = only_looking(tenant.ports)
        await reconcile(ports=looking, mode=Mode.LOOK)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await reconcile(ports=looking, mode=Mode.LOOK)
        tenant.directory.take_member(GROUP, ADA_ADMIN.id)
        tenant.clock.advance(TIMING.proof_window)

        assert (await reconcile(ports=looking, mode=Mode.LOOK)).unsure

    async def test_while_a_ledger_is_restored_findings_are_reported_and_nothing_else_changes(
        self, tenant: FakeTenant, ops: Ops
    ) -> None:
        await pending(tenant)
        stop = Stop(scope=Scope(), reason="backup", by="Ops", through="test", at=tenant.clock.now(), restoring=True)
        await tenant.controls.set(stop)
        tenant.directory.remove_group(GROUP)

        done = await look_twice(tenant)

        assert (ops.heard, done.closed) == ([("directory.gone", GROUP)], [])
        assert (await tenant.activation()).state is State.PENDING_APPROVAL


class Meanwhile(FakeDirectory):
    """A directory in which something happens while an account, or who holds a target, is looked up, once."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.watch = clock
        self.happens: Callable[[], Awaitable[object]] | None = None

    async def account(self, reference: str) -> Account | None:
        await self._happen()
        return await super().account(reference)

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        await self._happen()
        return await super().holders(target)

    async def _happen(self) -> None:
        if self.happens is not None:
            happens, self.happens = self.happens, None
            await happens()


class FailingTables(FakeTables):
    """Tables that can't be written while they are ``down``."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if table in self.down:
            raise TryAgain("the tables", after=MINUTE, fault=True)
        return await super().write(table, operations)


class TestWhatHappensMeanwhile:
    @pytest.fixture
    def directory(self) -> Meanwhile:
        return Meanwhile(FakeClock())

    @pytest.fixture
    def tables(self) -> FailingTables:
        return FailingTables()

    @pytest.fixture
    def tenant(self, directory: Meanwhile, tables: FailingTables) -> FakeTenant:
        return FakeTenant(clock=directory.watch, tables=tables, directory=directory)

    async def happens(self, tenant: FakeTenant, event: Event) -> None:
        now = tenant.clock.now()
        await tenant.store.commit(move(await tenant.activation(), Happened(event=event, at=now)), now=now)

    async def test_what_is_given_back_while_it_is_looked_at_is_not_recorded_as_missing(
        self, tenant: FakeTenant, directory: Meanwhile
    ) -> None:
        await active(tenant)
        directory.take_member(GROUP, ADA_ADMIN.id)
        await look(tenant)
        await tenant.run_for(HOUR)
        directory.happens = lambda: self.happens(tenant, Event.DEACTIVATED)

        await look(tenant)

        assert "assignment.missing" not in await tenant.events()

    async def test_what_ends_while_it_is_looked_at_is_not_overdue(
        self, tenant: FakeTenant, directory: Meanwhile, ops: Ops
    ) -> None:
        await active(tenant)
        tenant.bus.messages.clear()
        tenant.clock.advance(5 * HOUR)

        async def ends() -> None:
            await tenant.sweep()
            await tenant.run()

        directory.happens = ends

        done = await look(tenant)

        assert ((await tenant.activation()).state, done.findings, ops.heard) == (State.ENDED, [], [])

    async def test_what_is_canceled_while_it_is_looked_at_is_not_closed_again(
        self, tenant: FakeTenant, directory: Meanwhile
    ) -> None:
        await pending(tenant)
        directory.remove_account(ADA_ADMIN.id)
        await look(tenant)
        await tenant.run_for(HOUR)
        directory.happens = lambda: self.happens(tenant, Event.CANCELED)

        done = await look(tenant)

        assert done.closed == []
        assert (await tenant.events())[-1] == "activation.canceled"

    async def test_what_can_not_be_closed_now_is_closed_by_the_next_look(
        self, tenant: FakeTenant, directory: Meanwhile, tables: FailingTables
    ) -> None:
        await pending(tenant)
        directory.remove_account(ADA_ADMIN.id)
        await look(tenant)
        await tenant.run_for(HOUR)
        tables.down.add("due")
        failed = await look(tenant)
        tables.down.clear()

        done = await look(tenant)

        waiting = await tenant.activation()
        assert (failed.closed, failed.failed) == ([], {waiting.id: "the tables"})
        assert done.closed == [waiting.id]
