"""The host is killed between the grant and its record; after a restart everything ends as it should."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from access.model import State
from local.demo.__main__ import TIMING, apply_roles, sample_ids
from local.demo.teller import BO, request_body
from local.demo.world import World
from local.tenant.ports import Ports
from local.tenant.tenant import Tenant

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


async def eventually(is_true: Callable[[], Awaitable[bool]], within: float) -> bool:
    limit = time.monotonic() + within
    while not await is_true():
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_a_host_killed_between_the_grant_and_its_record_leaves_nothing_behind(tmp_path: Path) -> None:
    ports, ids = Ports.free(), sample_ids()
    directory = f"http://127.0.0.1:{ports.directory}"
    async with (
        Tenant(tmp_path / "state", ports=ports, extra=TIMING) as tenant,
        World(tenant.settings, directory=directory, mailbox=f"http://127.0.0.1:{ports.mailbox}") as world,
    ):
        assert await apply_roles(tenant)
        body = request_body("run", "killed")
        activation = world.id_of(body)

        async def is_member() -> bool:
            return ids["ada.admin"] in await world.members(ids["target"])

        async def is_asked() -> bool:
            return bool(await world.mails(BO))

        async def is_in(state: State) -> bool:
            found = await world.activation(activation)
            return found is not None and found.state is state

        await world.send(body, message_id="killed", correlation_id="killed")
        assert await eventually(is_asked, 60)
        # The grant lands, and its answer never comes back: the worker can't record what it doesn't know.
        lost = {"kind": "lost-answer", "method": "POST", "path": r"/members/\$ref", "count": 1}
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.post(f"{directory}/admin/faults", json=[lost])).raise_for_status()
        assert (await world.press(BO, (await world.mails(BO))[0]["id"], "Approve"))["status"] == 200
        assert await eventually(is_member, 30)
        await tenant.kill("host")
        assert await is_in(State.PROVISIONING)
        await tenant.start("host")

        # Whether it becomes active first depends on how long the killed host's lock on the message lasts.
        assert await eventually(lambda: is_in(State.ENDED), 180)
        assert not await is_member()
        last = (await world.events(activation))[-1]
        assert (last["event"], json.loads(last["details"])["outcome"]) == ("removal.proven", "proven_gone")
