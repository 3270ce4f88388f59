"""The main job on in-memory ports: ask, decide, give, end, prove; and each law where it shows."""

import json
from datetime import timedelta

from access.errors import DirectoryRefused, TryAgain
from access.model import State
from tests.fakes.clock import ARBITRARY_MORNING
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT, APPROVERS, BO, CY, DEE, ELIGIBLE, GROUP, FakeTenant
from tests.story.acts import pending, press

MINUTE = timedelta(minutes=1)


async def test_an_approved_request_is_held_until_its_end_and_proven_gone_after_it(tenant: FakeTenant) -> None:
    await pending(tenant)
    assert (await tenant.activation()).state is State.PENDING_APPROVAL
    assert not tenant.is_held()

    answer = await press(tenant, BO.id, tenant.card_of(BO), note="ok")

    assert (answer.status, answer.line) == (200, "Approved.")
    active = await tenant.activation()
    assert active.state is State.ACTIVE
    assert active.ends_at == tenant.clock.now() + timedelta(hours=2)
    assert tenant.is_held()

    await tenant.run_for(timedelta(hours=2, minutes=10))

    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()
    assert await tenant.events() == [
        "activation.requested",
        "approval.asked",
        "approval.approved",
        "activation.provisioned",
        "activation.end_due",
        "removal.proven",
    ]
    assert tenant.subjects(ADA) == [
        "Hourglass: Backup Operators is active until 2026-03-02 11:00 UTC",
        "Hourglass: Backup Operators has ended",
    ]


async def test_everything_that_was_written_for_the_sweep_is_gone_when_all_is_done(tenant: FakeTenant) -> None:
    await pending(tenant)
    await press(tenant, BO.id, tenant.card_of(BO))
    await tenant.run_for(timedelta(hours=25))

    due = [row for (table, _), rows in tenant.tables.rows.items() if table == "due" for row in rows]
    activation = await tenant.activation()
    outbox = [key for key in tenant.tables.rows["activations", activation.id] if key.startswith("out-")]
    assert (due, outbox) == ([], [])


async def test_only_approvers_who_are_somebody_else_are_asked_and_each_once(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.directory.add_account(ADA_EXT)

    assert [len(tenant.mailer.to(account.mail or "")) for account in (BO, CY, ADA_EXT, ADA, DEE)] == [1, 1, 1, 0, 0]


async def test_a_request_without_approval_is_given_at_once(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    assert (await tenant.activation()).state is State.ACTIVE
    assert tenant.is_held()


async def test_the_same_message_twice_has_one_effect(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    tenant.ask()
    await tenant.run()

    assert len(await tenant.activations()) == 1
    assert [call for call, _, _ in tenant.directory.calls].count("assign") == 1
    assert len(tenant.subjects(ADA)) == 1


async def test_the_same_id_with_other_content_is_set_aside(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    tenant.ask(message_id="m-2", duration="PT7H")
    await tenant.run()

    assert tenant.quarantine.codes == ["HG-ID-REUSED"]
    assert (await tenant.activation()).duration == timedelta(hours=2)


async def test_a_refusal_names_everything_that_is_unmet(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(duration="PT9H", justification="")
    await tenant.run()

    refused = await tenant.activation()
    assert refused.state is State.REFUSED
    assert [demand.code for demand in refused.unmet] == ["HG-DURATION-TOO-LONG", "HG-JUSTIFICATION-MISSING"]
    (mail,) = tenant.mailer.to(ADA.mail or "")
    assert "HG-DURATION-TOO-LONG" in mail.html
    assert "HG-JUSTIFICATION-MISSING" in mail.html


async def test_a_refusal_is_given_once_however_often_it_is_asked_for(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(justification="")
    await tenant.run()
    tenant.ask(justification="")
    await tenant.run()

    assert len(tenant.mailer.to(ADA.mail or "")) == 1


async def test_a_validation_says_what_would_be_decided_and_does_nothing(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(action="validate")
    await tenant.run()

    assert await tenant.activations() == []
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators could be activated"]


async def test_nobody_approves_for_themselves_with_a_second_account(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(ADA_EXT)
    linked = tenant.directory.accounts[ADA_EXT.id]
    tenant.directory.add_account(
        type(linked)(**{**{f: getattr(linked, f) for f in linked.__dataclass_fields__}, "employee_id": "E1"})
    )

    answer = await press(tenant, ADA_EXT.id, card)

    assert answer.status == 403
    assert "HG-DECISION-SELF" in answer.line
    assert (await tenant.activation()).state is State.PENDING_APPROVAL


async def test_a_card_of_another_approver_can_not_be_used(tenant: FakeTenant) -> None:
    await pending(tenant)

    answer = await press(tenant, CY.id, tenant.card_of(BO))

    assert (answer.status, answer.line.endswith("(HG-CARD-NOT-YOURS)")) == (403, True)
    assert not tenant.is_held()


async def test_an_approver_who_left_the_group_can_not_use_an_old_mail(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.directory.take_member(APPROVERS, BO.id)

    answer = await press(tenant, BO.id, tenant.card_of(BO))

    assert answer.status == 403
    assert "HG-DECISION-NOT-APPROVER" in answer.line


async def test_a_link_between_accounts_that_can_not_be_read_refuses_the_decision(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)
    tenant.directory.faults["linked_accounts"] = [TryAgain("the directory", after=MINUTE, fault=True)]

    answer = await press(tenant, BO.id, card)

    assert answer.status == 503
    assert (await tenant.activation()).state is State.PENDING_APPROVAL


async def test_the_second_decider_is_told_that_it_is_decided(tenant: FakeTenant) -> None:
    await pending(tenant)
    cards = tenant.card_of(BO), tenant.card_of(CY)

    await press(tenant, BO.id, cards[0], "deny", note="not today")
    answer = await press(tenant, CY.id, cards[1], request="press-2")

    assert (answer.status, answer.line) == (200, "This was decided or closed already. (HG-DECISION-TAKEN)")
    assert "Denied by Bo" in json.dumps(answer.card)
    assert (await tenant.activation()).state is State.DENIED
    assert tenant.subjects(CY)[-1] == "Hourglass: Decided: Ada, Backup Operators"


async def test_a_double_press_decides_once(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)

    first = await press(tenant, BO.id, card)
    second = await press(tenant, BO.id, card)

    assert (first.status, second.status) == (200, 200)
    assert (await tenant.events()).count("approval.approved") == 1


async def test_eligibility_is_asked_for_again_at_the_approval(tenant: FakeTenant) -> None:
    await pending(tenant)
    tenant.directory.take_member(ELIGIBLE, ADA_ADMIN.id)

    answer = await press(tenant, BO.id, tenant.card_of(BO))

    assert "HG-NOT-ELIGIBLE" in answer.line
    assert (await tenant.activation()).state is State.CANCELED
    assert not tenant.is_held()


async def test_a_request_that_nobody_decides_lapses(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)

    await tenant.run_for(timedelta(hours=24, minutes=2))

    assert (await tenant.activation()).state is State.LAPSED
    assert tenant.subjects(ADA) == ["Hourglass: Nobody decided about Backup Operators in time"]
    assert "HG-CARD-TOO-LATE" in (await press(tenant, BO.id, card)).line


async def test_what_was_held_before_is_still_held_after(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)
    tenant.ask()
    await tenant.run()
    assert (await tenant.activation()).held_before

    await tenant.run_for(timedelta(hours=3))

    assert (await tenant.activation()).state is State.ENDED
    assert tenant.is_held()
    assert "remove" not in [call for call, _, _ in tenant.directory.calls]


async def test_a_message_lost_at_the_end_is_found_by_the_sweep(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()
    tenant.bus.messages.clear()

    await tenant.run_for(timedelta(hours=2, minutes=10))

    assert not tenant.is_held()
    assert (await tenant.activation()).state is State.ENDED


async def test_a_removal_that_fails_is_tried_until_it_is_proven(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()
    tenant.directory.faults["remove"] = [TryAgain("the directory (503)", after=MINUTE, fault=True)] * 7

    await tenant.run_for(timedelta(hours=5))

    assert not tenant.is_held()
    assert (await tenant.activation()).state is State.ENDED
    assert (await tenant.events()).count("removal.delayed") == 1


async def test_a_worker_that_dies_between_the_grant_and_its_record_leaves_nothing_behind(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    tenant.directory.after_faults["assign"] = [KeyboardInterrupt()]  # type: ignore[list-item] # the process dies here
    try:
        await tenant.run()
    except KeyboardInterrupt:
        tenant.bus.messages.clear()
    assert tenant.is_held()
    assert (await tenant.activation()).state is State.PROVISIONING

    await tenant.run_for(timedelta(minutes=5))
    assert (await tenant.activation()).state is State.ACTIVE

    await tenant.run_for(timedelta(hours=2, minutes=10))
    assert not tenant.is_held()
    assert (await tenant.activation()).state is State.ENDED


async def test_a_grant_that_the_directory_refuses_for_good_fails_and_is_told(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.faults["assign"] = [DirectoryRefused("Authorization_RequestDenied")]
    tenant.ask()
    await tenant.run()

    assert (await tenant.activation()).state is State.FAILED
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators could not be granted"]


async def test_what_can_not_be_checked_is_waited_for_and_then_refused(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.directory.faults["groups_among"] = [TryAgain("the directory", after=timedelta(seconds=5), fault=True)] * 99
    tenant.ask()

    await tenant.run_for(timedelta(hours=1))

    refused = await tenant.activation()
    assert refused.state is State.REFUSED
    assert [demand.code for demand in refused.unmet] == ["HG-COULD-NOT-CHECK"]


async def test_a_start_in_the_future_is_given_when_it_comes(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T12:00:00Z")
    await tenant.run()
    assert (await tenant.activation()).state is State.SCHEDULED
    assert not tenant.is_held()

    await tenant.run_for(timedelta(hours=3, minutes=1))
    assert tenant.is_held()

    await tenant.run_for(timedelta(hours=2, minutes=10))
    assert not tenant.is_held()


async def test_an_approval_after_the_wanted_start_starts_at_once_and_ends_as_planned(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(start="2026-03-02T10:00:00Z")
    await tenant.run()
    card = tenant.card_of(BO)
    await tenant.run_for(timedelta(hours=1, minutes=30))

    await press(tenant, BO.id, card)

    active = await tenant.activation()
    assert (active.state, active.ends_at) == (State.ACTIVE, ARBITRARY_MORNING + timedelta(hours=3))
    await tenant.run_for(timedelta(hours=1, minutes=35))
    assert not tenant.is_held()


async def test_an_outage_of_the_bus_loses_nothing(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    message = tenant.ask()
    tenant.bus.messages.clear()
    tenant.bus.down = True
    await tenant.deliver(message)
    assert (await tenant.activation()).state is State.PROVISIONING
    tenant.bus.down = False

    await tenant.run_for(timedelta(minutes=2))

    assert (await tenant.activation()).state is State.ACTIVE


async def test_a_lagging_directory_delays_and_never_misleads(tenant: FakeTenant) -> None:
    tenant.directory.lag = timedelta(seconds=45)
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run_for(timedelta(minutes=4))
    assert (await tenant.activation()).state is State.ACTIVE
    assert not (await tenant.activation()).held_before

    await tenant.run_for(timedelta(hours=2, minutes=10))

    assert not tenant.is_held()
    assert (await tenant.activation()).state is State.ENDED


async def test_one_role_is_not_active_twice_for_one_account(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()
    tenant.ask(requestId="run-2", message_id="m-2")
    await tenant.run()

    states = sorted(activation.state for activation in await tenant.activations())
    assert states == [State.ACTIVE, State.REFUSED]


async def test_an_assignment_that_may_be_by_hand_is_removed_and_audit_and_requester_hear_that_ownership_was_unsure(
    tenant: FakeTenant,
) -> None:
    await tenant.open(approval=None)
    tenant.directory.after_faults["assign"] = [TryAgain("the directory", after=MINUTE, fault=True)]
    tenant.ask(duration="PT10M")

    await tenant.run_for(20 * MINUTE)

    activation = await tenant.activation()
    assert (activation.state, activation.ownership_unsure) == (State.ENDED, True)
    assert not tenant.is_held()
    rows = tenant.tables.rows["activations", activation.id].values()
    given = next(row for row in rows if row.values.get("event") == "activation.provisioned")
    assert json.loads(str(given.values["details"]))["ownership_unsure"] is True
    unsure = [mail.subject for mail in tenant.mailer.to(ADA.mail or "") if "by hand" in mail.html]
    assert ["is active" in unsure[0], "has ended" in unsure[1], len(unsure)] == [True, True, 2]


async def test_an_assignment_that_was_asked_for_once_is_surely_ours(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT10M")

    await tenant.run_for(20 * MINUTE)

    assert (await tenant.activation()).ownership_unsure is False
    assert not any("by hand" in mail.html for mail in tenant.mailer.to(ADA.mail or ""))
