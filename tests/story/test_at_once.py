"""What happens at the same time: deliveries, decisions, holds."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from access.errors import TryAgain
from access.model import Eligibility, State
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, CY, OWNER, FakeTenant
from tests.story.acts import again, pending, press


async def test_the_same_message_delivered_to_two_workers_at_once_has_one_effect(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    message = tenant.ask()
    tenant.bus.messages.clear()

    await asyncio.gather(tenant.deliver(message), tenant.deliver(message))
    await tenant.run()

    assert len(await tenant.activations()) == 1
    assert await tenant.events() == ["activation.accepted", "activation.provisioned"]


async def test_two_approvers_who_press_in_the_same_instant_make_one_decision(tenant: FakeTenant) -> None:
    await pending(tenant)
    cards = tenant.card_of(BO), tenant.card_of(CY)

    answers = await asyncio.gather(
        press(tenant, BO.id, cards[0], "approve"), press(tenant, CY.id, cards[1], "deny", request="press-2")
    )

    assert sorted(answer.line for answer in answers)[1] == "This was decided or closed already. (HG-DECISION-TAKEN)"
    decided = [event for event in await tenant.events() if event in {"approval.approved", "approval.denied"}]
    assert len(decided) == 1


async def test_two_requests_for_one_role_that_are_accepted_in_one_instant_have_one_of_them_given(
    tenant: FakeTenant,
) -> None:
    await tenant.open(approval=None)
    messages = tenant.ask(duration="PT1H"), tenant.ask(message_id="m-2", requestId="run-2", duration="PT3H")
    tenant.bus.messages.clear()

    await asyncio.gather(*(tenant.deliver(message) for message in messages))
    assert [one.state for one in await tenant.activations()] == [State.PROVISIONING, State.PROVISIONING]
    await tenant.run()

    given, failed = sorted(await tenant.activations(), key=lambda one: one.state)
    assert (given.state, failed.state) == (State.ACTIVE, State.FAILED)
    assert [demand.code for demand in failed.unmet] == ["HG-ALREADY-ACTIVE"]
    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    assert (list(hold.live), hold.asked) == ([given.id], 1)
    assert min(tenant.subjects(ADA)) == "Hourglass: Backup Operators could not be granted"

    await tenant.run_for(timedelta(hours=3, minutes=10))
    assert not tenant.is_held()
    assert (await again(tenant, given)).ended_how == "proven_gone"


async def test_who_claims_in_the_same_instant_is_found_by_the_one_who_writes_second(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    messages = tenant.ask(), tenant.ask(message_id="m-2", requestId="run-2", duration="PT3H")
    tenant.bus.messages.clear()
    await asyncio.gather(*(tenant.deliver(message) for message in messages))
    nudges = [message for message in tenant.bus.messages if message.queue == "provisioning"]
    for nudge in nudges:
        tenant.bus.messages.remove(nudge)

    await asyncio.gather(*(tenant.deliver(nudge) for nudge in nudges))
    await tenant.run()

    assert sorted(one.state for one in await tenant.activations()) == [State.ACTIVE, State.FAILED]
    assert [call for call, _, _ in tenant.directory.calls].count("assign") == 1


async def test_an_activation_that_is_ending_is_in_no_ones_way(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T10:00:00Z")  # allowed now, and due while the first one is ending
    tenant.ask(message_id="m-2", requestId="run-2", duration="PT1H")
    await tenant.run()
    fault = TryAgain("the directory (503)", after=timedelta(minutes=1), fault=True)
    tenant.directory.faults["remove"] = [fault] * 3

    await tenant.run_for(timedelta(hours=1, minutes=20))

    states = sorted(one.state for one in await tenant.activations())
    assert states == [State.ACTIVE, State.ENDED]
    assert tenant.is_held()


async def test_two_roles_that_give_one_group_end_one_after_the_other(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    other = replace(tenant.role, key="restore-operators", name="Restore Operators", version=0)
    await tenant.register.put_role(other, OWNER)
    await tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role=other.key), OWNER)
    tenant.ask(duration="PT1H")
    tenant.ask(message_id="m-2", requestId="run-2", role=other.key, duration="PT3H")
    await tenant.run()

    await tenant.run_for(timedelta(hours=1, minutes=5))
    assert tenant.is_held()
    assert sorted(one.state for one in await tenant.activations()) == [State.ACTIVE, State.ENDED]

    await tenant.run_for(timedelta(hours=2, minutes=5))
    assert not tenant.is_held()
    assert {one.ended_how for one in await tenant.activations()} == {"others_hold", "proven_gone"}
