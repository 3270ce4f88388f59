"""How long a person waits after pressing a button: the card's POST until its answer, on a warm host of the local tenant."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from access.adapters.build import build_credential, build_tables
from access.adapters.changes import Author
from access.adapters.register import TableRegister
from access.adapters.settings import read
from access.model import ApprovalDemand, Eligibility, RoleSettings, Source, Target
from local.tenant.ports import Ports
from local.tenant.tenant import DEFAULT_SEED, Tenant

PEOPLE, WARM_UP = 24, 4
GROUP, ELIGIBLE = "00000000-0000-4000-b000-00000000cafe", "00000000-0000-4000-b000-00000000e1e1"
APPROVER = "bo@contoso.example"


@dataclass(frozen=True, slots=True)
class Cards:
    """Seconds from press to answer, sorted; resident memory of each process afterwards, in MiB."""

    seconds: tuple[float, ...]
    memory: dict[str, int]

    def percentile(self, share: float) -> float:
        """Return the time within which this share of the presses was answered."""
        return self.seconds[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


async def measure(folder: Path) -> Cards:
    """Have people ask, then approve each by its card, one after the other."""
    seed = _seed(folder)
    async with Tenant(folder / "state", ports=Ports.free(), seed=seed) as tenant:
        approver = await _open_role(tenant, json.loads(seed.read_text(encoding="utf-8")))
        await _ask(tenant.settings["ServiceBus"])
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            bodies = await _cards(http, f"http://127.0.0.1:{tenant.ports.directory}")
            seconds = []
            for body in bodies:
                seconds.append(await _press(http, tenant, approver, body))
                await _quiet(http, f"http://127.0.0.1:{tenant.ports.directory}", members=len(seconds))
        memory = {name: _resident(tenant.process(name)) for name in tenant.parts}
    return Cards(tuple(sorted(seconds[WARM_UP:])), memory)


def _seed(folder: Path) -> Path:
    seed = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
    people = [(_person(number), f"person{number}@contoso.example") for number in range(PEOPLE)]
    seed["users"] += [
        {"id": i, "displayName": n, "userPrincipalName": n, "mail": n, "employeeId": f"P{i[-4:]}"} for i, n in people
    ]
    seed["groups"] += [
        {"id": GROUP, "displayName": "Target", "members": []},
        {"id": ELIGIBLE, "displayName": "Everybody", "members": [identity for identity, _ in people]},
    ]
    file = folder / "seed.json"
    file.write_text(json.dumps(seed), encoding="utf-8")
    return file


def _person(number: int) -> str:
    return f"00000000-0000-4000-a000-{900_000 + number:012d}"


async def _open_role(tenant: Tenant, seed: dict[str, Any]) -> str:
    """Write the role that everybody may ask for; return the object id of its one approver."""
    approver = next(str(user["id"]) for user in seed["users"] if user["userPrincipalName"] == APPROVER).lower()
    settings = read(tenant.settings)
    credential = build_credential(settings)
    tables = build_tables(settings, credential)
    register, author = TableRegister(tables), Author(by="bench", through="bench", at=datetime.now(UTC))
    role = RoleSettings(
        key="target",
        name="Target",
        target=Target(Source.GROUP_MEMBER, GROUP),
        maximum_duration=timedelta(hours=8),
        default_duration=timedelta(hours=4),
        approval=ApprovalDemand(users=(approver,)),
        version=0,
    )
    await register.put_role(role, author)
    await register.put_eligibility(Eligibility(principal=ELIGIBLE, role="target", through_group=True), author)
    await tables.close()
    await credential.close()
    return approver


async def _ask(connection: str) -> None:
    requests = [
        {"requestId": f"run-{number}", "requester": _person(number), "role": "target", "justification": "A benchmark"}
        for number in range(PEOPLE)
    ]
    async with (
        ServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender("activation-requests") as sender,
    ):
        await sender.send_messages([ServiceBusMessage(json.dumps(request).encode()) for request in requests])


async def _cards(http: httpx.AsyncClient, directory: str) -> list[str]:
    """Wait for every card, and return what their Approve buttons send."""
    mails: list[dict[str, Any]] = []
    while len(mails) < PEOPLE:
        await asyncio.sleep(0.5)
        mails = (await http.get(f"{directory}/admin/mail", params={"address": APPROVER})).json()
    cards = [json.loads(mail["html"].split('adaptivecard+json">')[1].split("</script>")[0]) for mail in mails]
    return [str(card["actions"][0]["body"]).replace("{{note.value}}", "") for card in cards]


async def _press(http: httpx.AsyncClient, tenant: Tenant, approver: str, body: str) -> float:
    order = {
        "kind": "actionable-message",
        "user": approver,
        "audience": tenant.settings["CARD_CLIENT_ID"],
        "scope": tenant.settings["CARD_SCOPE"],
    }
    directory, app = f"http://127.0.0.1:{tenant.ports.directory}", f"http://127.0.0.1:{tenant.ports.host}"
    token = (await http.post(f"{directory}/admin/token", json=order)).json()["access_token"]
    began = time.perf_counter()
    answer = await http.post(
        f"{app}/api/cards/decide",
        content=body,
        headers={"Action-Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
    )
    took = time.perf_counter() - began
    answer.raise_for_status()
    return took


async def _quiet(http: httpx.AsyncClient, directory: str, *, members: int) -> None:
    """Wait until what the last press set going is done, as it is when people decide seconds apart."""
    while len((await http.get(f"{directory}/admin/groups/{GROUP}/members")).json()) < members:  # noqa: ASYNC110 - another process is waited for
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.7)


def _resident(process: int) -> int:
    """Return the resident memory of a process, in MiB."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0
