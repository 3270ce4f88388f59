"""Two hosts on one tenant, two hundred requests at once, half of them duplicates: everything happens exactly once."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from access.adapters import keys
from access.adapters.build import build_credential, build_tables
from access.adapters.changes import Author
from access.adapters.ledger import Ledger
from access.adapters.register import TableRegister
from access.adapters.settings import read
from access.adapters.tables import Tables
from access.ids import activation_id
from access.model import Door, Eligibility, RoleSettings, Source, State, Target
from local.tenant.parts import ROOT, standard_parts
from local.tenant.ports import Ports
from local.tenant.tenant import DEFAULT_SEED, Tenant

pytestmark = [pytest.mark.real, pytest.mark.timeout(280)]

PEOPLE = 100
GROUP = "00000000-0000-4000-b000-00000000cafe"
ELIGIBLE = "00000000-0000-4000-b000-00000000e1e1"
QUEUE = "activation-requests"


def _user(number: int) -> str:
    return f"00000000-0000-4000-a000-{number:012d}"


def _seed(folder: Path) -> Path:
    """A tenant of a hundred people who may all have one role."""
    seed = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
    people = [f"person{number}@contoso.example" for number in range(PEOPLE)]
    seed["users"] = [user for user in seed["users"] if user["userPrincipalName"].startswith("hourglass@")]
    seed["users"] += [
        {"id": _user(number), "displayName": f"Person {number}", "userPrincipalName": name, "mail": name}
        for number, name in enumerate(people)
    ]
    seed["groups"] = [
        {"id": GROUP, "displayName": "Target", "members": []},
        {"id": ELIGIBLE, "displayName": "Eligible", "members": [_user(number) for number in range(PEOPLE)]},
    ]
    file = folder / "seed.json"
    file.write_text(json.dumps(seed), encoding="utf-8")
    return file


async def test_two_hundred_requests_on_two_hosts_give_one_hundred_memberships(tmp_path: Path) -> None:
    ports, seed = Ports.free(), _seed(tmp_path)
    parts = standard_parts(ports, tmp_path / "state", seed=seed, app=ROOT, split=False)
    host = next(part for part in parts if part.name == "host")
    command = tuple(str(ports.worker) if text == str(ports.host) else text for text in host.command)
    parts.append(replace(host, name="second", command=command, ports={"worker": ports.worker}))

    async with Tenant(tmp_path / "state", ports=ports, seed=seed, parts=parts) as tenant:
        settings = read(tenant.settings)
        credential = build_credential(settings)
        tables = build_tables(settings, credential)
        await _open_role(TableRegister(tables))
        bodies = [_request(number) for number in range(PEOPLE)]
        await _send_twice(tenant.settings["ServiceBus"], bodies)

        store = Ledger(tables, None, settings.timing)  # type: ignore[arg-type] # only reads
        ids = [_id(settings.tenant, number) for number in range(PEOPLE)]
        states = await _settled(store, ids)
        async with httpx.AsyncClient(trust_env=False) as http:
            members = (await http.get(f"http://127.0.0.1:{ports.directory}/admin/groups/{GROUP}/members")).json()
            calls = (await http.get(f"http://127.0.0.1:{ports.directory}/admin/calls")).json()
            dead = await _dead_letters(http, ports.broker_admin)
        start, end = keys.EVENTS
        events = [
            [str(row.values["event"]) async for row in tables.query("activations", one, start=start, end=end)]
            for one in ids
        ]
        audited = await _audited(tables, expected=2 * PEOPLE)
        await tables.close()
        await credential.close()

    assert states == Counter({State.ACTIVE: PEOPLE})
    assert sorted(members) == sorted(_user(number) for number in range(PEOPLE))
    assert events == [["activation.accepted", "activation.provisioned"]] * PEOPLE
    assert audited == Counter(dict.fromkeys(ids, 2))
    added = [call for call in calls if call["method"] == "POST" and call["path"].endswith("/members/$ref")]
    assert len([call for call in added if call["status"] == 204]) == PEOPLE
    assert dead == 0


async def _open_role(register: TableRegister) -> None:
    author = Author(by="test", through="test", at=datetime.now(UTC))
    role = RoleSettings(
        key="target",
        name="Target",
        target=Target(Source.GROUP_MEMBER, GROUP),
        maximum_duration=timedelta(hours=8),
        default_duration=timedelta(hours=4),
        version=0,
    )
    await register.put_role(role, author)
    await register.put_eligibility(Eligibility(principal=ELIGIBLE, role="target", through_group=True), author)


def _request(number: int) -> bytes:
    who = f"person{number}@contoso.example"
    values = {"requestId": f"run-{number}", "requester": who, "role": "target", "justification": "A storm"}
    return json.dumps({"version": 1, "action": "activate", **values}).encode()


def _id(tenant: str, number: int) -> str:
    who = f"person{number}@contoso.example"
    return activation_id(tenant=tenant, principal=who, door=Door.FLOW, source=QUEUE, request=f"run-{number}")


async def _send_twice(connection: str, bodies: list[bytes]) -> None:
    async with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_sender(QUEUE) as sender:
        await sender.send_messages(
            [ServiceBusMessage(body, message_id=f"m-{number}") for number, body in enumerate(bodies) for _ in range(2)]
        )


async def _settled(store: Ledger, ids: list[str]) -> Counter[State]:
    """Wait until every request has its membership, and return the states there are then."""
    limit = time.monotonic() + 200
    while True:
        found = [await store.activation(one) for one in ids]
        states = Counter(activation.state for activation in found if activation is not None)
        if states[State.ACTIVE] == len(ids) or time.monotonic() > limit:
            return states
        await asyncio.sleep(1)


async def _audited(tables: Tables, *, expected: int) -> Counter[str]:
    """Wait until the outboxes have left, and return how many events of each activation the audit has."""
    limit = time.monotonic() + 60
    while True:
        days = {keys.day(datetime.now(UTC) - timedelta(minutes=minutes)) for minutes in (0, 30)}
        found: Counter[str] = Counter()
        for partition in (f"{day}-{shard}" for day in days for shard in keys.shards()):
            async for row in tables.query("audit", partition, start="0", end=keys.END):
                if "activation" in row.values:
                    found[str(row.values["activation"])] += 1
        if found.total() >= expected or time.monotonic() > limit:
            return found
        await asyncio.sleep(1)


async def _dead_letters(http: httpx.AsyncClient, admin_port: int) -> int:
    entities = (await http.get(f"http://127.0.0.1:{admin_port}/entities")).json()
    listed = entities.values() if isinstance(entities, dict) else entities
    return sum(int(entity["dead"]) for entity in listed)
