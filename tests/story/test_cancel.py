"""Taking a request back: while it waits it is closed at once, while it is being given it ends with a proof."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import TryAgain
from access.model import Account, Activation, Cause, State
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT, BO, CY, DEE, GROUP, OWNER, ROLE, FakeTenant
from tests.story.acts import active, again, events_of, pending, press, refusal, say

MINUTE = timedelta(minutes=1)


async def scheduled(tenant: FakeTenant) -> Activation:
    """Ada's admin account gets the role at noon."""
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T12:00:00Z")
    await tenant.run()
    return await tenant.activation()


async def test_a_request_that_waits_for_a_decision_is_closed_and_everybody_asked_hears_it_once(
    tenant: FakeTenant,
) -> None:
    await pending(tenant)
    message = say(tenant, "cancel", justification="Not needed")

    await tenant.run()
    await tenant.deliver(message)
    await tenant.run_for(26 * 60 * MINUTE)

    closed = await tenant.activation()
    assert (closed.state, closed.cause, closed.ended_by) == (State.CANCELED, Cause.CANCELED, ADA.id)
    assert closed.end_reason == "Not needed"
    assert await tenant.events() == ["activation.requested", "approval.asked", "activation.canceled"]
    assert tenant.subjects(ADA) == ["Hourglass: Your request for Backup Operators was cancelled"]
    for approver in (BO, CY, ADA_EXT):
        (asked, told) = tenant.mailer.to(approver.mail or "")
        assert asked.subject == "Hourglass: Ada wants to activate Backup Operators"
        assert "Cancelled by who asked, before it was granted." in told.html


async def test_a_card_of_a_request_that_was_cancelled_says_so(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)
    say(tenant, "cancel")
    await tenant.run()

    answer = await press(tenant, BO.id, card)

    assert (answer.status, answer.line) == (200, "This was decided or closed already. (HG-DECISION-TAKEN)")
    assert "Cancelled by who asked" in str(answer.card)
    assert not tenant.is_held()


async def test_what_starts_later_is_closed_and_never_starts(tenant: FakeTenant) -> None:
    later = await scheduled(tenant)

    say(tenant, "cancel", activation=later.id)
    await tenant.run_for(4 * 60 * MINUTE)

    assert (await again(tenant, later)).state is State.CANCELED
    assert ("assign", ADA_ADMIN.id, GROUP) not in tenant.directory.calls
    assert tenant.subjects(ADA) == ["Hourglass: Your request for Backup Operators was cancelled"]


async def test_what_is_being_given_ends_with_a_proof(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.after_faults["assign"] = [TryAgain("the directory", after=MINUTE, fault=True)]
    tenant.ask()
    await tenant.run()
    giving = await tenant.activation()
    assert giving.state is State.PROVISIONING
    assert tenant.is_held()

    say(tenant, "cancel")
    await tenant.run_for(10 * MINUTE)

    ended = await again(tenant, giving)
    assert (ended.state, ended.cause) == (State.ENDED, Cause.CANCELED)
    assert not tenant.is_held()
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators has ended"]


async def test_what_is_active_is_given_back_not_cancelled(tenant: FakeTenant) -> None:
    given = await active(tenant)

    say(tenant, "cancel")
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-CANCEL"]
    assert "Send deactivate" in tenant.mailer.to(ADA.mail or "")[-1].html
    assert (await again(tenant, given)).state is State.ACTIVE


@pytest.mark.parametrize("stranger", [BO, DEE, ADA_EXT], ids=["an approver", "a stranger", "an account nobody linked"])
async def test_nobody_else_cancels_it(tenant: FakeTenant, stranger: Account) -> None:
    await pending(tenant)
    waiting = await tenant.activation()

    say(tenant, "cancel", requester=stranger.user_principal_name, activation=waiting.id)
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-NOT-YOURS"]
    assert (await again(tenant, waiting)).state is State.PENDING_APPROVAL


async def test_a_request_for_a_role_that_was_removed_is_cancelled_all_the_same(tenant: FakeTenant) -> None:
    await pending(tenant)
    await tenant.register.remove_role(ROLE, OWNER)

    say(tenant, "cancel")
    await tenant.run()

    assert (await tenant.activation()).state is State.CANCELED


async def test_of_two_that_wait_one_must_be_named(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.ask(requestId="run-9", message_id="m-9", duration="PT1H")
    await tenant.run()
    waiting = [one.id for one in await tenant.activations()]

    say(tenant, "cancel")
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-AMBIGUOUS"]
    mail = tenant.mailer.to(ADA.mail or "")[-1]
    assert all(activation in mail.html for activation in waiting)

    say(tenant, "cancel", request="run-3", activation=waiting[0])
    await tenant.run()

    states = sorted(one.state for one in await tenant.activations())
    assert states == [State.CANCELED, State.PENDING_APPROVAL, State.REFUSED]


async def test_a_cancellation_and_an_approval_in_one_instant_leave_nothing_held_and_the_approver_is_told(
    tenant: FakeTenant,
) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)
    message = say(tenant, "cancel")
    tenant.bus.messages.remove(message)

    answer, _ = await asyncio.gather(press(tenant, BO.id, card), tenant.deliver(message))
    await tenant.run_for(10 * MINUTE)

    (request,) = [one for one in await tenant.activations() if one.state is not State.REFUSED]
    assert not tenant.is_held()
    assert request.cause is Cause.CANCELED
    if "approval.approved" in await events_of(tenant, request):
        assert (answer.line, request.state) == ("Approved.", State.ENDED)
    else:
        assert (answer.line, request.state) == (
            "This was decided or closed already. (HG-DECISION-TAKEN)",
            State.CANCELED,
        )


async def test_an_approval_that_came_first_has_the_cancellation_end_what_it_gives(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.directory.faults["assign"] = [TryAgain("the directory", after=MINUTE, fault=True)] * 3
    await press(tenant, BO.id, tenant.card_of(BO))
    assert (await tenant.activation()).state is State.PROVISIONING

    say(tenant, "cancel")
    await tenant.run_for(10 * MINUTE)

    ended = await tenant.activation()
    assert (ended.state, ended.cause, tenant.is_held()) == (State.ENDED, Cause.CANCELED, False)


async def test_a_lapse_that_came_first_is_not_undone(tenant: FakeTenant) -> None:
    await pending(tenant)
    await tenant.run_for(25 * 60 * MINUTE)

    say(tenant, "cancel")
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-CANCEL"]


async def test_a_disabled_account_cancels_nothing(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.directory.add_account(replace(ADA, enabled=False))

    say(tenant, "cancel")
    await tenant.run()

    refused = [one for one in await tenant.activations() if one.state is State.REFUSED]
    assert [demand.code for demand in refused[0].unmet] == ["HG-REQUESTER-DISABLED"]
