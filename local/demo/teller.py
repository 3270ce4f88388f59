"""What every part of the story does: send as a flow does, look into inboxes, read the record, run the command."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from access.model import State
from local.demo.timeline import Timeline
from local.demo.world import World

ROOT = Path(__file__).parents[2]
ADA, BO = "ada@contoso.example", "bo@contoso.example"
CY, DEE = "cy@contoso.example", "dee@contoso.example"
HELD_FOR = "PT20S"


def request_body(run: str, name: str, **fields: object) -> bytes:
    """Return what the flow sends: Ada's day account asks for her admin account, for a while."""
    body = {
        "version": 1,
        "action": "activate",
        "requestId": f"{run}-{name}",
        "flow": "Request privileged access",
        "requester": ADA,
        "principal": "ada.admin@contoso.example",
        "role": "backup-operators",
        "duration": HELD_FOR,
        "justification": "Restore the finance share: INC0012345",
        **fields,
    }
    return json.dumps(body).encode()


class Teller:
    """Tells a part of the story. ``ids`` are the object ids of the sample tenant, by name."""

    def __init__(self, world: World, timeline: Timeline, ids: dict[str, str], run: str) -> None:
        self._world = world
        self._timeline = timeline
        self._ids = ids
        self._run = run
        self.figures: dict[str, str] = {}

    async def _send(self, name: str, body: bytes) -> str:
        await self._world.send(body, message_id=f"{self._run}-{name}", correlation_id=f"{self._run}-{name}")
        return self._world.id_of(body)

    async def _is(self, activation: str, state: State) -> bool:
        found = await self._world.activation(activation)
        return found is not None and found.state is state

    async def _mail(self, address: str, words: str, *, about: str) -> dict[str, Any] | None:
        mails = await self._world.mails(address)
        return next((mail for mail in mails if words in mail["subject"] and about in mail["html"]), None)

    async def _told(self, address: str, words: str, activation: str) -> bool:
        return await self._mail(address, words, about=activation) is not None

    async def _command(self, *words: str) -> tuple[int, str]:
        """Run ``hourglass`` as ops do, and return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hourglass", *words),
            cwd=ROOT,
            env={**os.environ, **self._world.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()
