"""Ending is not ended: removals that are overdue are reported, and what was proven gone is looked at once more."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from access.adapters import keys
from access.adapters.tables import Row
from access.errors import Conflict, TryAgain
from access.expiry import LOOK_AGAIN_AFTER
from access.hold import Presence
from access.model import State, Target
from expiry_timer.end_due import end_due
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tenant import ADA_ADMIN, GROUP, FakeTenant

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
DURATION = 2 * HOUR
OUT = TryAgain("the directory (503)", after=MINUTE, fault=True)


async def held(tenant: FakeTenant, **request: str) -> FakeTenant:
    await tenant.open(approval=None)
    tenant.ask(**request)
    await tenant.run()
    assert tenant.is_held()
    return tenant


async def ended(tenant: FakeTenant) -> FakeTenant:
    """Play until the proof, and not further."""
    await held(tenant)
    await tenant.run_for(DURATION)
    while (await tenant.activation()).state is not State.ENDED:
        await tenant.run_for(MINUTE)
    return tenant


def overdue_seconds(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [vars(record)["seconds"] for record in caplog.records if record.message == "removal.overdue"]


class TestARemovalThatIsOverdue:
    async def test_it_is_reported_after_five_minutes_an_hour_and_a_day_more_and_its_end_is_told_once(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        await held(tenant)
        tenant.directory.faults["remove"] = [OUT] * 10_000

        await tenant.run_for(DURATION + 26 * HOUR)

        assert (await tenant.events())[2:] == ["activation.end_due", "removal.delayed", *["removal.overdue"] * 3]
        for planned, seconds in zip((5 * MINUTE, HOUR, 25 * HOUR), overdue_seconds(caplog), strict=True):
            assert planned <= timedelta(seconds=seconds) <= planned + MINUTE
        assert {r.levelno for r in caplog.records if r.message == "removal.overdue"} == {logging.ERROR}

        tenant.directory.faults.clear()
        await tenant.run_for(30 * MINUTE)

        assert (await tenant.events())[-1] == "removal.proven"
        assert not tenant.is_held()
        assert [mail.subject.endswith("has ended") for mail in tenant.mailer.mails].count(True) == 1

    async def test_one_that_is_proven_in_time_is_not_reported(self, tenant: FakeTenant) -> None:
        await ended(tenant)

        assert "removal.overdue" not in await tenant.events()

    async def test_it_is_reported_though_another_worker_is_at_it_for_ever(self, tenant: FakeTenant) -> None:
        # Each time a look comes, somebody holds the lease: the worst of luck must not make it quiet.
        await held(tenant)
        tenant.directory.faults["remove"] = [OUT] * 10_000
        await tenant.run_for(DURATION + MINUTE)
        activation = await tenant.activation()
        tenant.clock.advance(4 * MINUTE)

        async with tenant.store.drive(activation, now=tenant.clock.now()):
            with pytest.raises((TryAgain, Conflict)):
                await end_due(activation.id, ports=tenant.ports)

        assert (await tenant.events()).count("removal.overdue") == 1

    async def test_after_days_in_which_everything_stood_still_it_is_reported_once(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        await held(tenant)
        tenant.directory.faults["remove"] = [OUT] * 10_000
        tenant.clock.advance(DURATION + 3 * 24 * HOUR)

        await tenant.run_for(10 * MINUTE)

        assert len(overdue_seconds(caplog)) == 1


class TestTheLookAfterTheProof:
    async def test_an_assignment_that_came_back_is_reported_once_and_stays(
        self, tenant: FakeTenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        await ended(tenant)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)

        await tenant.run_for(LOOK_AGAIN_AFTER + 2 * MINUTE)
        await end_due((await tenant.activation()).id, ports=tenant.ports)

        assert (await tenant.events())[-2:] == ["removal.proven", "assignment.returned"]
        assert (await tenant.activation()).state is State.ENDED
        assert tenant.is_held()
        assert [r.levelno for r in caplog.records if r.message == "assignment.returned"] == [logging.ERROR]

    async def test_it_is_not_looked_at_before_its_time(self, tenant: FakeTenant) -> None:
        await ended(tenant)
        reads = len(tenant.directory.calls)

        await tenant.run_for(LOOK_AGAIN_AFTER - MINUTE)

        assert len(tenant.directory.calls) == reads

    async def test_where_it_stayed_away_one_read_is_all_and_nothing_is_written(self, tenant: FakeTenant) -> None:
        await ended(tenant)
        proven, calls = await tenant.activation(), len(tenant.directory.calls)

        await tenant.run_for(HOUR)

        assert await tenant.activation() == proven
        assert [call for call, _, _ in tenant.directory.calls[calls:]] == ["presence"]
        assert not any(rows for (table, _), rows in tenant.tables.rows.items() if table == "due")

    async def test_a_directory_that_can_not_be_read_puts_the_look_off(self, tenant: FakeTenant) -> None:
        await ended(tenant)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        tenant.directory.faults["presence"] = [OUT] * 3

        await tenant.run_for(LOOK_AGAIN_AFTER + 15 * MINUTE)

        assert (await tenant.events())[-1] == "assignment.returned"

    async def test_a_look_that_was_put_off_is_found_by_the_sweep_where_its_message_got_lost(
        self, tenant: FakeTenant
    ) -> None:
        await ended(tenant)
        tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        tenant.directory.faults["presence"] = [OUT]
        await tenant.run_for(LOOK_AGAIN_AFTER + MINUTE)
        assert not tenant.directory.faults["presence"]
        tenant.bus.messages.clear()

        await tenant.run_for(5 * MINUTE)

        assert (await tenant.events())[-1] == "assignment.returned"

    async def test_a_new_activation_of_the_same_target_is_not_taken_for_a_return(self, tenant: FakeTenant) -> None:
        await ended(tenant)
        tenant.ask(requestId="run-2", message_id="m-2")
        await tenant.run()
        assert tenant.is_held()

        await tenant.run_for(LOOK_AGAIN_AFTER + 5 * MINUTE)

        events = [
            event for activation in await tenant.activations() for event in await events_of(tenant, activation.id)
        ]
        assert "assignment.returned" not in events
        assert tenant.is_held()

    async def test_one_that_is_given_anew_while_we_read_is_not_taken_for_a_return(self) -> None:
        clock = FakeClock()
        directory = BusyDirectory(clock)
        tenant = await ended(FakeTenant(clock=clock, directory=directory))
        activation = await tenant.activation()
        clock.advance(LOOK_AGAIN_AFTER + MINUTE)

        async def claimed() -> None:
            await tenant.store.write_hold(await tenant.store.hold(activation.principal, activation.target))
            directory.put_member(GROUP, ADA_ADMIN.id)

        directory.before_reading = claimed

        await end_due(activation.id, ports=tenant.ports)

        assert tenant.is_held()
        assert (await tenant.events())[-1] == "removal.proven"


class BusyDirectory(FakeDirectory):
    """A directory in which something happens just before it is read."""

    before_reading: Callable[[], Awaitable[None]] | None = None

    async def presence(self, principal: str, target: Target) -> Presence:
        happening, self.before_reading = self.before_reading, None
        if happening is not None:
            await happening()
        return await super().presence(principal, target)


async def events_of(tenant: FakeTenant, activation: str) -> list[str]:
    rows: dict[str, Row] = tenant.tables.rows["activations", activation]
    start, end = keys.EVENTS
    return [str(rows[key].values["event"]) for key in sorted(rows) if start <= key < end]
