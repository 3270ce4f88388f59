"""A repair removes what is provably ours and overdue, by the ordinary ways, and nothing else whatever is found."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.errors import TryAgain
from access.hold import Before, Hold, Phase
from access.model import Activation, Eligibility, Scope, State, Stop
from expiry_timer.reconcile import Mode, Reconciled, reconcile
from tests.fakes.tenant import ADA_ADMIN, GROUP, OWNER, FakeTenant

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def repair(tenant: FakeTenant) -> Reconciled:
    """A repair by hand, and whatever follows from it."""
    done = await reconcile(ports=tenant.ports, mode=Mode.REPAIR)
    await tenant.run()
    return done


async def repair_until_done(tenant: FakeTenant) -> list[str]:
    """Repair again when it says so; return how each went."""
    said: list[str] = []
    for _ in range(10):
        done = await repair(tenant)
        said += [each.how for each in done.repaired]
        waits = [each.again_after for each in done.repaired if each.again_after]
        if not waits:
            return said
        tenant.clock.advance(max(waits))
    raise AssertionError(f"never done: {said}")


async def active(tenant: FakeTenant) -> Activation:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()
    return await tenant.activation()


async def overdue(tenant: FakeTenant) -> Activation:
    """Its end is an hour over, and nothing has noticed: the messages are lost, and the sweep stands still."""
    given = await active(tenant)
    tenant.bus.messages.clear()
    tenant.clock.advance(2 * HOUR)
    return given


async def left_behind(tenant: FakeTenant, **values: object) -> Hold:
    """The record says ended, the hold and the directory say held, as after a restore of one without the other."""
    given = await active(tenant)
    hold = await tenant.store.hold(given.principal, given.target)
    await tenant.run_for(3 * HOUR)
    assert (await tenant.activation()).state is State.ENDED
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)
    now = await tenant.store.hold(given.principal, given.target)
    return await tenant.store.write_hold(replace(hold, etag=now.etag, **values))  # type: ignore[arg-type] # by name


def removals(tenant: FakeTenant) -> int:
    return [call for call, _, _ in tenant.directory.calls].count("remove")


class TestWhatIsOverdue:
    async def test_it_is_found_five_minutes_after_its_end_and_not_before(self, tenant: FakeTenant) -> None:
        given = await active(tenant)
        tenant.bus.messages.clear()
        assert given.ends_at is not None
        tenant.clock.advance_to(given.ends_at + 5 * MINUTE - timedelta(seconds=1))
        before = await reconcile(ports=tenant.ports)
        tenant.clock.advance(timedelta(seconds=1))

        after = await reconcile(ports=tenant.ports)

        assert ([f.kind for f in before.findings], [f.kind for f in after.findings]) == ([], ["overdue"])

    async def test_a_repair_sends_it_to_its_end_which_is_proven(self, tenant: FakeTenant) -> None:
        await overdue(tenant)

        done = await repair(tenant)

        assert [each.how for each in done.repaired] == ["sent to its end"]
        assert (await tenant.activation()).state is State.ENDED
        assert not tenant.is_held()

    async def test_without_a_repair_it_is_only_reported(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        await overdue(tenant)

        await reconcile(ports=tenant.ports)
        await reconcile(ports=tenant.ports)
        await tenant.run()

        assert [r.getMessage() for r in caplog.records].count("drift.overdue") == 1
        assert tenant.is_held()

    async def test_one_that_was_held_before_ends_and_stays_held(self, tenant: FakeTenant) -> None:
        await tenant.open(approval=None)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await overdue(tenant)

        await repair(tenant)

        assert (await tenant.activation()).state is State.ENDED
        assert (tenant.is_held(), removals(tenant)) == (True, 0)

    async def test_a_removal_that_is_not_proven_is_hurried(self, tenant: FakeTenant) -> None:
        await active(tenant)
        tenant.directory.faults["remove"] = [TryAgain("the directory (503)", after=HOUR, fault=True)]
        tenant.clock.advance(HOUR)
        await tenant.run()
        tenant.bus.messages.clear()
        assert (await tenant.activation()).state is State.ENDING
        tenant.clock.advance(6 * MINUTE)

        await repair(tenant)

        assert ((await tenant.activation()).state, tenant.is_held()) == (State.ENDED, False)

    async def test_a_bus_that_is_down_is_said_and_stops_nobody(self, tenant: FakeTenant) -> None:
        await overdue(tenant)
        tenant.bus.down = True

        done = await reconcile(ports=tenant.ports, mode=Mode.REPAIR)

        assert done.failed == {ADA_ADMIN.id: "the queue expirations"}


class TestWhatAHoldWasLeftWith:
    async def test_it_is_found_and_a_repair_removes_it_and_proves_it_gone(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        hold = await left_behind(tenant)
        found = await reconcile(ports=tenant.ports)
        assert [finding.kind for finding in found.findings] == ["overdue"]

        said = await repair_until_done(tenant)

        assert said[-1] == "proven_gone"
        assert not tenant.is_held()
        after = await tenant.store.hold(hold.principal, hold.target)
        assert (after.phase, after.asked) == (Phase.FREE, 0)
        assert [r.getMessage() for r in caplog.records].count("reconcile.released") == 1
        assert (await reconcile(ports=tenant.ports)).findings == []

    async def test_a_repair_that_was_cut_off_is_found_though_nothing_is_held_any_more(self, tenant: FakeTenant) -> None:
        hold = await left_behind(tenant)
        tenant.directory.faults["presence"] = [TryAgain("the directory (503)", after=MINUTE, fault=True)]
        await repair(tenant)
        cut_off = await tenant.store.hold(hold.principal, hold.target)
        assert (cut_off.phase, tenant.is_held()) == (Phase.REMOVING, False)
        tenant.clock.advance(HOUR)

        found = await reconcile(ports=tenant.ports)
        said = await repair_until_done(tenant)

        assert [finding.kind for finding in found.findings] == ["overdue"]
        assert said == ["proven_gone"]
        assert (await reconcile(ports=tenant.ports)).findings == []

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ({"before": Before.YES}, "unexplained"),
            ({"before": Before.UNKNOWN}, "unexplained"),
            ({"asked": 0}, "unexplained"),
            ({"live": {"f0" * 16: datetime.fromisoformat("2026-03-02T10:00:00Z")}}, "overdue"),
            ({"phase": Phase.FREE}, "unexplained"),
            ({"phase": Phase.FREE, "gone_at": datetime.fromisoformat("2026-03-02T10:00:00Z")}, "returned"),
        ],
        ids=["held before", "not settled", "never asked", "an activation nobody knows", "unexplained", "returned"],
    )
    async def test_what_is_not_provably_ours_is_never_removed(
        self, tenant: FakeTenant, values: dict[str, object], kind: str
    ) -> None:
        await left_behind(tenant, **values)
        before = removals(tenant)
        tenant.clock.advance(HOUR)

        done = await repair(tenant)

        assert [finding.kind for finding in done.findings] == [kind]
        assert (tenant.is_held(), removals(tenant)) == (True, before)

    async def test_while_another_activation_needs_it_nothing_is_removed(self, tenant: FakeTenant) -> None:
        hold = await left_behind(tenant)
        await tenant.register.put_role(replace(tenant.role, key="other", version=0), OWNER)
        await tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role="other"), OWNER)
        tenant.ask(message_id="m-2", requestId="run-2", role="other", duration="PT4H")
        await tenant.run()
        joined = await tenant.store.hold(hold.principal, hold.target)
        assert len(joined.live) == 2
        before = removals(tenant)

        await repair(tenant)

        assert (tenant.is_held(), removals(tenant)) == (True, before)

    async def test_while_a_ledger_is_restored_nothing_is_repaired(self, tenant: FakeTenant) -> None:
        await left_behind(tenant)
        stop = Stop(scope=Scope(), reason="backup", by="Ops", through="test", at=tenant.clock.now(), restoring=True)
        await tenant.controls.set(stop)
        before = removals(tenant)

        done = await repair(tenant)

        assert (done.repaired, tenant.is_held(), removals(tenant)) == ([], True, before)
