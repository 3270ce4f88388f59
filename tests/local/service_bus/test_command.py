"""The command: ready in one line, gone within a second, and nothing lost when it is killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.service_bus.__main__ import main
from local.service_bus.codec.performatives import ROLE_SENDER, Accepted, Disposition
from local.service_bus.testing import RunningBroker

from .peer import attach, session, transfer
from .samples import TOPOLOGY, Receiver, config, encoded_message, held, publish, queue

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "local.service_bus", "--port", "0", "--admin-port", "0"]
PATIENCE = 10  # seconds


class Command:
    """A broker in a process of its own."""

    def __init__(self, topology: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local.service_bus",
                "--topology",
                str(topology),
                "--port",
                "0",
                "--admin-port",
                "0",
                *arguments,
            ],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())

    def end(self, number: signal.Signals) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(PATIENCE)

    def messages(self, path: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"http://127.0.0.1:{self.ready['adminPort']}/entities/{path}/messages", params={"limit": 1000}
        )
        messages: list[dict[str, Any]] = answer.json()
        return messages


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    file = tmp_path / "topology.json"
    file.write_text(json.dumps(config(queues=[queue("requests")])), encoding="utf-8")
    return file


@pytest.fixture
def started() -> Iterator[list[Command]]:
    commands: list[Command] = []
    yield commands
    for command in commands:
        command.process.kill()
        command.process.wait()
        if command.process.stdout:
            command.process.stdout.close()


async def test_what_was_acknowledged_survives_a_kill_in_the_middle_of_sending(
    topology: Path, tmp_path: Path, started: list[Command]
) -> None:
    data = str(tmp_path / "data")
    started.append(Command(topology, "--data", data))
    acknowledged = 0

    async with session(started[0].ready["port"]) as peer:
        peer.say(attach(role=ROLE_SENDER))
        for number in range(500):
            peer.say(transfer(encoded_message(message_id=f"request-{number}"), delivery_id=number))
        with contextlib.suppress(ConnectionError, AssertionError):
            while True:
                outcome = await peer.hear(Disposition)
                assert isinstance(outcome.state, Accepted)
                acknowledged += 1
                if acknowledged == 100:
                    os.kill(started[0].process.pid, signal.SIGKILL)
    started[0].process.wait(PATIENCE)
    started.append(Command(topology, "--data", data))

    kept = [message["id"] for message in started[1].messages("requests")]
    assert acknowledged >= 100
    assert len(kept) >= acknowledged
    assert kept == [f"request-{number}" for number in range(len(kept))]


def test_a_locked_message_is_ready_again_after_a_restart(tmp_path: Path) -> None:
    with RunningBroker(topology=TOPOLOGY, data=tmp_path) as first:
        publish(first, b"Ada asks")
        first.call(lambda broker: Receiver(broker, "requests"))

    with RunningBroker(topology=TOPOLOGY, data=tmp_path) as second:
        assert held(second, "requests") == [(b"Ada asks", "ACTIVE")]
        assert second.call(lambda broker: broker.queue("requests").messages[1].delivery_count) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_even_with_a_client_connected(
    topology: Path, started: list[Command], number: signal.Signals
) -> None:
    started.append(Command(topology))
    with socket.create_connection(("127.0.0.1", started[0].ready["port"])):
        assert started[0].ready["ready"] is True

        assert started[0].end(number) == 0


def test_a_port_that_is_taken_is_said_in_one_line(topology: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        codes = [
            main(["--topology", str(topology), "--port", port, "--admin-port", "0"]),
            main(["--topology", str(topology), "--port", "0", "--admin-port", port]),
        ]

    said = capsys.readouterr()
    assert codes == [1, 1]
    assert said.out == ""
    assert [line.partition("port")[0] for line in said.err.splitlines()] == ["service_bus: "] * 2
    assert said.err.count(port) == 2


def test_a_topology_that_asks_for_sessions_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "topology.json"
    file.write_text(json.dumps(config(queues=[queue("requests", RequiresSession=True)])), encoding="utf-8")

    assert main(["--topology", str(file)]) == 1

    assert capsys.readouterr().err == (
        "service_bus: requests: RequiresSession is asked for, and this broker doesn't serve it\n"
    )


def test_a_data_directory_that_another_broker_has_is_refused(
    topology: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunningBroker(topology=TOPOLOGY, data=tmp_path / "data"):
        assert main(["--topology", str(topology), "--data", str(tmp_path / "data"), "--port", "0"]) == 1

    assert "another broker has it" in capsys.readouterr().err
