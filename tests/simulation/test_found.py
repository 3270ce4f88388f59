"""What the simulation found, each as a short story of its own."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from access.adapters.tables import Operation
from access.errors import AlreadyAssigned, NotAssigned, TryAgain
from access.hold import Presence
from access.model import State, Target
from tests.fakes.tenant import ADA, ADA_ADMIN, GROUP, FakeTenant
from tests.story.acts import active, say

MINUTE = timedelta(minutes=1)
OUTAGE: list[Exception] = [TryAgain("the directory (503)", after=timedelta(seconds=5), fault=True)]


def sent(tenant: FakeTenant) -> int:
    """Return how many messages there were, but for the tick of each minute."""
    return sum(message.queue != "ticks" for message in tenant.bus.sent)


def fits(tenant: FakeTenant, minutes: int) -> bool:
    """Whether the bus took no more than a try each five seconds, as often again by the sweep, and a few more."""
    return sent(tenant) <= 10 + 30 * minutes and len(tenant.bus.messages) <= 10


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

    assert sent(tenant) < 150
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


async def test_a_command_that_is_refused_by_two_workers_at_once_is_refused_once(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    say(tenant, "cancel")
    message = tenant.bus.take()
    assert message is not None

    await asyncio.gather(tenant.deliver(message), tenant.deliver(message), tenant.deliver(message))
    await tenant.run()

    assert tenant.quarantine.codes == []
    assert (await tenant.activation()).state is State.REFUSED


async def test_of_two_extensions_each_is_told(tenant: FakeTenant) -> None:
    await active(tenant)

    for number in (1, 2):
        say(tenant, "extend", request=f"more-{number}", duration="PT1H", justification="More")
        await tenant.run()

    assert sum("stays active" in subject for subject in tenant.subjects(ADA)) == 2


async def test_who_was_frozen_before_a_mail_does_not_send_it_after_another_did(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(role="no-such-role")
    request = tenant.bus.take()
    assert request is not None
    await tenant.deliver(request)
    telling = next(message for message in tenant.bus.messages if message.queue == "notifications")
    really = tenant.tables.write

    async def freezes_after_it(table: str, operations: Sequence[Operation]) -> list[str]:
        etags = await really(table, operations)
        tenant.tables.write = really  # type: ignore[method-assign] # once
        tenant.clock.advance(3 * MINUTE)
        await tenant.run()
        return etags

    tenant.tables.write = freezes_after_it  # type: ignore[method-assign] # the worker stands still, and others go on

    await tenant.deliver(telling)

    assert len(tenant.subjects(ADA)) == 1


async def test_what_an_old_replica_calls_there_already_is_not_announced(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run_for(6 * MINUTE)
    assert (await tenant.activation()).state is State.ENDED
    really = tenant.directory.presence
    old = [Presence.NOT_HELD, Presence.HELD]

    async def presence(principal: str, target: Target) -> Presence:
        return old.pop(0) if old else await really(principal, target)

    tenant.directory.presence = presence  # type: ignore[method-assign] # replicas that are older than our removal
    tenant.directory.faults["assign"] = [AlreadyAssigned()]
    tenant.ask(message_id="m-2", requestId="run-2")

    await tenant.run()
    assert not any("is active until" in subject for subject in tenant.subjects(ADA)[2:])
    await tenant.run_for(10 * MINUTE)

    assert tenant.is_held()
    assert "is active until" in tenant.subjects(ADA)[-1]


async def test_a_command_that_was_done_is_not_set_aside_when_its_sender_is_gone(tenant: FakeTenant) -> None:
    await active(tenant)
    message = say(tenant, "deactivate")
    await tenant.run()
    tenant.directory.remove_account(ADA.id)

    await tenant.deliver(message)

    assert tenant.quarantine.codes == []


async def test_a_command_that_could_not_be_looked_up_again_is_not_refused_after_it_was_done(tenant: FakeTenant) -> None:
    await active(tenant)
    message = say(tenant, "deactivate")
    await tenant.run()
    tenant.directory.faults["account"] = OUTAGE * 100
    message.application_properties["hourglass-attempt"] = "9"

    await tenant.deliver(message)

    assert (await tenant.activation()).state is State.ENDING
