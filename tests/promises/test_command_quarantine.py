"""What the command promises over real sockets: what was set aside is listed, shown, and put back on its queue as it came."""

import asyncio
from base64 import b64decode
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner, Result

from access.adapters.clock import SystemClock
from access.adapters.quarantine import TableQuarantine
from hourglass.cli import app
from hourglass.outside import Tenant
from local.service_bus.testing import RunningBroker
from tests.promises.azurite import RunningAzurite

pytestmark = pytest.mark.real

QUEUE = "activation-requests"
BODY = b'\xff{"role": "\xc3\x84"'


@pytest.fixture
def storage() -> Iterator[RunningAzurite]:
    """Storage of its own: the command makes tables and a container, and nobody takes them away."""
    with RunningAzurite() as running:
        yield running


@pytest.fixture
def tenant(storage: RunningAzurite, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    for name in ("ServiceBus__fullyQualifiedNamespace", "LEDGER__accountName"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "TENANT_ID": "c0470500-0000-4000-8000-000000000001",
        "LEDGER": storage.connection_string,
        "ServiceBus": broker.connection_string,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Tenant(None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quarantine", *arguments], env={"COLUMNS": "100"}, prog_name="hourglass")


async def set_aside(tenant: Tenant) -> str:
    """Set a message aside, and return its id."""
    now = SystemClock().now()
    async with tenant.tables() as tables, tenant.blobs() as blobs:
        quarantine = TableQuarantine(tables, blobs)
        await quarantine.set_aside(
            queue=QUEUE,
            identity="m-1",
            code="HG-BODY-NOT-UTF8",
            what="the body is not UTF-8",
            body=BODY,
            properties={"flow": "Ä"},
            now=now,
            enqueued_at=now,
            correlation_id="run-1",
        )
        (entry,) = await quarantine.on(now)
    return entry.id


def test_a_message_is_listed_shown_and_put_back_as_it_came(tenant: Tenant, broker: RunningBroker) -> None:
    assert "0 messages since" in run("list").stdout
    identity = asyncio.run(set_aside(tenant))

    assert "1 message since" in run("list").stdout
    assert f"{len(BODY)} bytes, neither JSON nor text:" in run("show", identity).stdout
    replayed = run("replay", "--direct", "--yes", "--reason", "mended", identity)
    assert replayed.exit_code == 0, replayed.output

    waiting = httpx.get(f"{broker.admin_url}/entities/{QUEUE}/messages", trust_env=False).raise_for_status().json()
    (message,) = [message for message in waiting if message["state"] == "ready"]
    assert (b64decode(message["body"]), message["id"], message["correlationId"]) == (BODY, "m-1", "run-1")
    assert message["applicationProperties"] == {
        "flow": "Ä",
        "hourglass-identity": "m-1",
        "hourglass-replay": f"{identity}@1",
    }
    assert "0 messages since" in run("list").stdout
    assert "replayed by" in run("list", "--all").stdout
