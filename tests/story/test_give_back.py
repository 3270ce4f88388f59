"""Giving back early: ending at once, ended on proof; only by the person it belongs to; once, however often it is said."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters.tables import Row
from access.errors import TryAgain
from access.model import Account, Activation, Cause, Door, State
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT, BO, DEE, GROUP, OWNER, ROLE, FakeTenant
from tests.story.acts import active, again, events_of, pending, refusal, say

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def signed_in(tenant: FakeTenant) -> Activation:
    """Ada's activation, as if she had asked for it signed in."""
    activation = await active(tenant)
    rows = tenant.tables.rows["activations", activation.id]
    row = rows["activation"]
    rows["activation"] = replace(row, values={**row.values, "door": Door.SIGNED_IN.value})
    return activation


async def test_what_is_given_back_is_ending_at_once_and_ends_when_its_removal_is_proven(tenant: FakeTenant) -> None:
    given = await active(tenant)
    await tenant.run_for(30 * MINUTE)

    message = say(tenant, "deactivate", activation=given.id, justification="Done sooner")
    await tenant.deliver(tenant.bus.take() or message)

    ending = await again(tenant, given)
    assert (ending.state, ending.cause, ending.ended_by) == (State.ENDING, Cause.DEACTIVATED, ADA.id)
    assert (ending.ending_since, ending.end_reason) == (tenant.clock.now(), "Done sooner")
    assert tenant.is_held(), "ending is not ended"

    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()
    assert (await events_of(tenant, given))[-2:] == ["activation.deactivated", "removal.proven"]
    assert tenant.subjects(ADA)[-1] == "Hourglass: Backup Operators has ended"


async def test_the_removal_begins_at_once_and_waits_for_no_sweep(tenant: FakeTenant) -> None:
    await active(tenant)

    say(tenant, "deactivate")
    await tenant.run()

    assert ("remove", ADA_ADMIN.id, GROUP) in tenant.directory.calls


async def test_a_list_that_lags_hides_neither_what_is_held_nor_what_was_done(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.tables.rows["byprincipal", ADA_ADMIN.id].clear()
    message = say(tenant, "deactivate")
    await tenant.run_for(5 * MINUTE)
    assert (await again(tenant, given)).state is State.ENDED

    await tenant.deliver(message)
    await tenant.run()

    assert (await events_of(tenant, given)).count("activation.deactivated") == 1
    assert len(await tenant.activations()) == 1


async def test_the_role_and_the_account_name_it_as_well_as_its_id(tenant: FakeTenant) -> None:
    given = await active(tenant)

    say(tenant, "deactivate")
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert len(await tenant.activations()) == 1


async def test_a_role_alone_finds_it_whichever_account_of_the_person_holds_it(tenant: FakeTenant) -> None:
    given = await active(tenant)

    say(tenant, "deactivate", principal=None)
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()


async def test_an_account_that_is_named_is_the_only_one_that_is_looked_at(tenant: FakeTenant) -> None:
    given = await active(tenant)

    say(tenant, "deactivate", requester=ADA_ADMIN.user_principal_name, principal=ADA.user_principal_name)
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ACTIVE
    assert await refusal(tenant) == ["HG-NOTHING-TO-END"]


async def test_the_account_that_holds_it_may_give_it_back_itself(tenant: FakeTenant) -> None:
    given = await active(tenant)

    say(tenant, "deactivate", requester=ADA_ADMIN.user_principal_name, activation=given.id)
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).ended_by == ADA_ADMIN.id
    assert not tenant.is_held()


@pytest.mark.parametrize("stranger", [BO, DEE, ADA_EXT], ids=["an approver", "a stranger", "an account nobody linked"])
async def test_nobody_else_gives_it_back(tenant: FakeTenant, stranger: Account) -> None:
    given = await active(tenant)

    say(tenant, "deactivate", requester=stranger.user_principal_name, activation=given.id)
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-NOT-YOURS"]
    assert (await again(tenant, given)).state is State.ACTIVE
    (refused,) = [one for one in await tenant.activations() if one.state is State.REFUSED]
    assert (refused.role, refused.principal) == ("", ""), "a stranger is not told what it was"
    (told,) = (mail.html for mail in tenant.mailer.mails if refused.id in mail.html)
    assert ">Role</td>" not in told, "nor shown an empty row for it"


async def test_an_account_with_the_same_mail_that_is_not_linked_is_another_person(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.directory.add_account(replace(ADA_EXT, mail=ADA.mail))

    say(tenant, "deactivate", requester=ADA_EXT.id, activation=given.id)
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-NOT-YOURS"]


async def test_a_disabled_account_gives_nothing_back(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.directory.add_account(replace(ADA, enabled=False))

    say(tenant, "deactivate", activation=given.id)
    await tenant.run()

    codes = {demand.code for one in await tenant.activations() for demand in one.unmet}
    assert codes == {"HG-REQUESTER-DISABLED"}
    assert (await again(tenant, given)).state is State.ACTIVE


async def test_an_account_of_another_person_is_not_named_with_a_role(tenant: FakeTenant) -> None:
    await active(tenant)

    say(tenant, "deactivate", requester=BO.user_principal_name)
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOT-SAME-PERSON"]
    assert tenant.is_held()


async def test_a_link_that_can_not_be_read_is_waited_for_and_then_refused(tenant: FakeTenant) -> None:
    given = await active(tenant)
    fault = TryAgain("the directory", after=timedelta(seconds=5), fault=True)
    tenant.directory.faults["linked_accounts"] = [fault] * 99

    say(tenant, "deactivate", activation=given.id)
    await tenant.run_for(30 * MINUTE)
    tenant.directory.faults.clear()
    await tenant.run_for(30 * MINUTE)

    assert await refusal(tenant) == ["HG-COULD-NOT-CHECK"]
    assert (await again(tenant, given)).state is State.ACTIVE


async def test_a_link_that_can_be_read_again_in_time_is_no_refusal(tenant: FakeTenant) -> None:
    given = await active(tenant)
    fault = TryAgain("the directory", after=timedelta(seconds=5), fault=True)
    tenant.directory.faults["linked_accounts"] = [fault] * 2

    say(tenant, "deactivate", activation=given.id)
    await tenant.run_for(10 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED


async def test_a_flow_does_not_end_what_was_asked_for_signed_in(tenant: FakeTenant) -> None:
    given = await signed_in(tenant)
    await tenant.register.put_role(replace(tenant.role, accepts=frozenset({Door.SIGNED_IN})), OWNER)

    say(tenant, "deactivate", activation=given.id)
    await tenant.run()

    assert await refusal(tenant) == ["HG-DOOR-NOT-ACCEPTED"]
    assert (await again(tenant, given)).state is State.ACTIVE


async def test_a_flow_ends_what_was_asked_for_signed_in_where_the_role_takes_flows(tenant: FakeTenant) -> None:
    given = await signed_in(tenant)

    say(tenant, "deactivate", activation=given.id)
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED


async def test_a_role_that_was_removed_meanwhile_is_given_back_all_the_same(tenant: FakeTenant) -> None:
    given = await active(tenant)
    await tenant.register.remove_role(ROLE, OWNER)

    say(tenant, "deactivate")
    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()


async def test_what_waits_for_a_decision_is_cancelled_not_given_back(tenant: FakeTenant) -> None:
    await pending(tenant)

    say(tenant, "deactivate")
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-END"]
    (mail,) = [mail for mail in tenant.mailer.to(ADA.mail or "") if "given back" in mail.subject]
    assert "Send cancel" in mail.html


async def test_who_holds_nothing_is_told_so(tenant: FakeTenant) -> None:
    await tenant.open()

    say(tenant, "deactivate")
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-END"]


async def test_an_id_that_names_nothing_is_told_so(tenant: FakeTenant) -> None:
    await active(tenant)

    say(tenant, "deactivate", activation="0" * 32)
    await tenant.run()

    assert await refusal(tenant) == ["HG-ACTIVATION-UNKNOWN"]


async def test_the_same_message_twice_gives_back_once(tenant: FakeTenant) -> None:
    given = await active(tenant)
    message = say(tenant, "deactivate")
    await tenant.run_for(5 * MINUTE)
    mails = len(tenant.mailer.mails)

    await tenant.deliver(message)
    await tenant.run()

    assert (await events_of(tenant, given)).count("activation.deactivated") == 1
    assert (len(await tenant.activations()), len(tenant.mailer.mails)) == (1, mails)


async def test_a_late_repetition_does_not_end_the_activation_after_it(tenant: FakeTenant) -> None:
    await active(tenant)
    message = say(tenant, "deactivate")
    await tenant.run_for(5 * MINUTE)
    tenant.ask(requestId="run-3", message_id="m-3")
    await tenant.run_for(5 * MINUTE)
    assert tenant.is_held()

    await tenant.deliver(message)
    await tenant.run_for(5 * MINUTE)

    assert tenant.is_held()
    assert sorted(one.state for one in await tenant.activations()) == [State.ACTIVE, State.ENDED]


async def test_the_same_message_delivered_to_two_workers_at_once_has_one_effect(tenant: FakeTenant) -> None:
    given = await active(tenant)
    message = say(tenant, "deactivate")
    tenant.bus.messages.remove(message)

    await asyncio.gather(tenant.deliver(message), tenant.deliver(message))
    await tenant.run_for(5 * MINUTE)

    assert (await events_of(tenant, given)).count("activation.deactivated") == 1
    assert len(await tenant.activations()) == 1


async def test_two_messages_at_once_end_it_once_and_the_second_is_told(tenant: FakeTenant) -> None:
    given = await active(tenant)
    messages = say(tenant, "deactivate"), say(tenant, "deactivate", request="run-3")
    tenant.bus.messages.clear()

    await asyncio.gather(*(tenant.deliver(message) for message in messages))
    await tenant.run_for(5 * MINUTE)

    assert (await events_of(tenant, given)).count("activation.deactivated") == 1
    assert await refusal(tenant) == ["HG-NOTHING-TO-END"]


async def test_the_same_id_with_other_content_is_set_aside(tenant: FakeTenant) -> None:
    given = await active(tenant)
    say(tenant, "deactivate", activation=given.id)
    say(tenant, "cancel", activation=given.id, principal=None)
    say(tenant, "activate", request="run-1", role=ROLE, duration="PT1H")

    await tenant.run_for(5 * MINUTE)

    assert tenant.quarantine.codes == ["HG-ID-REUSED", "HG-ID-REUSED"]
    assert (await again(tenant, given)).state is State.ENDED


async def test_a_refusal_is_given_once_however_often_it_is_asked_for(tenant: FakeTenant) -> None:
    await tenant.open()
    message = say(tenant, "deactivate")
    await tenant.run()
    await tenant.open(approval=None)
    tenant.ask()
    await tenant.run()

    await tenant.deliver(message)
    await tenant.run()

    assert await refusal(tenant) == ["HG-NOTHING-TO-END"]
    assert tenant.is_held(), "the same message has the same answer, whatever there is by now"


async def test_a_call_that_lands_after_the_role_was_given_back_is_removed_too(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    lost = TryAgain("the directory (time-out)", after=MINUTE, fault=True)
    tenant.directory.faults["assign"] = [lost] * 99  # none of our calls is answered
    tenant.ask()
    await tenant.run()
    giving = await tenant.activation()
    assert giving.state is State.PROVISIONING

    say(tenant, "deactivate")
    await tenant.run()
    assert (await again(tenant, giving)).state is State.ENDING
    tenant.directory.put_member(GROUP, ADA_ADMIN.id)  # the call of before lands now
    await tenant.run_for(15 * MINUTE)

    assert not tenant.is_held()
    assert (await again(tenant, giving)).state is State.ENDED


async def test_an_end_that_comes_in_the_same_instant_ends_it_once(tenant: FakeTenant) -> None:
    given = await active(tenant)
    tenant.clock.advance(2 * HOUR)
    due = tenant.bus.take()
    assert due is not None
    message = say(tenant, "deactivate")
    tenant.bus.messages.remove(message)

    await asyncio.gather(tenant.deliver(due), tenant.deliver(message))
    await tenant.run_for(10 * MINUTE)

    ends = {"activation.end_due", "activation.deactivated"}
    assert len(ends & set(await events_of(tenant, given))) == 1
    assert (await again(tenant, given)).state is State.ENDED
    assert not tenant.is_held()


async def test_a_command_whose_effects_the_bus_does_not_take_is_gone_on_with(tenant: FakeTenant) -> None:
    given = await active(tenant)
    message = say(tenant, "deactivate")
    tenant.bus.messages.remove(message)
    tenant.bus.down = True
    await tenant.deliver(message)
    assert (await again(tenant, given)).state is State.ENDING
    tenant.bus.down = False

    await tenant.run_for(5 * MINUTE)

    assert (await again(tenant, given)).state is State.ENDED


class FailingTables(FakeTables):
    """Tables that can't be read while they are ``down``."""

    down = False

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        if self.down and table != "activations":
            raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)
        return await super().get(table, partition, key)


async def test_a_command_that_comes_while_the_tables_are_down_is_never_refused_for_that() -> None:
    tables = FailingTables()
    tenant = FakeTenant(tables=tables)
    given = await active(tenant)
    tables.down = True
    say(tenant, "deactivate")
    await tenant.run_for(HOUR, sweeping=False)
    tables.down = False

    await tenant.run_for(20 * MINUTE)

    assert (await again(tenant, given)).cause is Cause.DEACTIVATED
    assert len(await tenant.activations()) == 1
