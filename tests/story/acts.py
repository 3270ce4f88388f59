"""What people do in the stories."""

import json

from access.model import Activation, State
from approval_queue.answer_card import Answer, answer_card
from tests.fakes.bus import FakeMessage
from tests.fakes.tenant import ADA, ADA_ADMIN, ROLE, FakeTenant


async def press(
    tenant: FakeTenant,
    account: str,
    token: str,
    choice: str = "approve",
    *,
    note: str = "",
    request: str = "press-1",
    run: bool = True,
) -> Answer:
    """Press a card's button; ``run``: and have everything done that follows at once."""
    raw = (json.dumps({"token": token, "decision": choice}) + "\n" + note).encode()
    headers = {"action-authorization": f"Bearer {account}", "action-request-id": request}
    answer = await answer_card(raw, headers, ports=tenant.ports)
    if run:
        await tenant.run()
    return answer


async def pending(tenant: FakeTenant) -> FakeTenant:
    await tenant.open()
    tenant.ask()
    await tenant.run()
    return tenant


async def active(tenant: FakeTenant, **settings: object) -> Activation:
    """Ada's admin account holds the role for two hours; nobody was asked."""
    await tenant.open(approval=None, **settings)
    tenant.ask()
    await tenant.run()
    return await tenant.activation()


def say(tenant: FakeTenant, action: str, *, request: str = "run-2", **fields: object) -> FakeMessage:
    """Put a command about an activation on the queue, as a flow does; by Ada, and by role where no id is named."""
    body: dict[str, object] = {
        "version": 1,
        "action": action,
        "requestId": request,
        "requester": ADA.user_principal_name,
        **({} if "activation" in fields else {"role": ROLE, "principal": ADA_ADMIN.user_principal_name}),
        **fields,
    }
    raw = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
    return tenant.bus.put("activation-requests", raw, message_id=request, correlation_id=request)


async def refusal(tenant: FakeTenant) -> list[str]:
    """Return the codes of the one refusal there is; Ada was told each of them by one mail."""
    (refused,) = [one for one in await tenant.activations() if one.state is State.REFUSED]
    mails = [mail for mail in tenant.mailer.mails if refused.id in mail.html]
    codes = [demand.code for demand in refused.unmet]
    assert len(mails) == 1
    assert codes
    assert all(code in mails[0].html for code in codes)
    return codes


async def events_of(tenant: FakeTenant, activation: Activation) -> list[str]:
    rows = tenant.tables.rows["activations", activation.id]
    return [str(rows[key].values["event"]) for key in sorted(rows) if key.startswith("event-")]


async def again(tenant: FakeTenant, activation: Activation) -> Activation:
    """Return an activation as it is now."""
    found = await tenant.store.activation(activation.id)
    assert found is not None
    return found
