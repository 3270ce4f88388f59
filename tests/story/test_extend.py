"""More time: in place up to the role's maximum, never less; or by approval, as an activation on top of the first one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from access import ids
from access.adapters import keys
from access.model import (
    Account,
    Activation,
    ApprovalDemand,
    Door,
    Eligibility,
    Scope,
    State,
    Stop,
    Target,
    TicketDemand,
)
from tests.fakes.bus import FakeMessage
from tests.fakes.clock import ARBITRARY_MORNING as MORNING
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tenant import (
    ADA,
    ADA_ADMIN,
    ADA_EXT,
    APPROVERS,
    BO,
    CY,
    DEE,
    ELIGIBLE,
    GROUP,
    OWNER,
    ROLE,
    FakeTenant,
)
from tests.story.acts import active, again, events_of, pending, press, refusal, say

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WHY = "It takes longer"


def more(tenant: FakeTenant, duration: object = "PT1H", **fields: object) -> FakeMessage:
    """Ada asks for more time, with a reason."""
    return say(tenant, "extend", **{"duration": duration, "justification": WHY, **fields})  # type: ignore[arg-type] # by name


async def refused_more(tenant: FakeTenant, duration: object = "PT1H", **fields: object) -> list[str]:
    """Ask for more time in vain; what is held ends when it did."""
    (given,) = await tenant.activations()
    more(tenant, duration, **fields)
    await tenant.run()
    assert (await again(tenant, given)).ends_at == given.ends_at
    return await refusal(tenant)


async def test_an_extension_moves_the_end_and_the_old_alarm_finds_nothing_to_do(tenant: FakeTenant) -> None:
    given = await active(tenant)
    await tenant.run_for(HOUR)

    more(tenant)
    await tenant.run()

    longer = await again(tenant, given)
    assert (longer.state, longer.ends_at, longer.duration) == (State.ACTIVE, MORNING + 3 * HOUR, 3 * HOUR)
    assert tenant.subjects(ADA)[-1] == "Hourglass: Backup Operators stays active until 2026-03-02 12:00 UTC"
    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    assert hold.live == {given.id: MORNING + 3 * HOUR}

    await tenant.run_for(HOUR + 30 * MINUTE)
    assert tenant.is_held(), "the message of the old end did nothing"
    assert await events_of(tenant, given) == ["activation.accepted", "activation.provisioned", "activation.extended"]

    await tenant.run_for(40 * MINUTE)
    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()


async def test_an_extension_reaches_to_the_maximum_and_not_a_second_further(tenant: FakeTenant) -> None:
    given = await active(tenant)

    more(tenant, "PT6H")
    await tenant.run()
    assert (await again(tenant, given)).ends_at == MORNING + 8 * HOUR

    more(tenant, "PT1S", request="run-3")
    await tenant.run()
    assert await refusal(tenant) == ["HG-DURATION-TOO-LONG"]
    assert "Use it until it ends" in tenant.mailer.to(ADA.mail or "")[-1].html
    assert (await again(tenant, given)).ends_at == MORNING + 8 * HOUR


async def test_what_is_too_long_is_told_with_what_is_left(tenant: FakeTenant) -> None:
    await active(tenant)

    assert await refused_more(tenant, "PT7H") == ["HG-DURATION-TOO-LONG"]
    assert "at most 6 h more" in tenant.mailer.to(ADA.mail or "")[-1].html


async def test_a_maximum_that_is_lower_now_shortens_nothing(tenant: FakeTenant) -> None:
    await active(tenant)
    lower = replace(tenant.role, maximum_duration=HOUR, default_duration=HOUR)
    await tenant.register.put_role(lower, OWNER)

    assert await refused_more(tenant) == ["HG-DURATION-TOO-LONG"]


@pytest.mark.parametrize("duration", ["-PT1H", 0, -1, "soon", None], ids=str)
async def test_what_is_no_longer_time_is_refused(tenant: FakeTenant, duration: object) -> None:
    await active(tenant)

    assert await refused_more(tenant, duration) == ["HG-DURATION-INVALID"]


async def test_every_demand_that_is_not_met_any_more_is_listed_at_once(tenant: FakeTenant) -> None:
    await active(tenant)
    tenant.directory.take_member(ELIGIBLE, ADA_ADMIN.id)
    tenant.directory.add_account(replace(ADA_ADMIN, enabled=False))
    settings = replace(tenant.role, accepts=frozenset({Door.SIGNED_IN}), ticket=TicketDemand())
    await tenant.register.put_role(settings, OWNER)

    assert await refused_more(tenant, "PT7H", justification=None) == [
        "HG-PRINCIPAL-DISABLED",
        "HG-DOOR-NOT-ACCEPTED",
        "HG-DURATION-TOO-LONG",
        "HG-JUSTIFICATION-MISSING",
        "HG-TICKET-MISSING",
        "HG-NOT-ELIGIBLE",
    ]


async def test_the_eligibility_must_reach_to_the_new_end(tenant: FakeTenant) -> None:
    await active(tenant)
    until = Eligibility(principal=ELIGIBLE, role=ROLE, through_group=True, ends_at=MORNING + 2.5 * HOUR)
    await tenant.register.put_eligibility(until, OWNER)

    assert await refused_more(tenant) == ["HG-ELIGIBILITY-ENDS-FIRST"]
    assert "at most 30 min" in tenant.mailer.to(ADA.mail or "")[-1].html


async def test_a_role_that_was_removed_is_not_extended(tenant: FakeTenant) -> None:
    await active(tenant)
    await tenant.register.remove_role(ROLE, OWNER)

    assert await refused_more(tenant) == ["HG-ROLE-UNKNOWN"]


async def test_a_role_whose_group_was_deleted_is_not_extended(tenant: FakeTenant) -> None:
    await active(tenant)
    tenant.directory.remove_group(GROUP)

    assert await refused_more(tenant) == ["HG-ROLE-TARGET-GONE"]


@pytest.mark.parametrize("stranger", [BO, DEE, ADA_EXT], ids=["an approver", "a stranger", "an account nobody linked"])
async def test_nobody_else_extends_it(tenant: FakeTenant, stranger: Account) -> None:
    given = await active(tenant)

    more(tenant, requester=stranger.user_principal_name, activation=given.id)
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-NOT-YOURS"]
    assert (await again(tenant, given)).ends_at == given.ends_at


async def test_a_disabled_account_extends_nothing(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.directory.add_account(replace(ADA, enabled=False))

    more(tenant)
    await tenant.run()

    assert (await again(tenant, given)).ends_at == given.ends_at
    assert {demand.code for one in await tenant.activations() for demand in one.unmet} == {"HG-REQUESTER-DISABLED"}


async def test_what_waits_for_a_decision_is_not_extended(tenant: FakeTenant) -> None:
    await pending(tenant)

    more(tenant)
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-EXTEND"]


async def test_at_the_very_end_there_is_nothing_left_to_extend(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.clock.advance(2 * HOUR)
    tenant.bus.messages.clear()

    more(tenant)
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-EXTEND"]
    assert (await again(tenant, given)).ends_at == given.ends_at


async def test_an_end_that_is_committed_meanwhile_has_the_extension_decided_again(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.clock.advance(2 * HOUR - timedelta(seconds=1))
    message = more(tenant)
    tenant.bus.messages.remove(message)
    give_back = say(tenant, "deactivate", request="run-3")
    tenant.bus.messages.remove(give_back)

    await asyncio.gather(tenant.deliver(message), tenant.deliver(give_back))
    await tenant.run_for(10 * MINUTE)

    ended = await again(tenant, given)
    assert (ended.state, tenant.is_held()) == (State.ENDED, False)
    was_extended = "activation.extended" in await events_of(tenant, given)
    assert was_extended != (await refusals(tenant) == [["HG-NOTHING-TO-EXTEND"]])


class MeanwhileDirectory(FakeDirectory):
    """Has something happen while the rules are looked up, once."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def target_exists(self, target: Target) -> bool:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return await super().target_exists(target)


async def test_an_end_that_is_committed_while_the_rules_are_asked_wins() -> None:
    clock = FakeClock()
    directory = MeanwhileDirectory(clock)
    tenant = FakeTenant(clock=clock, directory=directory)
    given = await active(tenant)
    await tenant.run_for(2 * HOUR - timedelta(seconds=1), sweeping=False)
    message = more(tenant)
    tenant.bus.messages.remove(message)

    async def the_end_comes() -> None:
        await tenant.run_for(MINUTE)

    directory.meanwhile = the_end_comes
    await tenant.deliver(message)
    await tenant.run_for(5 * MINUTE)

    assert (await events_of(tenant, given)).count("activation.extended") == 0
    assert await refusal(tenant) == ["HG-NOTHING-TO-EXTEND"]
    assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ENDED, False)


async def test_while_granting_is_stopped_nothing_lasts_longer(tenant: FakeTenant) -> None:
    await active(tenant)
    stop = Stop(scope=Scope(role=ROLE), by="eve", through="direct", at=MORNING, reason="Incident 4711")
    await tenant.controls.set(stop)

    assert await refused_more(tenant) == ["HG-GRANTING-STOPPED"]


async def refusals(tenant: FakeTenant) -> list[list[str]]:
    """Return the codes of each refusal there is."""
    found = await tenant.activations()
    return [[demand.code for demand in one.unmet] for one in found if one.state is State.REFUSED]


async def test_the_same_message_twice_extends_once(tenant: FakeTenant) -> None:
    given = await active(tenant)
    message = more(tenant)
    tenant.bus.messages.remove(message)

    await asyncio.gather(tenant.deliver(message), tenant.deliver(message))
    await tenant.deliver(message)
    await tenant.run()

    assert (await again(tenant, given)).ends_at == MORNING + 3 * HOUR
    assert (await events_of(tenant, given)).count("activation.extended") == 1
    assert len(tenant.subjects(ADA)) == 2


async def old_end_in_hold(tenant: FakeTenant, given: Activation) -> None:
    """Put the hold back to the end before the extension: its worker died before that write."""
    rows = tenant.tables.rows["holds", ids.hold_id(ADA_ADMIN.id, tenant.role.target)]
    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    assert given.ends_at is not None
    await tenant.store.write_hold(replace(hold, live={given.id: given.ends_at}))
    assert keys.HOLD in rows


async def test_a_hold_that_missed_the_new_end_is_made_up_for_by_a_second_delivery(tenant: FakeTenant) -> None:
    given = await active(tenant)
    message = more(tenant)
    await tenant.run()
    await old_end_in_hold(tenant, given)

    await tenant.deliver(message)

    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    assert hold.live == {given.id: MORNING + 3 * HOUR}


async def test_nothing_depends_on_the_end_that_the_hold_shows(tenant: FakeTenant) -> None:
    given = await active(tenant)
    more(tenant)
    await tenant.run()
    await old_end_in_hold(tenant, given)

    await tenant.run_for(2 * HOUR + 30 * MINUTE)
    assert tenant.is_held()

    await tenant.run_for(40 * MINUTE)
    assert not tenant.is_held()
    assert (await again(tenant, given)).state is State.ENDED


# By approval


async def asked_for_more(tenant: FakeTenant, **fields: object) -> tuple[Activation, Activation]:
    """Return what Ada holds for two hours, and the extension by an hour that its approvers are asked for."""
    await pending(tenant)
    await press(tenant, BO.id, tenant.card_of(BO))
    (given,) = await tenant.activations()
    await tenant.run_for(HOUR)
    more(tenant, **fields)
    await tenant.run()
    (extension,) = [one for one in await tenant.activations() if one.id != given.id]
    return given, extension


async def test_an_extension_that_needs_approval_is_asked_for_as_one(tenant: FakeTenant) -> None:
    given, extension = await asked_for_more(tenant)

    assert (extension.state, extension.extends, extension.action) == (State.PENDING_APPROVAL, given.id, "extend")
    assert (extension.ends_at, extension.lapses_at) == (MORNING + 3 * HOUR, MORNING + 2 * HOUR)
    assert (await again(tenant, given)).ends_at == MORNING + 2 * HOUR
    mail = tenant.mailer.to(CY.mail or "")[-1]
    assert mail.subject == "Hourglass: Ada wants more time for Backup Operators"
    for text in ("How much longer", "Active until", "2026-03-02 11:00 UTC", "Then until", "2026-03-02 12:00 UTC"):
        assert text in mail.html


async def test_an_approved_extension_is_held_on_top_and_the_first_one_ends_without_a_removal(
    tenant: FakeTenant,
) -> None:
    given, extension = await asked_for_more(tenant)

    answer = await press(tenant, BO.id, tenant.card_of(BO), request="press-2")

    assert answer.line == "Approved."
    assert (await again(tenant, extension)).state is State.ACTIVE
    assert tenant.subjects(ADA)[-1] == "Hourglass: Backup Operators stays active until 2026-03-02 12:00 UTC"

    await tenant.run_for(HOUR + 10 * MINUTE)
    ended = await again(tenant, given)
    assert (ended.state, ended.ended_how, tenant.is_held()) == (State.ENDED, "others_hold", True)

    await tenant.run_for(HOUR)
    assert (await again(tenant, extension)).ended_how == "proven_gone"
    assert not tenant.is_held()
    assert [call for call, _, _ in tenant.directory.calls].count("remove") == 1


async def test_an_extension_that_is_denied_leaves_the_end_where_it_was(tenant: FakeTenant) -> None:
    given, extension = await asked_for_more(tenant)

    await press(tenant, BO.id, tenant.card_of(BO), "deny", request="press-2")
    assert tenant.subjects(ADA)[-1] == "Hourglass: More time for Backup Operators was denied"
    await tenant.run_for(HOUR + 10 * MINUTE)

    assert (await again(tenant, extension)).state is State.DENIED
    assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ENDED, False)


async def test_an_extension_that_nobody_decides_lapses_with_what_it_extends(tenant: FakeTenant) -> None:
    _, extension = await asked_for_more(tenant)

    await tenant.run_for(HOUR + 10 * MINUTE)

    assert (await again(tenant, extension)).state is State.LAPSED
    assert "Hourglass: Nobody decided about more time for Backup Operators in time" in tenant.subjects(ADA)
    assert not tenant.is_held()


async def test_an_extension_that_is_approved_after_the_first_one_ended_gives_nothing(tenant: FakeTenant) -> None:
    given, extension = await asked_for_more(tenant)
    say(tenant, "deactivate", request="run-3", activation=given.id)
    await tenant.run_for(10 * MINUTE)
    assert not tenant.is_held()

    answer = await press(tenant, BO.id, tenant.card_of(BO), request="press-2")

    assert "HG-NOTHING-TO-EXTEND" in answer.line
    assert (await again(tenant, extension)).state is State.CANCELED
    assert not tenant.is_held()
    assert tenant.subjects(ADA)[-1] == "Hourglass: Your request for more time for Backup Operators was closed"


async def test_an_approved_extension_counts_towards_the_maximum_of_the_next(tenant: FakeTenant) -> None:
    await asked_for_more(tenant, duration="PT5H")
    await press(tenant, BO.id, tenant.card_of(BO), request="press-2")
    await tenant.run_for(2 * HOUR)  # only the extension is active now

    more(tenant, "PT2H", request="run-3")
    await tenant.run()
    assert await refusal(tenant) == ["HG-DURATION-TOO-LONG"]
    assert "at most 1 h more" in tenant.mailer.to(ADA.mail or "")[-1].html

    more(tenant, "PT1H", request="run-4")
    await tenant.run()
    (waiting,) = [one for one in await tenant.activations() if one.state is State.PENDING_APPROVAL]
    assert waiting.ends_at == MORNING + 8 * HOUR


async def test_nobody_approves_their_own_extension(tenant: FakeTenant) -> None:
    _, extension = await asked_for_more(tenant)
    card = tenant.card_of(ADA_EXT)
    tenant.directory.add_account(replace(ADA_EXT, employee_id="E1"))

    answer = await press(tenant, ADA_EXT.id, card, request="press-2")

    assert "HG-DECISION-SELF" in answer.line
    assert (await again(tenant, extension)).state is State.PENDING_APPROVAL


async def test_of_two_extensions_of_one_activation_one_is_given(tenant: FakeTenant) -> None:
    given, first = await asked_for_more(tenant)
    more(tenant, "PT2H", request="run-3")
    await tenant.run()
    await press(tenant, CY.id, tenant.card_of(CY), request="press-2")

    answer = await press(tenant, BO.id, card_of_bo(tenant, first), request="press-3")

    assert "HG-ALREADY-ACTIVE" in answer.line
    states = {one.id: one.state for one in await tenant.activations()}
    assert (states[given.id], states[first.id]) == (State.ACTIVE, State.CANCELED)
    assert sorted(states.values()) == [State.ACTIVE, State.ACTIVE, State.CANCELED]


def card_of_bo(tenant: FakeTenant, activation: Activation) -> str:
    """Return Bo's card about this activation."""
    rows = tenant.tables.rows["activations", activation.id]
    nonce = str(rows[keys.decision(BO.id)].values["nonce"])
    assert activation.lapses_at is not None
    return tenant.cards.issue(activation=activation.id, approver=BO.id, nonce=nonce, expires_at=activation.lapses_at)


async def test_a_role_that_asks_for_approval_since_then_has_the_extension_approved(tenant: FakeTenant) -> None:
    given = await active(tenant)
    await tenant.register.put_role(replace(tenant.role, approval=ApprovalDemand(groups=(APPROVERS,))), OWNER)

    more(tenant)
    await tenant.run()

    assert (await again(tenant, given)).ends_at == MORNING + 2 * HOUR
    (waiting,) = [one for one in await tenant.activations() if one.state is State.PENDING_APPROVAL]
    assert waiting.extends == given.id
