"""``python -m local.mailbox``: ready line, port and the end."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from local.directory.testing import SAMPLE_TENANT, RunningDirectory

pytestmark = pytest.mark.real


def command(*options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "local.mailbox", *options]
    place = SAMPLE_TENANT.parents[1]
    return subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_says_when_it_is_ready_and_ends_quietly_when_told(directory: RunningDirectory) -> None:
    process = command("--port", "0", "--directory", directory.url)
    assert process.stdout is not None
    try:
        port = json.loads(process.stdout.readline())["port"]
        page = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert "Bo Berg" in page.text
    assert (process.returncode, complaints) == (0, "")


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("--port", str(port))
        _, complaints = process.communicate(timeout=20)

    assert process.returncode == 1
    assert complaints == f"local.mailbox: cannot listen on 127.0.0.1:{port}: Address already in use.\n"
