"""What the simulation found, each as a short story of its own."""

from datetime import timedelta

import pytest

from access.errors import NotAssigned, TryAgain
from access.hold import Presence
from access.model import State, Target
from tests.fakes.tenant import ADA_ADMIN, GROUP, FakeTenant

MINUTE = timedelta(minutes=1)
OUTAGE: list[Exception] = [TryAgain("the directory (503)", after=timedelta(seconds=5), fault=True)]


def fits(tenant: FakeTenant, minutes: int) -> bool:
    """Whether the bus took no more than a try each five seconds, as often again by the sweep, and a few more."""
    return len(tenant.bus.sent) <= 10 + 30 * minutes and len(tenant.bus.messages) <= 10


@pytest.mark.parametrize("call", ["target_exists", "account", "presence"])
async def test_messages_do_not_breed_while_the_directory_is_out(tenant: FakeTenant, call: str) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T09:05:00Z")
    await tenant.run()
    await tenant.run_for(4 * MINUTE)
    tenant.directory.faults[call] = OUTAGE * 100_000

    await tenant.run_for(20 * MINUTE)

    assert fits(tenant, 20)
    tenant.directory.faults.clear()
    await tenant.run_for(20 * MINUTE)
    assert (await tenant.activation()).state is State.ACTIVE


async def test_messages_do_not_breed_while_a_removal_fails(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    tenant.directory.faults["remove"] = OUTAGE * 100_000

    await tenant.run_for(timedelta(hours=5))

    assert len(tenant.bus.sent) < 150
    tenant.directory.faults.clear()
    await tenant.run_for(20 * MINUTE)
    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()


def say_gone(tenant: FakeTenant, *minutes: int) -> None:
    """Let the first read after each of these many minutes from now say that the group doesn't exist."""
    really, left = tenant.directory.presence, [tenant.clock.now() + minute * MINUTE for minute in minutes]

    async def presence(principal: str, target: Target) -> Presence:
        if left and tenant.clock.now() >= left[0]:
            del left[0]
            return Presence.GONE
        return await really(principal, target)

    tenant.directory.presence = presence  # type: ignore[method-assign] # one replica answers differently


async def test_one_read_that_says_gone_does_not_make_ours_what_was_held_before(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)
    say_gone(tenant, 0)
    tenant.directory.faults["assign"] = OUTAGE.copy()
    tenant.ask(duration="PT10M")

    await tenant.run_for(40 * MINUTE)

    assert (await tenant.activation()).state is State.ENDED
    assert tenant.is_held()


async def test_a_group_that_is_deleted_before_the_ask_fails_and_is_told(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    message = tenant.bus.take()
    assert message is not None
    await tenant.deliver(message)
    tenant.directory.remove_group(GROUP)

    await tenant.run_for(10 * MINUTE)

    assert (await tenant.activation()).state is State.FAILED


async def test_a_read_that_finds_it_again_forgets_the_one_that_said_gone(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    say_gone(tenant, 5, 9)
    tenant.directory.faults["remove"] = [NotAssigned() for _ in range(1_000)]

    await tenant.run_for(60 * MINUTE)

    assert (await tenant.activation()).state is State.ENDING
    assert tenant.is_held()


async def test_work_outlives_an_outage_of_the_tables_where_it_was_dead_lettered_in_seconds(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    request = tenant.bus.take()
    assert request is not None
    await tenant.deliver(request)
    called = tenant.tables._called

    async def out(what: str, table: str) -> None:
        raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)

    tenant.tables._called = out  # type: ignore[method-assign] # nothing can be read or written
    await tenant.run_for(10 * MINUTE, sweeping=False)
    tenant.tables._called = called  # type: ignore[method-assign] # it is back

    await tenant.run_for(MINUTE, sweeping=False)

    assert (await tenant.activation()).state is State.ACTIVE
    assert fits(tenant, 10)
