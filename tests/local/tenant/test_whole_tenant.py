"""The whole tenant: every real part, and an app that touches them all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from local.tenant import Ports, Tenant

pytestmark = pytest.mark.real

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
