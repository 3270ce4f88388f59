"""A ledger came back from a backup: it reads and reports, and changes nothing outside until a person says go."""

from datetime import timedelta

import pytest

from access.adapters.changes import Author
from access.errors import TryAgain
from access.model import Scope, State, Stop
from tests.fakes.clock import ARBITRARY_MORNING
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, FakeTenant
from tests.story.acts import pending, press

MINUTE = timedelta(minutes=1)
EVE = Author(by="eve", through="direct", at=ARBITRARY_MORNING)
RESTORING = Stop(
    scope=Scope(), restoring=True, by="eve", through="direct", at=ARBITRARY_MORNING, reason="Restored from Monday"
)


def changes(tenant: FakeTenant) -> list[str]:
    return [call for call, *_ in tenant.directory.calls if call in {"assign", "remove"}]


async def go(tenant: FakeTenant) -> None:
    await tenant.controls.lift(RESTORING, EVE, reason="Compared")


async def test_what_is_due_is_not_removed_before_a_person_says_go_and_then_it_is(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()
    await tenant.controls.set(RESTORING)

    await tenant.run_for(timedelta(hours=3))
    assert tenant.is_held()
    assert changes(tenant) == ["assign"]
    assert (await tenant.activation()).state is State.ENDING
    assert not (await tenant.activation()).removal_delayed

    await go(tenant)
    await tenant.run_for(30 * MINUTE)
    assert not tenant.is_held()
    assert (await tenant.activation()).ended_how == "proven_gone"


async def test_what_is_gone_already_is_proven_by_reads_alone(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()
    tenant.directory.take_member(tenant.role.target.id, ADA_ADMIN.id)
    await tenant.controls.set(RESTORING)

    await tenant.run_for(timedelta(hours=2))

    assert (await tenant.activation()).ended_how == "proven_gone"
    assert changes(tenant) == ["assign"]


async def test_a_removal_that_is_withheld_counts_as_none_and_is_asked_for_once_it_may(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()
    await tenant.controls.set(RESTORING)
    await tenant.run_for(timedelta(hours=2))

    activation = await tenant.activation()
    hold = await tenant.store.hold(activation.principal, activation.target)
    assert (hold.removals, hold.quiet_until) == (0, None)
    reads = [call for call, *_ in tenant.directory.calls if call == "presence"]
    assert len(reads) < 60, "it is tried every five minutes and by the sweep, not every five seconds"


async def test_nothing_is_given_before_a_person_says_go_and_then_it_is_within_its_time(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    message = tenant.ask()
    tenant.bus.messages.remove(message)
    await tenant.deliver(message)
    assert (await tenant.activation()).state is State.PROVISIONING
    await tenant.controls.set(RESTORING)

    await tenant.run_for(timedelta(hours=1))
    activation = await tenant.activation()
    hold = await tenant.store.hold(activation.principal, activation.target)
    assert (activation.state, hold.asked, changes(tenant)) == (State.PROVISIONING, 0, [])

    await go(tenant)
    await tenant.run_for(20 * MINUTE)
    assert (await tenant.activation()).state is State.ACTIVE
    assert tenant.is_held()


async def test_no_mail_tells_the_past_again_before_a_person_says_go(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(RESTORING)
    tenant.ask()
    await tenant.run_for(timedelta(hours=1))
    assert tenant.mailer.mails == []

    await go(tenant)
    await tenant.run_for(20 * MINUTE)
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators can't be activated like this"]


async def test_a_new_request_is_refused_with_the_reason(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(RESTORING)

    tenant.ask()
    await tenant.run()

    activation = await tenant.activation()
    assert (activation.state, [demand.code for demand in activation.unmet]) == (State.REFUSED, ["HG-RESTORING"])
    assert "Restored from Monday" in activation.unmet[0].what


async def test_an_approval_decides_nothing_and_can_be_given_again_afterwards(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)
    await tenant.controls.set(RESTORING)

    answer = await press(tenant, BO.id, card)
    assert "HG-RESTORING" in answer.line
    assert (await tenant.activation()).state is State.PENDING_APPROVAL

    await go(tenant)
    assert (await press(tenant, BO.id, card, request="press-2")).line == "Approved."
    assert tenant.is_held()


async def test_a_start_waits_and_gives_what_is_left_of_its_time(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start=(tenant.clock.now() + timedelta(hours=1)).isoformat(), duration="PT4H")
    await tenant.run()
    await tenant.controls.set(RESTORING)

    await tenant.run_for(timedelta(hours=2))
    assert (await tenant.activation()).state is State.SCHEDULED

    await go(tenant)
    await tenant.run_for(20 * MINUTE)
    activation = await tenant.activation()
    assert activation.state is State.ACTIVE
    assert activation.ends_at == ARBITRARY_MORNING + timedelta(hours=5)


@pytest.mark.parametrize("calm", [False, True])
async def test_without_a_restore_all_of_it_happens_at_once(tenant: FakeTenant, *, calm: bool) -> None:
    await tenant.open(approval=None)
    if not calm:
        tenant.directory.faults["remove"] = [TryAgain("the directory", after=MINUTE, fault=True)]
    tenant.ask(duration="PT1H")

    await tenant.run_for(timedelta(hours=1, minutes=10))

    assert not tenant.is_held()
    assert len(tenant.subjects(ADA)) == 2
