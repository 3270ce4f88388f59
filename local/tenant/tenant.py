"""A tenant: parts that start in order, side by side where they can, and stop in reverse order."""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local.tenant.app_settings import Seed, app_settings
from local.tenant.child import Child
from local.tenant.parts import ROOT, Part, standard_parts
from local.tenant.ports import Ports, flag, is_taken
from local.tenant.problems import PartDied, TenantProblem
from local.tenant.record import PartRecord, TenantRecord, born, forget
from local.tenant.secret_keys import SecretKeys, write_private

SETTINGS_FILE = "settings.json"
DEFAULT_SEED = ROOT / "examples" / "tenant.json"


class Tenant:
    """The local tenant, or another set of parts; ``async with`` starts and stops it.

    ``settings`` is the environment that the app and the ``hourglass`` command need; ``extra`` is added to it, and wins.
    They are also in ``settings.json`` in the state directory while the tenant is up.
    With ``split`` the app runs as two hosts (``web``, ``worker``) instead of one (``host``). The thread that starts a
    tenant must outlive it: the kernel ends the parts with the thread.
    """

    def __init__(
        self,
        state: Path,
        *,
        ports: Ports | None = None,
        parts: Sequence[Part] | None = None,
        seed: Path = DEFAULT_SEED,
        app: Path = ROOT,
        split: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.state = state.resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "logs").mkdir(exist_ok=True)
        self.ports = ports or Ports()
        keys = SecretKeys.of(self.state)
        self.settings = app_settings(self.ports, Seed.read(seed), keys) | dict(extra or {})
        if parts is None:
            parts = standard_parts(self.ports, self.state, seed=seed.resolve(), app=app.resolve(), split=split)
        self.parts = {part.name: part for part in parts}
        self._children: dict[str, Child] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._deaths: asyncio.Queue[PartDied] = asyncio.Queue()
        self._ready = False

    async def __aenter__(self) -> Self:
        """Start every part.

        Raises:
            TenantProblem: a port is taken, a part can't start, or the tenant is up already; nothing stays behind.
        """
        record = TenantRecord.read(self.state)
        if record is not None and record.lives() and record.id != os.getpid():
            raise TenantProblem(f"the tenant in {self.state} is up already (process {record.id}); take it down first")
        for part in self.parts.values():
            _check_ports(part)
        for name in self.parts:
            if self.log_of(name).exists():
                self.log_of(name).replace(self.log_of(name).with_suffix(".previous.log"))
        write_private(self.state / SETTINGS_FILE, json.dumps(self.settings, indent=1) + "\n")
        try:
            await self._start_in_order()
        except BaseException:
            await self.close()
            raise
        self._ready = True
        self._record()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every part."""
        await self.close()

    async def start(self, name: str) -> None:
        """Start a part that does not run, and wait until it is ready.

        Raises:
            TenantProblem: its port is taken, or it did not become ready; the message ends with its log.
        """
        part = self.parts[name]
        if name in self._children:
            raise TenantProblem(f"{name} runs already")
        _check_ports(part)
        child = await Child.start(
            part, self.state / "logs" / f"{name}.log", environment=self._environment(part), directory=ROOT
        )
        self._children[name] = child
        try:
            await child.wait_until_ready()
        except TenantProblem:
            await self.stop(name)
            raise
        watch = asyncio.create_task(self._watch(child))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        self._record()

    async def stop(self, name: str) -> None:
        """Stop a part with SIGTERM, and with SIGKILL when it takes too long; one that does not run is left alone."""
        if (child := self._children.pop(name, None)) is not None:
            await child.stop()
            self._record()

    async def kill(self, name: str) -> None:
        """End a part with SIGKILL."""
        if (child := self._children.pop(name, None)) is not None:
            await child.kill()
            self._record()

    async def restart(self, name: str) -> None:
        """Stop a part if it runs, and start it."""
        await self.stop(name)
        await self.start(name)

    def is_running(self, name: str) -> bool:
        """Return whether a part runs."""
        return name in self._children

    def process(self, name: str) -> int:
        """Return the process id of a part that runs.

        Raises:
            KeyError: it does not run.
        """
        return self._children[name].id

    def log_of(self, name: str) -> Path:
        """Return the file with everything a part wrote."""
        return self.state / "logs" / f"{name}.log"

    async def next_death(self) -> PartDied:
        """Return the next part that ended although nobody asked it to."""
        return await self._deaths.get()

    async def close(self) -> None:
        """Stop everything that runs, in reverse order; parts that do not wait for one another stop together."""
        self._ready = False
        while self._children:
            needed = {other for name in self._children for other in self.parts[name].after}
            last = [name for name in self._children if name not in needed] or list(self._children)
            await asyncio.gather(*(self.stop(name) for name in last))
        await asyncio.gather(*self._watches, return_exceptions=True)
        (self.state / SETTINGS_FILE).unlink(missing_ok=True)
        forget(self.state)

    async def _start_in_order(self) -> None:
        ready = {name: asyncio.Event() for name in self.parts}

        async def begin(part: Part) -> None:
            for other in part.after:
                if other in ready:
                    await ready[other].wait()
            await self.start(part.name)
            ready[part.name].set()

        starting = [asyncio.create_task(begin(part)) for part in self.parts.values()]
        try:
            for begun in asyncio.as_completed(starting):
                await begun
        finally:
            for task in starting:
                task.cancel()
            await asyncio.gather(*starting, return_exceptions=True)

    async def _watch(self, child: Child) -> None:
        code = await child.wait()
        if not child.expected_to_end:
            # What it started itself must not stay.
            await child.kill()
            self._children.pop(child.part.name, None)
            self._record()
            self._deaths.put_nowait(PartDied(child.part.name, code, child.last_lines()))

    def _environment(self, part: Part) -> dict[str, str]:
        environment = dict(os.environ)
        # A proxy is for the world outside: the parts talk to one another.
        for variable in ("NO_PROXY", "no_proxy"):
            environment[variable] = ",".join(filter(None, ("127.0.0.1,localhost", os.environ.get(variable))))
        if part.gets_settings:
            environment |= self.settings
        return environment | dict(part.environment)

    def _record(self) -> None:
        process = os.getpid()
        parts = [
            PartRecord(name, self._children[name].id if name in self._children else 0, part.url, str(self.log_of(name)))
            for name, part in self.parts.items()
        ]
        with contextlib.suppress(OSError):
            TenantRecord(process, born(process), self._ready, parts).write(self.state)


def _check_ports(part: Part) -> None:
    for name, port in part.ports.items():
        if is_taken(port):
            raise TenantProblem(f"{part.name}: port {port} is taken; move it with {flag(name)} PORT")
