"""``python -m local.directory``: ready line, port, the end, and what a kill leaves."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.directory.testing import SAMPLE_TENANT, AdminClient

from .people import ADA_ADMIN, BACKUP_OPERATORS

pytestmark = pytest.mark.real

REPOSITORY = SAMPLE_TENANT.parents[1]


def command(*options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "local.directory", *options]
    return subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], AdminClient]]:
    process = command("--port", "0", *options)
    assert process.stdout is not None
    try:
        line = json.loads(process.stdout.readline())
        assert line["ready"] is True
        admin = AdminClient(f"http://127.0.0.1:{line['port']}")
        yield process, admin
        admin.close()
    finally:
        process.kill()
        process.communicate()


def test_it_says_when_it_is_ready_and_ends_quietly_when_told() -> None:
    with running() as (process, admin):
        assert admin.get("")["domain"] == "contoso.example"

        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)

        assert (process.returncode, complaints) == (0, "")


def test_it_does_not_wait_for_a_silence_that_was_scripted() -> None:
    with running() as (process, admin):
        admin.faults({"kind": "time-out", "seconds": 60, "landsAfter": 30}, {"kind": "lost-answer"})
        for error, patience in ((httpx.ReadTimeout, 0.2), (httpx.RemoteProtocolError, 20)):
            with pytest.raises(error):
                httpx.get(f"{admin.url}/v1.0/users", timeout=patience, trust_env=False)

        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)

        assert (process.returncode, complaints) == (0, "")


def test_a_killed_directory_comes_back_with_all_it_had_answered(tmp_path: Path) -> None:
    with running("--data", str(tmp_path)) as (process, admin):
        admin.add_member(BACKUP_OPERATORS, ADA_ADMIN)
        process.kill()

    with running("--data", str(tmp_path)) as (_, admin):
        assert admin.members(BACKUP_OPERATORS) == [ADA_ADMIN]


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = command("--port", str(port))
        _, complaints = process.communicate(timeout=20)

    assert process.returncode == 1
    assert complaints == f"local.directory: cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def test_a_missing_seed_is_one_clear_line(tmp_path: Path) -> None:
    process = command("--port", "0", "--seed", str(tmp_path / "nothing.json"))
    _, complaints = process.communicate(timeout=20)

    assert process.returncode == 1
    assert complaints.startswith("local.directory: cannot read the seed")
    assert complaints.count("\n") == 1
