"""One child process: started under a guard, its output in a log file, stopped with all it started itself."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from local.tenant.parts import Part
from local.tenant.ports import HOST
from local.tenant.problems import PartDied, TenantProblem

_GUARD = Path(__file__).with_name("guard.py")
_LOOK_AGAIN = 0.03
_LAST_LINES = 15


class Child:
    """A running part."""

    def __init__(self, part: Part, process: asyncio.subprocess.Process, log: Path, begins_at: int) -> None:
        self.part = part
        self.log = log
        self.expected_to_end = False
        self._process = process
        self._begins_at = begins_at

    @classmethod
    async def start(cls, part: Part, log: Path, *, environment: Mapping[str, str], directory: Path) -> Self:
        """Start a part; it is not ready yet.

        Raises:
            TenantProblem: the command can't be started.
        """
        with log.open("ab") as output:
            begins_at = output.tell()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(_GUARD), str(os.getpid()), *part.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=directory,
                # A group of its own: Ctrl-C reaches the manager alone, and a stop reaches whatever the part started.
                start_new_session=True,
            )
        return cls(part, process, log, begins_at)

    @property
    def id(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait_until_ready(self) -> dict[str, Any]:
        """Return what the part says when it is ready (empty for one that says nothing).

        Raises:
            PartDied: it ended instead.
            TenantProblem: it was not ready in time.
        """
        try:
            async with asyncio.timeout(self.part.start_limit):
                while True:
                    if self._process.returncode is not None:
                        raise PartDied(self.part.name, self._process.returncode, self.last_lines())
                    if (said := await self._said()) is not None:
                        return said
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError as error:
            raise TenantProblem(
                f"{self.part.name} was not ready after {self.part.start_limit:.0f} s. "
                f"The last lines of its log:\n{self.last_lines()}"
            ) from error

    async def wait(self) -> int:
        """Return the exit code, once it has ended."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and make it when it does not."""
        self.expected_to_end = True
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.part.stop_limit):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        else:
            self._signal(signal.SIGKILL)  # what it started and left behind

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.expected_to_end = True
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def last_lines(self) -> str:
        """Return the end of what it wrote in this life."""
        return "\n".join(self._output().splitlines()[-_LAST_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _output(self) -> str:
        with self.log.open("rb") as reading:
            reading.seek(self._begins_at)
            return reading.read().decode("utf-8", errors="replace")

    async def _said(self) -> dict[str, Any] | None:
        if not self.part.speaks:
            return {} if await _all_answer(list(self.part.ports.values())) else None
        for line in self._output().splitlines():
            if line.startswith("{") and '"ready"' in line:
                with contextlib.suppress(ValueError):
                    said = json.loads(line)
                    if isinstance(said, dict) and said.get("ready") is True:
                        return said
        return None


async def _all_answer(ports: list[int]) -> bool:
    for port in ports:
        try:
            _, writing = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writing.close()
        with contextlib.suppress(OSError):
            await writing.wait_closed()
    return True
