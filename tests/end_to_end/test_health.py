"""Whether the sweep is alive, as a prober outside sees it, and the call that starts one; over HTTP on the tenant."""

import time
from pathlib import Path

import httpx
import pytest

from access.adapters import keys
from access.adapters.azure_tables import AzureTables
from access.adapters.build import build_credential, build_tables
from access.adapters.pulse import TablePulse
from access.adapters.settings import read
from local.tenant.ports import HOST, Ports
from local.tenant.tenant import Tenant
from tests.end_to_end.test_kill import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


async def test_the_sweep_is_called_for_with_a_key_and_seen_to_be_alive_without_one(tmp_path: Path) -> None:
    ports = Ports.free()
    async with (
        Tenant(tmp_path / "state", ports=ports) as tenant,
        httpx.AsyncClient(base_url=f"http://{HOST}:{ports.host}", trust_env=False, timeout=30) as web,
    ):
        key = {"x-functions-key": tenant.settings["FUNCTIONS_KEY"]}
        started_by = []

        async def swept() -> bool:
            beat = await TablePulse(tables).last_beat()
            started_by.append(beat.started_by if beat else "")
            return beat is not None

        settings = read(tenant.settings)
        tables: AzureTables = build_tables(settings, build_credential(settings))

        # Only who has the key, and only by a call that may change something.
        assert [(await web.post("/api/sweep")).status_code, (await web.get("/api/sweep", headers=key)).status_code] == [
            401,
            404,
        ]
        began = time.monotonic()
        assert (await web.post("/api/sweep", headers=key)).status_code == 202
        assert await eventually(swept, 90)
        assert time.monotonic() - began < 90

        ready, live = await web.get("/api/health/ready"), await web.get("/api/health/live")
        assert [(answer.status_code, answer.json()) for answer in (ready, live)] == [(200, {"sweep": "fresh"})] * 2
        assert {answer.headers["cache-control"] for answer in (ready, live)} == {"no-store"}

        # A record that can't be reached says no more to a stranger than a sweep that stands still.
        assert await tables.get("control", keys.HEARTBEAT, keys.TICK) is not None
        await tables.close()
        await tenant.kill("azurite")
        ready, live = await web.get("/api/health/ready"), await web.get("/api/health/live")
        assert [answer.status_code for answer in (ready, live)] == [503, 200]
        assert ready.content == live.content == b'{"sweep": "stale"}'
