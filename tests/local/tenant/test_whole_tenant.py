"""The whole tenant: every real part, and an app that touches them all."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from local.tenant import Ports, Tenant
from local.tenant.ports import flag

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[3]
APP = Path(__file__).parent / "app"


@pytest.fixture
async def tenant(tmp_path: Path) -> AsyncIterator[Tenant]:
    async with Tenant(tmp_path, ports=Ports.free(), app=APP) as running:
        yield running


async def said(tenant: Tenant, part: str, text: str) -> None:
    """Wait until a part has written a text to its log."""
    async with asyncio.timeout(30):
        while text not in tenant.log_of(part).read_text(encoding="utf-8"):  # noqa: ASYNC110 - a small file
            await asyncio.sleep(0.05)


def client(tenant: Tenant) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=tenant.settings["PUBLIC_URL"], trust_env=False, timeout=30)


async def test_an_app_reaches_every_part_with_nothing_but_its_settings(tenant: Tenant) -> None:
    async with client(tenant) as calling:
        answer = await calling.post(
            "/say", content="hello", headers={"x-functions-key": tenant.settings["FUNCTIONS_KEY"]}
        )
        token = await calling.get("/token")

    assert answer.text == "all"
    assert token.text.count(".") == 2, "a token of the directory, through the real credential"
    await said(tenant, "host", '"body": "hello"')
    await said(tenant, "host", '"event": "ticked"')


async def test_an_app_carries_on_when_the_broker_is_killed_and_comes_back(tenant: Tenant) -> None:
    key = {"x-functions-key": tenant.settings["FUNCTIONS_KEY"]}
    async with client(tenant) as calling:
        await calling.post("/say", content="before", headers=key)
        await said(tenant, "host", '"body": "before"')

        await tenant.kill("broker")
        await tenant.start("broker")
        await calling.post("/say", content="after", headers=key)

    await said(tenant, "host", '"body": "after"')


async def test_the_app_runs_as_web_and_worker_side_by_side(tmp_path: Path) -> None:
    async with Tenant(tmp_path, ports=Ports.free(), app=APP, split=True) as tenant:
        async with client(tenant) as calling:
            answer = await calling.post("/say", headers={"x-functions-key": tenant.settings["FUNCTIONS_KEY"]})

        assert answer.text == "web"
        assert {name for name in tenant.parts if tenant.is_running(name)} == {
            "azurite",
            "broker",
            "directory",
            "mailbox",
            "web",
            "worker",
        }


def test_a_tenant_goes_up_and_down_at_the_terminal(tmp_path: Path) -> None:
    ports = Ports.free()
    flags = [text for name, port in asdict(ports).items() for text in (flag(name), str(port))]

    def command(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "local.tenant", name, "--state", str(tmp_path), *arguments]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    try:
        up = command("up", "--detach", "--app", str(APP), *flags)
        status = command("status")
        settings = command("settings")
        twice = command("up", "--app", str(APP), *flags)
    finally:
        down = command("down")

    assert up.returncode == 0, up.stderr
    assert f"http://127.0.0.1:{ports.mailbox}" in up.stdout
    assert status.returncode == 0
    assert "not running" not in status.stdout
    assert f"export PUBLIC_URL=http://127.0.0.1:{ports.host}\n" in settings.stdout
    assert (twice.returncode, "is up already" in twice.stderr) == (1, True)
    assert (down.returncode, down.stdout) == (0, "The tenant is down.\n")
    assert command("status").returncode == 1
