"""On the local tenant, through the real queue: ask, have it last longer, give it back; each once, though sent twice."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from access.adapters import keys
from access.adapters.build import build_credential, build_tables
from access.adapters.changes import Author
from access.adapters.ledger import Ledger
from access.adapters.register import TableRegister
from access.adapters.settings import read
from access.ids import activation_id
from access.model import Activation, Door, Eligibility, RoleSettings, Source, State, Target
from local.tenant.ports import Ports
from local.tenant.tenant import DEFAULT_SEED, Tenant

pytestmark = [pytest.mark.real, pytest.mark.timeout(200)]

QUEUE = "activation-requests"
WHO = "dee@contoso.example"
TIMING = {"CALL_LIMIT": "3", "CALL_TAIL": "2", "PROOF_WINDOW": "2"}


def _id_of(kind: str, name: str) -> str:
    seed = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
    named = "userPrincipalName" if kind == "users" else "displayName"
    return next(str(one["id"]) for one in seed[kind] if one[named] == name)


async def _say(connection: str, action: str, **fields: object) -> None:
    """Send one message twice, as a flow that tried again does."""
    body = {"version": 1, "action": action, "requestId": action, "requester": WHO, "role": "target", **fields}
    async with ServiceBusClient.from_connection_string(connection) as client, client.get_queue_sender(QUEUE) as sender:
        for _ in range(2):
            await sender.send_messages(ServiceBusMessage(json.dumps(body).encode(), message_id=action))


async def _until(store: Ledger, activation: str, state: State, *, longer: timedelta | None = None) -> Activation:
    began = time.monotonic()
    while time.monotonic() - began < 60:
        found = await store.activation(activation)
        if found is not None and found.state is state and longer in {None, found.duration}:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"{activation} did not become {state}")


async def test_what_was_given_lasts_longer_and_is_given_back_by_messages(tmp_path: Path) -> None:
    ports = Ports.free()
    async with Tenant(tmp_path / "state", ports=ports, extra=TIMING) as tenant:
        settings = read(tenant.settings)
        credential = build_credential(settings)
        tables = build_tables(settings, credential)
        await _open_role(TableRegister(tables))
        store = Ledger(tables, None, settings.timing)  # type: ignore[arg-type] # only reads
        bus = tenant.settings["ServiceBus"]
        activation = activation_id(
            tenant=settings.tenant, principal=WHO, door=Door.FLOW, source=QUEUE, request="activate"
        )

        await _say(bus, "activate", duration="PT1H", justification="Restore")
        given = await _until(store, activation, State.ACTIVE)
        await _say(bus, "extend", duration="PT1H", justification="It takes longer")
        longer = await _until(store, activation, State.ACTIVE, longer=timedelta(hours=2))
        await _say(bus, "deactivate")
        ended = await _until(store, activation, State.ENDED)

        start, end = keys.EVENTS
        events = [
            str(row.values["event"]) async for row in tables.query("activations", activation, start=start, end=end)
        ]
        await tables.close()
        await credential.close()

    assert given.ends_at is not None
    assert longer.ends_at == given.ends_at + timedelta(hours=1)
    assert ended.ended_how == "proven_gone"
    assert events == [
        "activation.accepted",
        "activation.provisioned",
        "activation.extended",
        "activation.deactivated",
        "removal.proven",
    ]


async def _open_role(register: TableRegister) -> None:
    author = Author(by="test", through="test", at=datetime.now(UTC))
    role = RoleSettings(
        key="target",
        name="Target",
        target=Target(Source.GROUP_MEMBER, _id_of("groups", "Helpdesk Tier 2")),
        maximum_duration=timedelta(hours=8),
        default_duration=timedelta(hours=1),
        version=0,
    )
    await register.put_role(role, author)
    await register.put_eligibility(Eligibility(principal=_id_of("users", WHO), role="target"), author)
