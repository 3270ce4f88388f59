"""A start in the future: on time, and only if everything is still so; a request that nobody decides lapses, once."""

from dataclasses import replace
from datetime import timedelta

from access.errors import TryAgain
from access.model import Cause, State
from tests.fakes.clock import ARBITRARY_MORNING as MORNING
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, ELIGIBLE, GROUP, OWNER, ROLE, FakeTenant
from tests.story.acts import pending, press

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def later(tenant: FakeTenant) -> FakeTenant:
    """Ada's admin account gets the role at noon, for two hours."""
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T12:00:00Z")
    await tenant.run()
    assert (await tenant.activation()).state is State.SCHEDULED
    return tenant


async def closed_at_its_start(tenant: FakeTenant) -> list[str]:
    """Let the start come; return the codes of why nothing was given. The requester hears it once."""
    await tenant.run_for(5 * HOUR + 10 * MINUTE)

    closed = await tenant.activation()
    assert (closed.state, closed.cause) == (State.CANCELED, Cause.WITHDRAWN)
    assert ("assign", ADA_ADMIN.id, GROUP) not in tenant.directory.calls
    assert tenant.subjects(ADA) == ["Hourglass: Your request for Backup Operators was closed"]
    codes = [demand.code for demand in closed.unmet]
    assert all(code in tenant.mailer.to(ADA.mail or "")[0].html for code in codes)
    return codes


async def test_it_starts_on_time_and_not_before(tenant: FakeTenant) -> None:
    await later(tenant)

    await tenant.run_for(3 * HOUR - timedelta(seconds=1))
    assert ("assign", ADA_ADMIN.id, GROUP) not in tenant.directory.calls

    await tenant.run_for(timedelta(seconds=1))
    started = await tenant.activation()
    assert (started.state, started.ends_at) == (State.ACTIVE, MORNING + 5 * HOUR)
    assert tenant.is_held()


async def test_a_start_whose_message_was_lost_is_found_by_the_sweep(tenant: FakeTenant) -> None:
    await later(tenant)
    tenant.bus.messages.clear()

    await tenant.run_for(3 * HOUR + 2 * MINUTE)

    assert (await tenant.activation()).state is State.ACTIVE


async def test_an_eligibility_that_is_lost_by_then_gives_nothing(tenant: FakeTenant) -> None:
    await later(tenant)
    tenant.directory.take_member(ELIGIBLE, ADA_ADMIN.id)

    assert await closed_at_its_start(tenant) == ["HG-NOT-ELIGIBLE"]


async def test_a_role_that_is_removed_by_then_gives_nothing(tenant: FakeTenant) -> None:
    await later(tenant)
    await tenant.register.remove_role(ROLE, OWNER)

    assert await closed_at_its_start(tenant) == ["HG-ROLE-UNKNOWN"]


async def test_a_maximum_that_is_lower_by_then_gives_nothing(tenant: FakeTenant) -> None:
    await later(tenant)
    await tenant.register.put_role(replace(tenant.role, maximum_duration=HOUR), OWNER)

    assert await closed_at_its_start(tenant) == ["HG-DURATION-TOO-LONG"]


async def test_an_account_that_is_disabled_by_then_gets_nothing(tenant: FakeTenant) -> None:
    await later(tenant)
    tenant.directory.add_account(replace(ADA_ADMIN, enabled=False))

    assert await closed_at_its_start(tenant) == ["HG-PRINCIPAL-DISABLED"]


async def test_an_account_that_is_another_persons_by_then_gets_nothing(tenant: FakeTenant) -> None:
    await later(tenant)
    tenant.directory.add_account(replace(ADA_ADMIN, employee_id="E9"))

    assert await closed_at_its_start(tenant) == ["HG-NOT-SAME-PERSON"]


async def test_a_look_up_that_fails_at_the_start_is_waited_for(tenant: FakeTenant) -> None:
    await later(tenant)
    fault = TryAgain("the directory (503)", after=MINUTE, fault=True)
    tenant.directory.faults["groups_among"] = [fault] * 3

    await tenant.run_for(3 * HOUR + 15 * MINUTE)

    started = await tenant.activation()
    assert (started.state, started.ends_at) == (State.ACTIVE, MORNING + 5 * HOUR)


async def test_an_approved_start_is_asked_for_again_too(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(start="2026-03-02T12:00:00Z")
    await tenant.run()
    await press(tenant, BO.id, tenant.card_of(BO))
    assert (await tenant.activation()).state is State.SCHEDULED
    tenant.directory.take_member(ELIGIBLE, ADA_ADMIN.id)

    assert await closed_at_its_start(tenant) == ["HG-NOT-ELIGIBLE"]


async def test_a_lapse_is_told_once_however_often_its_message_comes(tenant: FakeTenant) -> None:
    await pending(tenant)
    (lapse,) = [message for message in tenant.bus.messages if message.queue == "expirations"]

    await tenant.run_for(24 * HOUR)
    await tenant.deliver(lapse)
    await tenant.run_for(2 * HOUR)

    assert (await tenant.activation()).state is State.LAPSED
    assert tenant.subjects(ADA) == ["Hourglass: Nobody decided about Backup Operators in time"]
    assert (await tenant.events()).count("approval.lapsed") == 1


async def test_a_lapse_that_comes_early_changes_nothing(tenant: FakeTenant) -> None:
    await pending(tenant)
    (lapse,) = [message for message in tenant.bus.messages if message.queue == "expirations"]

    await tenant.deliver(lapse)

    assert (await tenant.activation()).state is State.PENDING_APPROVAL
