"""What happens at the same time: deliveries, decisions, holds."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from access.model import Eligibility, State
from tests.fakes.tenant import ADA_ADMIN, BO, CY, OWNER, FakeTenant
from tests.story.acts import pending, press


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

    assert sorted(answer.line for answer in answers)[1] == "This was decided already. (HG-DECISION-TAKEN)"
    decided = [event for event in await tenant.events() if event in {"approval.approved", "approval.denied"}]
    assert len(decided) == 1


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
