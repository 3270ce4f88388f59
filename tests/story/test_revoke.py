"""Ops end what somebody holds or waits for: whatever its state, at whatever moment, and proven as any other end."""

import asyncio
from datetime import timedelta

import pytest

from access.adapters.tables import Replace, Row
from access.errors import TryAgain, WrongState
from access.model import Activation, Cause, State
from expiry_timer.revoke import Revocation, revoke, revoked
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, CY, FakeTenant
from tests.story.acts import pending, press

MINUTE = timedelta(minutes=1)
OPS = Revocation(by="eve", through="direct", reason="Incident 4711")


async def end(tenant: FakeTenant, revocation: Revocation = OPS) -> Activation:
    """Revoke the only activation there is."""
    activation = await tenant.activation()
    after = await revoke(activation.id, revocation, store=tenant.store, now=tenant.clock.now())
    assert after is not None
    return after


async def test_what_is_held_is_taken_back_and_proven_and_the_requester_reads_why(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()
    tenant.clock.advance(MINUTE)

    ending = await end(tenant)
    assert (ending.state, ending.cause, ending.ended_by, ending.end_reason, ending.ending_since) == (
        State.ENDING,
        Cause.REVOKED,
        "eve",
        "Incident 4711",
        tenant.clock.now(),
    )
    await tenant.run_for(10 * MINUTE)

    assert (await tenant.activation()).ended_how == "proven_gone"
    assert not tenant.is_held()
    assert (await tenant.events())[-2:] == ["activation.revoked", "removal.proven"]
    assert tenant.subjects(ADA)[1:] == [
        "Hourglass: Backup Operators was revoked",
        "Hourglass: Backup Operators has ended",
    ]
    assert "They wrote: Incident 4711" in tenant.mailer.to(ADA.mail or "")[1].html


async def test_a_reason_is_text_in_the_mail_whatever_it_looks_like(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    await end(tenant, Revocation(by="eve", through="direct", reason="<script>alert(1)</script>"))
    await tenant.run()

    mail = tenant.mailer.to(ADA.mail or "")[1]
    assert "&lt;script&gt;" in mail.html
    assert "<script>alert" not in mail.html


async def test_what_waits_for_a_decision_is_closed_and_whoever_was_asked_is_told(tenant: FakeTenant) -> None:
    await pending(tenant)
    card = tenant.card_of(BO)

    closed = await end(tenant)
    await tenant.run()
    answer = await press(tenant, BO.id, card)

    assert (closed.state, closed.ending_since) == (State.CANCELED, None)
    assert (answer.status, answer.line) == (200, "This was decided or closed already. (HG-DECISION-TAKEN)")
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators was revoked"]
    assert [tenant.subjects(one)[-1] for one in (BO, CY)] == ["Hourglass: Closed: Ada, Backup Operators"] * 2
    assert not tenant.is_held()


async def test_what_starts_later_is_closed_and_never_starts(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start=(tenant.clock.now() + timedelta(hours=1)).isoformat())
    await tenant.run()

    closed = await end(tenant)
    await tenant.run_for(timedelta(hours=4))

    assert closed.state is State.CANCELED
    assert (await tenant.activation()).state is State.CANCELED
    assert "assign" not in {call for call, *_ in tenant.directory.calls}


async def test_a_grant_that_timed_out_and_lands_after_the_revocation_is_found_and_removed(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.faults["assign"] = [TryAgain("the directory", after=MINUTE, fault=True)]
    tenant.ask()
    await tenant.run()

    await end(tenant)
    await tenant.run()
    tenant.clock.advance(tenant.ports.timing.in_flight - timedelta(seconds=5))
    tenant.directory.put_member(tenant.role.target.id, ADA_ADMIN.id)
    assert (await tenant.activation()).state is State.ENDING
    await tenant.run_for(20 * MINUTE)

    assert (await tenant.activation()).ended_how == "proven_gone"
    assert not tenant.is_held()


async def test_revoked_while_its_message_is_under_way_it_is_not_given(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    message = tenant.ask()
    tenant.bus.messages.remove(message)
    await tenant.deliver(message)
    assert (await tenant.activation()).state is State.PROVISIONING

    await end(tenant)
    await tenant.run_for(20 * MINUTE)

    assert (await tenant.activation()).ended_how == "never_given"
    assert "assign" not in {call for call, *_ in tenant.directory.calls}


@pytest.mark.parametrize("first", ["the clock", "ops"])
async def test_revoked_in_the_second_in_which_it_expires_it_ends_once(tenant: FakeTenant, first: str) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()
    tenant.clock.advance(timedelta(hours=1))

    steps = [tenant.run(), end(tenant)]
    await asyncio.gather(*(steps if first == "the clock" else reversed(steps)))
    await tenant.run_for(20 * MINUTE)

    ends = [event for event in await tenant.events() if event in {"activation.end_due", "activation.revoked"}]
    assert len(ends) == 1
    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()


async def test_revoked_twice_the_first_reason_counts_and_the_requester_is_told_once(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    await asyncio.gather(end(tenant), end(tenant))
    await end(tenant, Revocation(by="dee", through="direct", reason="Again"))
    await tenant.run_for(10 * MINUTE)
    again = await end(tenant)

    assert (again.state, again.ended_by) == (State.ENDED, "eve")
    assert (await tenant.events()).count("activation.revoked") == 1
    assert tenant.subjects(ADA).count("Hourglass: Backup Operators was revoked") == 1


async def test_while_the_queues_are_down_the_revocation_commits_and_the_sweep_brings_it_on(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    tenant.bus.down = True
    assert (await end(tenant)).state is State.ENDING
    tenant.bus.down = False
    await tenant.run_for(15 * MINUTE)

    assert (await tenant.activation()).ended_how == "proven_gone"
    assert "Hourglass: Backup Operators was revoked" in tenant.subjects(ADA)


async def test_what_was_held_before_is_still_held_after_a_revocation(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.put_member(tenant.role.target.id, ADA_ADMIN.id)
    tenant.ask()
    await tenant.run()

    await end(tenant)
    await tenant.run_for(10 * MINUTE)

    assert (await tenant.activation()).ended_how == "held_before"
    assert tenant.is_held()


async def test_there_is_nothing_to_revoke_where_there_is_no_activation(tenant: FakeTenant) -> None:
    assert await revoke("0" * 32, OPS, store=tenant.store, now=tenant.clock.now()) is None


class ContendedTables(FakeTables):
    """Somebody else writes each activation right after it was read."""

    contended = False

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        found = await super().get(table, partition, key)
        if self.contended and found is not None and key == "activation":
            await self.write(table, [Replace(found)])
        return found


async def test_an_activation_that_others_write_each_time_is_left_for_the_next_try() -> None:
    tables = ContendedTables()
    tenant = await FakeTenant(tables=tables).open(approval=None)
    tenant.ask()
    await tenant.run()
    activation = await tenant.activation()

    tables.contended = True
    with pytest.raises(TryAgain):
        await revoke(activation.id, OPS, store=tenant.store, now=tenant.clock.now())
    tables.contended = False

    assert (await end(tenant)).state is State.ENDING


async def test_what_is_ending_cannot_be_revoked_by_the_rules_either(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()
    ending = await end(tenant)

    with pytest.raises(WrongState):
        revoked(ending, OPS, now=tenant.clock.now())
