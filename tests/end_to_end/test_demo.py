"""The demo is a test too: its story, on the local tenant, with the app in two parts as it is deployed."""

import asyncio
import os
import sys
from dataclasses import asdict

import pytest

from local.tenant.parts import ROOT
from local.tenant.ports import Ports

pytestmark = [pytest.mark.real, pytest.mark.timeout(200)]


async def test_every_step_of_the_demo_is_true_with_web_and_worker_apart() -> None:
    ports = {f"LOCAL_{name.upper()}_PORT": str(port) for name, port in asdict(Ports.free()).items()}

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "local.demo", "--split"),
        cwd=ROOT,
        env={**os.environ, **ports},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    assert "NOT TRUE" not in output.decode()
