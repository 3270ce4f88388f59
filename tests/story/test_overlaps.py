"""What meets on one target, one person or one instant: the hold decides (docs/lifecycle.md lists them all).

Where two work at once, each is a worker of its own: another process, that shares the tables, the bus and nothing else.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.hold import Before, Phase
from access.model import Activation, Cause, Eligibility, Source, State, Target
from expiry_timer.revoke import Revocation, revoke
from tests.fakes.clock import ARBITRARY_MORNING as MORNING
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, GROUP, OWNER, ROLE, FakeTenant
from tests.story.acts import active, again, events_of, pending, press, say
from tests.story.workers import BEHIND, FrozenLedger, LateDirectory, at_once, taken, worker

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SECOND_ROLE = "restore-operators"
OTHER_GROUP = "99999999-0000-0000-0000-000000000010"
OPS = Revocation(by="eve", through="direct", reason="Incident 4711")


async def with_second_role(tenant: FakeTenant, *, one: str = "PT1H", other: str = "PT3H") -> tuple[Activation, ...]:
    """Two roles that give the same group, both active for Ada's admin account; return both, the tenant's own first."""
    await tenant.open(approval=None)
    second = replace(tenant.role, key=SECOND_ROLE, name="Restore Operators", version=0)
    await tenant.register.put_role(second, OWNER)
    await tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role=second.key), OWNER)
    tenant.ask(duration=one)
    tenant.ask(message_id="m-2", requestId="run-2", role=second.key, duration=other)
    await tenant.run()
    return tuple(sorted(await tenant.activations(), key=lambda found: found.role))


def calls(tenant: FakeTenant, call: str) -> int:
    """How often the directory was asked to do something."""
    return [made for made, _, _ in tenant.directory.calls].count(call)


@pytest.fixture
def late() -> tuple[FakeTenant, LateDirectory]:
    clock = FakeTenant().clock
    directory = LateDirectory(clock)
    return FakeTenant(clock=clock, directory=directory), directory


class TestTwoRolesThatGiveOneGroup:
    @pytest.mark.parametrize("how", ["given back", "revoked"])
    async def test_what_is_ended_early_leaves_the_assignment_to_the_other(self, tenant: FakeTenant, how: str) -> None:
        first, second = await with_second_role(tenant)
        if how == "given back":
            say(tenant, "deactivate", activation=first.id)
        else:
            await revoke(first.id, OPS, store=tenant.store, now=tenant.clock.now())

        await tenant.run_for(10 * MINUTE)

        assert (await again(tenant, first)).ended_how == "others_hold"
        assert ((await again(tenant, second)).state, tenant.is_held()) == (State.ACTIVE, True)
        await tenant.run_for(3 * HOUR)
        assert ((await again(tenant, second)).ended_how, tenant.is_held()) == ("proven_gone", False)
        assert calls(tenant, "remove") == 1

    @BEHIND
    async def test_both_end_in_the_same_second_and_one_of_them_removes(self, tenant: FakeTenant, behind: int) -> None:
        both = await with_second_role(tenant, one="PT1H", other="PT1H")
        tenant.clock.advance_to(MORNING + HOUR)
        one, other = tenant.bus.take(), tenant.bus.take()
        assert one is not None
        assert other is not None
        assert {one.queue, other.queue} == {"expirations"}

        await at_once(worker(tenant).deliver(one), worker(tenant).deliver(other), behind=behind)
        await tenant.run_for(20 * MINUTE)

        ended = [await again(tenant, each) for each in both]
        assert {each.state for each in ended} == {State.ENDED}
        assert sorted(each.ended_how for each in ended) == ["others_hold", "proven_gone"]
        assert not tenant.is_held()

    @BEHIND
    async def test_one_ends_in_the_instant_in_which_the_other_is_given(self, tenant: FakeTenant, behind: int) -> None:
        await tenant.open(approval=None)
        second = replace(tenant.role, key=SECOND_ROLE, name="Restore Operators", version=0)
        await tenant.register.put_role(second, OWNER)
        await tenant.register.put_eligibility(Eligibility(principal=ADA_ADMIN.id, role=second.key), OWNER)
        tenant.ask(duration="PT1H")
        await tenant.run()
        tenant.clock.advance_to(MORNING + HOUR)
        end = tenant.bus.take()
        assert end is not None
        await worker(tenant).deliver(taken(tenant, tenant.ask(message_id="m-2", requestId="run-2", role=second.key)))
        (giving,) = [message for message in tenant.bus.messages if message.queue == "provisioning"]

        await at_once(worker(tenant).deliver(end), worker(tenant).deliver(taken(tenant, giving)), behind=behind)
        await tenant.run_for(30 * MINUTE)

        states = {each.role: each.state for each in await tenant.activations()}
        assert states == {ROLE: State.ENDED, SECOND_ROLE: State.ACTIVE}
        assert tenant.is_held()
        await tenant.run_for(3 * HOUR)
        assert not tenant.is_held()


async def test_two_accounts_of_one_person_hold_a_role_each_for_itself(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.register.put_eligibility(Eligibility(principal=ADA.id, role=ROLE), OWNER)
    tenant.ask(duration="PT1H")
    tenant.ask(message_id="m-2", requestId="run-2", principal=ADA.user_principal_name, duration="PT3H")
    await tenant.run()
    assert tenant.directory.groups[GROUP] == {ADA.id, ADA_ADMIN.id}

    await tenant.run_for(HOUR + 10 * MINUTE)
    assert tenant.directory.groups[GROUP] == {ADA.id}

    await tenant.run_for(2 * HOUR)
    assert tenant.directory.groups[GROUP] == set()
    assert {each.ended_how for each in await tenant.activations()} == {"proven_gone"}


async def test_what_starts_while_the_role_is_active_is_not_given_a_second_time(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T10:00:00Z", duration="PT1H")
    tenant.ask(message_id="m-2", requestId="run-2", duration="PT3H")
    await tenant.run()

    await tenant.run_for(HOUR + 10 * MINUTE)

    later, given = sorted(await tenant.activations(), key=lambda found: found.starts_at is None)
    assert later.state in {State.FAILED, State.CANCELED}
    assert [demand.code for demand in later.unmet] == ["HG-ALREADY-ACTIVE"]
    assert (given.state, tenant.is_held()) == (State.ACTIVE, True)
    await tenant.run_for(2 * HOUR)
    assert not tenant.is_held()


class TestARemovalInFlight:
    async def test_it_lands_late_and_does_not_take_what_was_given_after_it(
        self, late: tuple[FakeTenant, LateDirectory]
    ) -> None:
        tenant, directory = late
        given = await active(tenant)
        await tenant.run_for(10 * MINUTE)  # so long that the ask has landed, and a read proves an end at once
        directory.loses = "remove"
        say(tenant, "deactivate")
        await tenant.run_for(10 * SECOND, sweeping=False)
        assert ((await again(tenant, given)).state, len(directory.under_way)) == (State.ENDED, 1)
        tenant.ask(message_id="m-3", requestId="run-3", duration="PT3H")
        await tenant.run_for(40 * SECOND, sweeping=False)
        assert not tenant.is_held(), "what is given now would be taken by the call that is under way"

        directory.land()
        await tenant.run_for(10 * MINUTE)

        assert (await again(tenant, given)).ended_how == "proven_gone"
        (new,) = [each for each in await tenant.activations() if each.id != given.id]
        assert (new.state, new.held_before, tenant.is_held()) == (State.ACTIVE, False, True)
        hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
        assert (hold.phase, list(hold.live), hold.before) == (Phase.HELD, [new.id], Before.NO)
        await tenant.run_for(4 * HOUR)
        assert not tenant.is_held()

    @BEHIND
    async def test_a_claim_in_the_same_instant_waits_or_is_counted_and_never_loses_its_assignment(
        self, tenant: FakeTenant, behind: int
    ) -> None:
        given = await active(tenant)
        ends = taken(tenant, say(tenant, "deactivate"))
        await worker(tenant).deliver(ends)
        (removal,) = [each for each in tenant.bus.messages if each.queue == "expirations" and each.at <= MORNING]
        await worker(tenant).deliver(taken(tenant, tenant.ask(message_id="m-3", requestId="run-3")))
        (giving,) = [message for message in tenant.bus.messages if message.queue == "provisioning"]

        await at_once(
            worker(tenant).deliver(taken(tenant, removal)),
            worker(tenant).deliver(taken(tenant, giving)),
            behind=behind,
        )
        await tenant.run_for(30 * MINUTE)

        states = {each.id: each.state for each in await tenant.activations()}
        assert states.pop(given.id) is State.ENDED
        assert list(states.values()) == [State.ACTIVE]
        assert tenant.is_held()

    async def test_an_ask_lands_after_its_activation_was_given_back_and_a_new_one_was_given(
        self, late: tuple[FakeTenant, LateDirectory]
    ) -> None:
        tenant, directory = late
        await tenant.open(approval=None)
        directory.loses = "assign"
        tenant.ask()
        await tenant.run()
        say(tenant, "deactivate")
        await tenant.run()
        tenant.ask(message_id="m-3", requestId="run-3", duration="PT1H")
        await tenant.run_for(50 * SECOND, sweeping=False)

        directory.land()
        await tenant.run_for(20 * MINUTE)
        assert sorted(each.state for each in await tenant.activations()) == [State.ACTIVE, State.ENDED]
        assert tenant.is_held()

        await tenant.run_for(HOUR)
        assert not tenant.is_held()


async def test_a_worker_that_was_frozen_before_its_claim_is_turned_away_after_the_end(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.deliver(taken(tenant, tenant.ask()))
    (giving,) = [message for message in tenant.bus.messages if message.queue == "provisioning"]
    frozen, ledger = worker(tenant), FrozenLedger(tenant)
    frozen.ports = replace(frozen.ports, store=ledger)
    late = asyncio.create_task(frozen.deliver(taken(tenant, giving)))
    await ledger.is_there.wait()
    given = await tenant.activation()
    await revoke(given.id, OPS, store=tenant.store, now=tenant.clock.now())
    await tenant.run_for(30 * MINUTE)
    assert (await again(tenant, given)).ended_how == "never_given"

    ledger.goes_on.set()
    await late
    await tenant.run()

    hold = await tenant.store.hold(ADA_ADMIN.id, tenant.role.target)
    assert (hold.phase, hold.live, calls(tenant, "assign")) == (Phase.FREE, {}, 0)
    assert not tenant.is_held()


class TestOneInstant:
    @BEHIND
    async def test_an_approval_and_a_lapse_have_one_outcome(self, tenant: FakeTenant, behind: int) -> None:
        await pending(tenant)
        card, waiting = tenant.card_of(BO), await tenant.activation()
        assert waiting.lapses_at is not None
        tenant.clock.advance_to(waiting.lapses_at - SECOND)
        tenant.bus.messages.clear()

        async def lapse() -> None:
            tenant.clock.advance(SECOND)
            await worker(tenant).sweep()

        await at_once(press(worker(tenant), BO.id, card), lapse(), behind=behind)
        await tenant.run_for(4 * HOUR)

        outcomes = {"approval.approved", "approval.lapsed"} & set(await tenant.events())
        assert len(outcomes) == 1
        assert (await tenant.activation()).state is (State.LAPSED if outcomes == {"approval.lapsed"} else State.ENDED)
        assert not tenant.is_held()

    @BEHIND
    async def test_given_back_and_revoked_it_ends_once_by_one_of_them(self, tenant: FakeTenant, behind: int) -> None:
        given = await active(tenant)
        message, ops = taken(tenant, say(tenant, "deactivate")), worker(tenant)

        await at_once(
            worker(tenant).deliver(message),
            revoke(given.id, OPS, store=ops.store, now=tenant.clock.now()),
            behind=behind,
        )
        await tenant.run_for(20 * MINUTE)

        ended = await again(tenant, given)
        assert len({"activation.deactivated", "activation.revoked"} & set(await events_of(tenant, given))) == 1
        assert (ended.state, ended.ended_by) in {(State.ENDED, ADA.id), (State.ENDED, "eve")}
        assert tenant.subjects(ADA).count("Hourglass: Backup Operators has ended") == 1
        assert not tenant.is_held()

    @BEHIND
    async def test_extended_and_revoked_it_ends(self, tenant: FakeTenant, behind: int) -> None:
        given = await active(tenant)
        more = taken(tenant, say(tenant, "extend", duration="PT1H", justification="It takes longer"))
        ops = worker(tenant)

        await at_once(
            worker(tenant).deliver(more),
            revoke(given.id, OPS, store=ops.store, now=tenant.clock.now()),
            behind=behind,
        )
        await tenant.run_for(20 * MINUTE)

        assert ((await again(tenant, given)).state, (await again(tenant, given)).cause) == (State.ENDED, Cause.REVOKED)
        assert not tenant.is_held()
        await tenant.run_for(4 * HOUR)
        assert not tenant.is_held()

    @BEHIND
    async def test_extended_in_the_second_of_its_end_it_is_over(self, tenant: FakeTenant, behind: int) -> None:
        given = await active(tenant)
        tenant.clock.advance_to(MORNING + 2 * HOUR)
        due = tenant.bus.take()
        assert due is not None
        more = taken(tenant, say(tenant, "extend", duration="PT1H", justification="It takes longer"))

        await at_once(worker(tenant).deliver(due), worker(tenant).deliver(more), behind=behind)
        await tenant.run_for(20 * MINUTE)

        assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ENDED, False)

    @BEHIND
    async def test_extended_and_given_back_it_ends(self, tenant: FakeTenant, behind: int) -> None:
        given = await active(tenant)
        more = taken(tenant, say(tenant, "extend", duration="PT1H", justification="It takes longer"))
        back = taken(tenant, say(tenant, "deactivate", request="run-3"))

        await at_once(worker(tenant).deliver(more), worker(tenant).deliver(back), behind=behind)
        await tenant.run_for(20 * MINUTE)

        assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ENDED, False)
        await tenant.run_for(4 * HOUR)
        assert not tenant.is_held()


async def extended(tenant: FakeTenant) -> tuple[Activation, Activation]:
    """Ada holds the role, and more time was approved on top of it."""
    await pending(tenant)
    await press(tenant, BO.id, tenant.card_of(BO))
    given = await tenant.activation()
    say(tenant, "extend", duration="PT1H", justification="It takes longer")
    await tenant.run()
    await press(tenant, BO.id, tenant.card_of(BO), request="press-2")
    (extension,) = [each for each in await tenant.activations() if each.extends == given.id]
    assert extension.state is State.ACTIVE
    return given, extension


async def test_an_extension_that_was_approved_ends_when_what_it_extends_is_given_back(tenant: FakeTenant) -> None:
    given, extension = await extended(tenant)

    say(tenant, "deactivate", request="run-3", role=ROLE)
    await tenant.run_for(10 * MINUTE)

    assert [(await again(tenant, each)).ended_how for each in (given, extension)] == ["others_hold", "proven_gone"]
    assert (await again(tenant, extension)).cause is Cause.DEACTIVATED
    assert not tenant.is_held()


async def test_an_extension_that_was_approved_ends_when_what_it_extends_is_revoked(tenant: FakeTenant) -> None:
    given, extension = await extended(tenant)

    await revoke(given.id, OPS, store=tenant.store, now=tenant.clock.now())
    await tenant.run_for(10 * MINUTE)

    ended = await again(tenant, extension)
    assert (ended.ended_how, ended.ended_by, ended.end_reason) == ("proven_gone", OPS.by, OPS.reason)
    assert not tenant.is_held()


async def test_an_extension_that_is_given_back_leaves_what_it_extends_to_its_own_end(tenant: FakeTenant) -> None:
    given, extension = await extended(tenant)

    say(tenant, "deactivate", request="run-3", activation=extension.id)
    await tenant.run_for(10 * MINUTE)

    assert (await again(tenant, extension)).ended_how == "others_hold"
    assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ACTIVE, True)


async def test_an_extension_that_is_given_when_what_it_extends_was_given_back_meanwhile_fails(
    tenant: FakeTenant,
) -> None:
    await pending(tenant)
    await press(tenant, BO.id, tenant.card_of(BO))
    given = await tenant.activation()
    say(tenant, "extend", duration="PT1H", justification="It takes longer")
    await tenant.run()
    card = tenant.card_of(BO)
    await press(tenant, BO.id, card, request="press-2", run=False)
    say(tenant, "deactivate", request="run-3", activation=given.id)
    await tenant.deliver(tenant.bus.messages.pop())  # before the approved one is given

    await tenant.run_for(10 * MINUTE)

    (extension,) = [each for each in await tenant.activations() if each.extends == given.id]
    assert (extension.state, [unmet.code for unmet in extension.unmet]) == (State.FAILED, ["HG-NOTHING-TO-EXTEND"])
    assert not tenant.is_held()


class TestWhatChangesWhileItIsActive:
    async def test_a_group_that_is_deleted_ends_it_at_its_end_by_a_second_look(self, tenant: FakeTenant) -> None:
        given = await active(tenant)
        tenant.directory.remove_group(GROUP)

        await tenant.run_for(2 * HOUR + MINUTE)
        assert (await again(tenant, given)).state is State.ENDING

        await tenant.run_for(5 * MINUTE)
        assert (await again(tenant, given)).state is State.ENDED

    async def test_a_role_that_gives_another_group_by_now_takes_back_what_it_gave(self, tenant: FakeTenant) -> None:
        given = await active(tenant)
        tenant.directory.add_group(OTHER_GROUP, "Other operators")
        other = replace(tenant.role, target=Target(Source.GROUP_MEMBER, OTHER_GROUP))
        await tenant.register.put_role(other, OWNER)

        await tenant.run_for(2 * HOUR + 10 * MINUTE)

        assert ((await again(tenant, given)).ended_how, tenant.is_held()) == ("proven_gone", False)
        assert tenant.directory.groups[OTHER_GROUP] == set()

    async def test_a_role_and_an_eligibility_that_are_taken_out_change_nothing_until_the_end(
        self, tenant: FakeTenant
    ) -> None:
        given = await active(tenant)
        for eligibility in (await tenant.register.eligibilities()).values():
            await tenant.register.remove_eligibility(eligibility, OWNER)
        await tenant.register.remove_role(ROLE, OWNER)

        await tenant.run_for(HOUR)
        assert ((await again(tenant, given)).state, tenant.is_held()) == (State.ACTIVE, True)

        await tenant.run_for(HOUR + 10 * MINUTE)
        assert ((await again(tenant, given)).ended_how, tenant.is_held()) == ("proven_gone", False)


class TestALateStart:
    async def test_it_is_given_for_what_is_left_of_its_time(self, tenant: FakeTenant) -> None:
        await tenant.open(approval=None)
        tenant.ask(start="2026-03-02T10:00:00Z", duration="PT1H")
        await tenant.run()
        tenant.clock.advance_to(MORNING + HOUR + 40 * MINUTE)

        await tenant.run()
        started = await tenant.activation()
        assert (started.state, started.ends_at) == (State.ACTIVE, MORNING + 2 * HOUR)

        await tenant.run_for(30 * MINUTE)
        assert not tenant.is_held()

    @pytest.mark.parametrize("its_message", ["comes then", "is lost"])
    async def test_at_its_end_or_after_it_gives_nothing(self, tenant: FakeTenant, its_message: str) -> None:
        await tenant.open(approval=None)
        tenant.ask(start="2026-03-02T10:00:00Z", duration="PT1H")
        await tenant.run()
        tenant.clock.advance_to(MORNING + 2 * HOUR)
        if its_message == "is lost":
            tenant.bus.messages.clear()

        await tenant.run_for(10 * MINUTE)

        missed = await tenant.activation()
        assert (missed.state, [demand.code for demand in missed.unmet]) == (State.CANCELED, ["HG-START-MISSED"])
        assert calls(tenant, "assign") == 0
