"""Two workers in one instant, clocks that are off, answers that are old, loops: none of them keeps access, or takes it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters.tables import Row
from access.drift import Kind
from access.errors import TryAgain
from access.model import Activation, State
from access.pace import Lane
from expiry_timer.reconcile import reconcile
from expiry_timer.sweep import Starter, sweep
from tests.fakes.bus import FakeMessage
from tests.fakes.tenant import ADA, ADA_ADMIN, GROUP, FakeTenant
from tests.story.acts import active, again, say

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MOST_THAT_FIT = 564
"""Released ids in one property of 64 KiB."""


def out(times: int = 1) -> list[Exception]:
    return [TryAgain("the directory (503)", after=5 * SECOND, fault=True) for _ in range(times)]


def taken(tenant: FakeTenant, queue: str) -> FakeMessage:
    """Take the oldest message off a queue, to be delivered by hand."""
    message = next(message for message in tenant.bus.messages if message.queue == queue)
    tenant.bus.messages.remove(message)
    return message


def due_rows(tenant: FakeTenant, kind: str) -> list[tuple[dict[str, Row], str]]:
    shards = [rows for (table, _), rows in tenant.tables.rows.items() if table == "due"]
    return [(rows, key) for rows in shards for key, row in rows.items() if row.values["kind"] == kind]


def lose(tenant: FakeTenant, kind: str) -> None:
    """Lose every message, and the due rows of a kind."""
    tenant.bus.messages.clear()
    for rows, key in due_rows(tenant, kind):
        del rows[key]


async def ending(tenant: FakeTenant) -> Activation:
    """Return an activation whose end came while the directory was out."""
    given = await active(tenant)
    assert given.ends_at is not None
    tenant.directory.faults["remove"] = out()
    tenant.clock.advance_to(given.ends_at)
    await tenant.deliver(taken(tenant, "expirations"))
    assert (await again(tenant, given)).state is State.ENDING
    return given


async def test_sweeps_that_meet_at_a_row_put_it_off_once(tenant: FakeTenant) -> None:
    await ending(tenant)
    tenant.directory.faults["remove"] = out(10_000)
    await tenant.run_for(10 * MINUTE)
    assert len(due_rows(tenant, "now")) <= 2

    for _ in range(60):
        tenant.clock.advance(MINUTE)
        await asyncio.gather(*(sweep(Starter.TIMER, ports=tenant.ports) for _ in range(3)))
        await tenant.run()

    assert len(due_rows(tenant, "now")) <= 2


async def test_a_hold_as_full_as_an_earlier_version_could_write_it_is_released(tenant: FakeTenant) -> None:
    given = await active(tenant)
    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    loop = {f"{number:032x}": tenant.clock.now() for number in range(MOST_THAT_FIT)}
    await tenant.store.write_hold(replace(hold, released=loop, let_go=dict.fromkeys(loop, "never_given")))

    await tenant.run_for(2 * HOUR + 10 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()


async def test_what_the_directory_called_there_already_stays_though_reads_do_not_show_it_yet(
    tenant: FakeTenant,
) -> None:
    await tenant.open(approval=None)
    tenant.directory.lag = MINUTE
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)
    tenant.ask()
    await tenant.run()
    assert ("assign", ADA_ADMIN.id, GROUP) in tenant.directory.calls
    say(tenant, "deactivate")

    await tenant.run_for(30 * MINUTE)

    assert (await tenant.activation()).ended_how == "never_given"
    assert tenant.is_held()


async def test_what_was_there_at_each_ask_is_not_taken_for_ours_at_the_second(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.lag = 90 * SECOND
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)
    tenant.ask()

    await tenant.run_for(3 * HOUR)

    assert [call for call, _, _ in tenant.directory.calls].count("assign") > 1
    assert (await tenant.activation()).ended_how == "held_before"
    assert tenant.is_held()


async def test_what_somebody_gives_while_we_wait_for_the_quota_is_seen_before_we_ask(
    tenant: FakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    turn = tenant.ports.pace.turn

    async def turn_after_a_minute(lane: Lane) -> None:
        if lane is Lane.GRANT:
            tenant.clock.advance(MINUTE)
            tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        await turn(lane)

    monkeypatch.setattr(tenant.ports.pace, "turn", turn_after_a_minute)
    tenant.directory.faults["assign"] = out()  # its answer, that it is there already, would be lost

    await tenant.run_for(3 * HOUR)

    assert (await tenant.activation()).ended_how == "held_before"
    assert tenant.is_held()


async def test_what_was_canceled_before_the_call_was_made_needs_no_removal(
    tenant: FakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    write_hold = tenant.store.write_hold

    async def canceled_after(hold: object) -> object:
        written = await write_hold(hold)  # type: ignore[arg-type] # passed on
        if written.asked == 1:
            say(tenant, "cancel")
            await tenant.deliver(taken(tenant, "activation-requests"))
            tenant.directory.put_member(GROUP, ADA_ADMIN.id)
        return written

    monkeypatch.setattr(tenant.store, "write_hold", canceled_after)

    await tenant.run_for(10 * MINUTE)

    assert (await tenant.activation()).ended_how == "never_given"
    assert tenant.is_held()


@pytest.mark.parametrize("seconds", [1, 5])
async def test_a_worker_whose_clock_is_slow_ends_it_when_its_own_clock_says_so(
    tenant: FakeTenant, seconds: int
) -> None:
    given = await active(tenant)
    assert given.ends_at is not None
    tenant.clock.advance_to(given.ends_at - seconds * SECOND)
    await tenant.deliver(taken(tenant, "expirations"))
    assert tenant.is_held()

    await tenant.run_for(6 * SECOND, sweeping=False)

    assert not tenant.is_held()


async def test_a_worker_whose_clock_is_slow_starts_it_when_its_own_clock_says_so(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T10:00:00Z")
    await tenant.run()
    starts_at = (await tenant.activation()).starts_at
    assert starts_at is not None
    tenant.clock.advance_to(starts_at - 4 * SECOND)
    await tenant.deliver(taken(tenant, "provisioning"))

    await tenant.run_for(5 * SECOND, sweeping=False)

    assert tenant.is_held()


async def test_an_effect_that_can_never_leave_keeps_neither_the_others_nor_the_end_waiting(tenant: FakeTenant) -> None:
    given = await ending(tenant)
    current = await again(tenant, given)
    broken = {"queue": "notifications", "body": "{", "written": "20260302T090000Z"}
    rows = tenant.tables.rows["activations", given.id]
    rows["out-000000"] = Row(partition=given.id, key="out-000000", values=broken, etag="v0")
    lose(tenant, "retry")
    assert current.version == (await again(tenant, given)).version

    await tenant.run_for(20 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert "Hourglass: Backup Operators has ended" in tenant.subjects(ADA)


async def test_a_lease_by_a_clock_that_was_wrong_is_not_waited_for(tenant: FakeTenant) -> None:
    given = await ending(tenant)
    in_three_days = tenant.clock.now() + timedelta(days=3)
    await tenant.store.drive(await again(tenant, given), now=in_three_days).__aenter__()

    await tenant.run_for(3 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED


async def test_while_the_bus_is_out_the_sweep_ends_by_itself_what_is_over(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.directory.lag = MINUTE
    tenant.bus.messages.clear()
    tenant.bus.down = True

    await tenant.run_for(2 * HOUR + 10 * MINUTE)

    assert not tenant.is_held()
    assert (await again(tenant, given)).state is State.ENDED
    tenant.bus.down = False
    await tenant.run_for(20 * MINUTE)
    assert "Hourglass: Backup Operators has ended" in tenant.subjects(ADA)


async def test_while_the_bus_is_out_the_sweep_gives_nothing(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T10:00:00Z")
    await tenant.run()
    tenant.bus.messages.clear()
    tenant.bus.down = True

    await tenant.run_for(90 * MINUTE)

    assert not tenant.is_held()
    tenant.bus.down = False
    await tenant.run_for(20 * MINUTE)
    assert tenant.is_held()


async def test_what_comes_back_with_a_deleted_group_that_is_restored_is_reported_weeks_later(
    tenant: FakeTenant,
) -> None:
    given = await active(tenant)
    members = set(tenant.directory.groups[GROUP])
    tenant.directory.remove_group(GROUP)
    await tenant.run_for(2 * HOUR + 10 * MINUTE)
    assert (await again(tenant, given)).ended_how == "proven_gone"

    tenant.clock.advance(timedelta(days=20))
    tenant.directory.add_group(GROUP, "Backup Operators", *members)
    found = await reconcile(ports=tenant.ports)

    assert [(each.kind, each.principal) for each in found.findings] == [(Kind.RETURNED, ADA_ADMIN.id)]
    assert tenant.is_held()
