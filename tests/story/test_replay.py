"""What was set aside is put back: what was handled already does nothing, what was not is handled (law 8)."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.adapters.quarantine import SetAside
from access.adapters.triggers import envelope_of
from access.errors import Code
from access.model import Activation, State
from tests.fakes.bus import FakeMessage
from tests.fakes.tenant import ADA, BO, CY, DEE, OWNER, FakeTenant
from tests.story.acts import active, again, events_of, pending, press, say

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
REQUESTS = "activation-requests"


async def replay(tenant: FakeTenant, message: FakeMessage) -> None:
    """Have a message dead-lettered as it is, collected by the sweep, and put back by a person; what follows happens."""
    tenant.bus.kill(message)
    await tenant.sweep()
    entry = await only(tenant)
    body = await tenant.quarantine.body(entry)
    assert body == message.body
    author = replace(OWNER, at=tenant.clock.now())
    await tenant.quarantine.replay(entry, body, tenant.bus, author, "mended")
    (back,) = [sent for sent in tenant.bus.messages if sent.queue == message.queue and sent.at <= author.at]
    assert envelope_of(back, back.queue).identity == envelope_of(message, message.queue).identity
    await tenant.run()


async def only(tenant: FakeTenant) -> SetAside:
    (entry,) = await tenant.quarantine.on(tenant.clock.now())
    return entry


def first(tenant: FakeTenant, queue: str, what: str = "") -> FakeMessage:
    """Return the first message that was sent to a queue; to notifications, the first that tells ``what``."""
    sent = [message for message in tenant.bus.sent if message.queue == queue]
    return next(message for message in sent if json.loads(message.body).get("what", "") == what)


async def facts(tenant: FakeTenant) -> Any:
    """Everything that a second effect would change: states, ends, events, mails, members."""
    activations = sorted(await tenant.activations(), key=lambda one: one.id)
    return (
        [(one.id, one.state, one.ends_at, one.version, await events_of(tenant, one)) for one in activations],
        [(mail.to, mail.subject) for mail in tenant.mailer.mails],
        {group: set(members) for group, members in tenant.directory.groups.items()},
        [call for call in tenant.directory.calls if call[0] != "presence"],
    )


async def gone_through(tenant: FakeTenant, until: str) -> Activation:
    """Ada asks, Bo approves, and it ends: up to a moment of that life."""
    await pending(tenant)
    if until != "asked":
        await press(tenant, BO.id, tenant.card_of(BO))
    if until == "ended":
        await tenant.run_for(3 * HOUR)
    await tenant.run_for(MINUTE)
    return await tenant.activation()


@pytest.mark.parametrize(
    ("queue", "until"),
    [
        *((REQUESTS, until) for until in ("asked", "active", "ended")),
        *(("approvals", until) for until in ("asked", "active", "ended")),
        *(("provisioning", until) for until in ("active", "ended")),
        *(("expirations", until) for until in ("asked", "active", "ended")),
    ],
)
async def test_a_message_that_was_handled_does_nothing_when_it_is_put_back(
    tenant: FakeTenant, queue: str, until: str
) -> None:
    await gone_through(tenant, until)
    before = await facts(tenant)

    await replay(tenant, first(tenant, queue))

    assert await facts(tenant) == before
    assert (await only(tenant)).code == Code.DEAD_LETTERED


@pytest.mark.parametrize("what", ["approval_wanted", "decided", "activated", "ended"])
async def test_a_mail_that_went_out_does_not_go_out_again(tenant: FakeTenant, what: str) -> None:
    await gone_through(tenant, "ended")
    before = await facts(tenant)

    await replay(tenant, first(tenant, "notifications", what))

    assert await facts(tenant) == before


async def test_a_mail_that_never_went_out_goes_out_once_however_often_its_message_is_put_back(
    tenant: FakeTenant,
) -> None:
    await tenant.open(approval=None)
    tenant.ask()
    tellings = []
    while message := tenant.bus.take():
        if message.queue == "notifications":
            tellings.append(message)
        else:
            await tenant.deliver(message)
    (kept,) = tellings
    assert tenant.subjects(ADA) == []

    await replay(tenant, kept)
    entry = await only(tenant)
    for _ in range(2):
        author = replace(OWNER, at=tenant.clock.now())
        await tenant.quarantine.replay(await only(tenant), kept.body, tenant.bus, author, "once more")
        await tenant.run()

    assert len(tenant.subjects(ADA)) == 1
    assert (await only(tenant)).replays == entry.replays + 2


async def test_an_extension_that_is_put_back_does_not_extend_twice(tenant: FakeTenant) -> None:
    given = await active(tenant)
    extend = say(tenant, "extend", duration="PT1H", justification="It takes longer")
    await tenant.run()
    before = await facts(tenant)

    await replay(tenant, extend)

    assert await facts(tenant) == before
    assert (await again(tenant, given)).ends_at == given.requested_at + 3 * HOUR


@pytest.mark.parametrize("action", ["deactivate", "cancel"])
async def test_a_command_that_was_carried_out_does_not_meet_the_activation_that_came_after(
    tenant: FakeTenant, action: str
) -> None:
    if action == "deactivate":
        await active(tenant)
    else:
        await pending(tenant)
    command = say(tenant, action)
    await tenant.run_for(5 * MINUTE)
    tenant.ask(message_id="m-3", requestId="run-3")
    await tenant.run()
    before = await facts(tenant)

    await replay(tenant, command)

    assert await facts(tenant) == before


async def test_a_request_of_somebody_who_was_not_known_is_decided_once_they_are(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    ada = tenant.directory.accounts.pop(ADA.id)
    request = tenant.ask()
    await tenant.run()
    entry = await only(tenant)
    assert entry.code == Code.REQUESTER_UNKNOWN
    assert await tenant.activations() == []

    tenant.directory.add_account(ada)
    for _ in range(2):
        await tenant.quarantine.replay(await only(tenant), request.body, tenant.bus, OWNER, "Ada is back")
        await tenant.run()

    assert (await tenant.activation()).state is State.ACTIVE
    assert await tenant.events() == ["activation.accepted", "activation.provisioned"]
    assert len(tenant.subjects(ADA)) == 1


async def test_a_request_without_an_id_of_its_own_is_the_same_request_when_it_is_put_back(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    request = tenant.ask(message_id=None, requestId=None)
    await tenant.run()
    before = await facts(tenant)

    await replay(tenant, request)

    assert await facts(tenant) == before


async def test_a_request_that_comes_too_late_is_judged_by_the_rules_of_now(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    request = tenant.ask(start="2026-03-02T10:00:00Z")
    tenant.bus.messages.clear()
    await tenant.run_for(2 * HOUR)

    await replay(tenant, request)

    refused = await tenant.activation()
    assert (refused.state, [demand.code for demand in refused.unmet]) == (State.REFUSED, [Code.START_PAST])


async def test_an_approval_that_was_lost_is_asked_for_when_its_message_is_put_back(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask()
    request = tenant.bus.take()
    assert request is not None
    await tenant.deliver(request)
    (lost,) = [message for message in tenant.bus.messages if message.queue == "approvals"]

    await replay(tenant, lost)

    assert [len(tenant.subjects(account)) for account in (BO, CY, DEE)] == [1, 1, 0]
