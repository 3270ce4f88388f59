"""How a tenant starts, reports and stops its parts; the parts are stand-ins."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.tenant import Part, PartDied, Ports, Tenant, TenantProblem
from local.tenant.record import TenantRecord, is_alive

pytestmark = pytest.mark.real

PROGRAM = Path(__file__).parent / "programs" / "part.py"
ROOT = Path(__file__).resolve().parents[3]


class Stage:
    """A place for a tenant of stand-ins, with the journal that they write."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.journal = directory / "journal"

    def part(self, name: str, *flags: str, **options: Any) -> Part:
        command = (sys.executable, str(PROGRAM), name, str(self.journal), *flags)
        return Part(name=name, command=command, **options)

    def tenant(self, *parts: Part) -> Tenant:
        return Tenant(self.state, ports=Ports.free(), parts=parts)

    def happened(self) -> list[tuple[str, str]]:
        if not self.journal.exists():
            return []
        lines = [line.split() for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [(what, name) for what, name, _ in lines]

    def processes(self) -> dict[str, int]:
        lines = [line.split() for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return {name: int(process) for _, name, process in lines}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


async def test_parts_start_after_those_they_wait_for_and_stop_before_them(stage: Stage) -> None:
    parts = [
        stage.part("host", after=("storage", "broker")),
        stage.part("storage"),
        stage.part("broker", after=("storage",)),
    ]

    async with stage.tenant(*parts):
        started = stage.happened()

    assert started == [("started", "storage"), ("started", "broker"), ("started", "host")]
    assert stage.happened()[3:] == [("stopped", "host"), ("stopped", "broker"), ("stopped", "storage")]


async def test_a_port_that_is_taken_is_said_with_its_part_and_its_flag_before_anything_starts(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        parts = [stage.part("storage"), stage.part("broker", ports={"broker_admin": port})]

        with pytest.raises(TenantProblem, match=f"broker: port {port} is taken; move it with --broker-admin-port"):
            await stage.tenant(*parts).__aenter__()

    assert stage.happened() == []


async def test_a_part_that_does_not_come_up_is_reported_with_its_log_and_nothing_stays(stage: Stage) -> None:
    parts = [stage.part("storage"), stage.part("broker", "--never-ready", after=("storage",))]

    with pytest.raises(PartDied, match=r"broker ended with code 3.*\nthe reason why it is not ready"):
        await stage.tenant(*parts).__aenter__()

    assert ("stopped", "storage") in stage.happened()


async def test_a_part_that_is_not_ready_in_time_is_given_up(stage: Stage) -> None:
    silent = stage.part("broker", speaks=False, ports={"broker": Ports.free().broker}, start_limit=0.5)

    with pytest.raises(TenantProblem, match="broker was not ready after 0 s"):
        await stage.tenant(silent).__aenter__()


async def test_a_part_without_words_is_ready_when_its_ports_answer(stage: Stage) -> None:
    port = Ports.free().blob

    async with stage.tenant(stage.part("storage", "--port", str(port), speaks=False, ports={"blob": port})):
        socket.create_connection(("127.0.0.1", port)).close()


async def test_a_part_that_dies_later_is_reported_by_name_with_its_last_lines(stage: Stage) -> None:
    async with stage.tenant(stage.part("storage"), stage.part("broker")) as tenant:
        os.kill(stage.processes()["broker"], signal.SIGUSR1)

        async with asyncio.timeout(20):
            death = await tenant.next_death()

        assert death.name == "broker"
        assert "ended with code 4" in str(death)
        assert "the reason why it died" in str(death)
        assert tenant.is_running("storage")
        assert not tenant.is_running("broker")


async def test_a_part_can_be_killed_and_started_again_without_an_alarm(stage: Stage) -> None:
    async with stage.tenant(stage.part("storage"), stage.part("broker")) as tenant:
        before = stage.processes()["broker"]

        await tenant.kill("broker")
        assert not is_alive(before)
        await tenant.start("broker")
        await tenant.restart("storage")

        assert stage.happened()[2:] == [("started", "broker"), ("stopped", "storage"), ("started", "storage")]
        assert stage.processes()["broker"] != before
        with pytest.raises(TenantProblem, match="broker runs already"):
            await tenant.start("broker")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tenant.next_death()


async def test_a_part_that_does_not_listen_is_ended_all_the_same_with_what_it_started(stage: Stage) -> None:
    deaf = stage.part("broker", "--deaf", "--with-child", stop_limit=0.2)

    async with stage.tenant(deaf):
        child = next(int(what.removeprefix("child-")) for what, _ in stage.happened() if what.startswith("child-"))
        assert is_alive(child)

    assert not is_alive(stage.processes()["broker"])
    until(lambda: not is_alive(child))


async def test_everything_a_part_writes_is_in_its_log_and_its_process_is_on_record(stage: Stage) -> None:
    async with stage.tenant(stage.part("storage", url="http://127.0.0.1:1")) as tenant:
        record = TenantRecord.read(stage.state)

        assert record is not None
        assert (record.id, record.ready, record.lives()) == (os.getpid(), True, True)
        (part,) = record.parts
        assert (part.name, part.id, part.url) == ("storage", stage.processes()["storage"], "http://127.0.0.1:1")
        assert tenant.log_of("storage").read_text(encoding="utf-8") == '{"ready": true}\n'

    assert TenantRecord.read(stage.state) is None


async def test_the_app_gets_the_settings_and_a_host_what_is_its_own(stage: Stage) -> None:
    script = (
        "import os; print(os.environ['TENANT_ID'], os.environ['PART'], os.environ['MINE']); print('{\"ready\": true}')"
    )
    command = (sys.executable, "-c", script + "; import time; time.sleep(600)")
    worker = Part(name="worker", command=command, gets_settings=True, environment={"PART": "worker"})
    tenant = Tenant(stage.state, ports=Ports.free(), parts=[worker], extra={"MINE": "extra"})

    async with tenant:
        said = tenant.log_of("worker").read_text(encoding="utf-8")

    assert said.startswith(f"{tenant.settings['TENANT_ID']} worker extra\n")


def test_keys_are_made_once_per_tenant_and_are_for_its_owner_alone(tmp_path: Path) -> None:
    first, again = (Tenant(tmp_path / "one", parts=[]).settings for _ in range(2))
    other = Tenant(tmp_path / "two", parts=[]).settings

    assert first["CARD_KEYS"] == again["CARD_KEYS"]
    assert first["CARD_KEYS"] != other["CARD_KEYS"]
    assert stat.S_IMODE((tmp_path / "one" / "keys.json").stat().st_mode) == 0o600


def test_the_parts_end_when_their_manager_is_killed(stage: Stage) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from local.tenant import Part, Tenant\n"
        f"part = Part(name='broker', command=(sys.executable, {str(PROGRAM)!r}, 'broker', {str(stage.journal)!r}))\n"
        "async def main():\n"
        f"    async with Tenant(Path({str(stage.state)!r}), parts=[part]):\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    manager = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    until(lambda: ("started", "broker") in stage.happened())

    manager.kill()
    manager.wait()

    until(lambda: not is_alive(stage.processes()["broker"]))
