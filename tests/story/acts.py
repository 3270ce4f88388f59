"""What people do in the stories."""

import json

from approval_queue.answer_card import Answer, answer_card
from tests.fakes.tenant import FakeTenant


async def press(
    tenant: FakeTenant, account: str, token: str, choice: str = "approve", *, note: str = "", request: str = "press-1"
) -> Answer:
    raw = (json.dumps({"token": token, "decision": choice}) + "\n" + note).encode()
    headers = {"action-authorization": f"Bearer {account}", "action-request-id": request}
    answer = await answer_card(raw, headers, ports=tenant.ports)
    await tenant.run()
    return answer


async def pending(tenant: FakeTenant) -> FakeTenant:
    await tenant.open()
    tenant.ask()
    await tenant.run()
    return tenant
