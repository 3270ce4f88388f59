"""A broker inside a test: it runs in a thread and an event loop of its own, on ports that the system chooses."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.service_bus.network.access import SharedAccessKey
from local.service_bus.network.limits import IDLE_TIMEOUT
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.topology import Topology
from local.service_bus.server import Options, Running, serve

PATIENCE = 10.0  # seconds for the broker to start, to stop, or to answer a call


class RunningBroker:
    """A broker to use as a context manager.

    ``topology`` is a file, the parsed content of one, or a ``Topology``. ``data`` is a directory; None keeps everything
    in memory. Its clock is the wall clock until ``advance`` moves it.
    """

    def __init__(
        self,
        *,
        topology: Topology | Mapping[str, Any] | Path,
        data: Path | None = None,
        port: int = 0,
        shared_access_key: SharedAccessKey | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self._ahead = 0.0  # seconds
        self._options = Options(
            topology=_topology(topology),
            port=port,
            data=data,
            shared_access_key=shared_access_key,
            idle_timeout=idle_timeout,
            clock=lambda: time.time() + self._ahead,
        )
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service-bus", daemon=True)
        self._running: Running | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Start the broker; return when it listens."""
        self._thread.start()
        if not self._started.wait(PATIENCE):
            raise TimeoutError("the broker does not start")
        if self._failure:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the broker; raise what it failed with, if it did."""
        if self._loop and self._stop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise TimeoutError("the broker does not stop")
        if self._failure:
            raise self._failure

    @property
    def port(self) -> int:
        """The AMQP port."""
        return self._now().port

    @property
    def admin_url(self) -> str:
        """Where the admin API is, without a slash at the end."""
        return f"http://127.0.0.1:{self._now().admin_port}"

    @property
    def connection_string(self) -> str:
        """What clients connect with."""
        key = self._options.shared_access_key or SharedAccessKey("local", "eA==")
        return (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName={key.name};"
            f"SharedAccessKey={key.key};UseDevelopmentEmulator=true;"
        )

    @property
    def broker(self) -> Broker:
        """The broker itself, which is to be touched in its own thread only: see ``call``."""
        return self._now().driver.broker

    def call[T](self, action: Callable[[Broker], T]) -> T:
        """Return what ``action`` says about the broker, or does to it, in the broker's thread."""
        if self._loop is None:
            raise RuntimeError("the broker does not run")

        async def act() -> T:
            driver = self._now().driver
            result = action(driver.broker)
            driver.end_turn()
            return result

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(PATIENCE)

    def advance(self, seconds: float) -> None:
        """Move the broker's clock ahead; what is due then has been done when this returns."""

        def move(_: Broker) -> None:
            self._ahead += seconds

        self.call(move)

    def _now(self) -> Running:
        if self._running is None:
            raise RuntimeError("the broker does not run")
        return self._running

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that started this one
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with serve(self._options) as self._running:
            self._started.set()
            await self._running.until(self._stop)


def _topology(given: Topology | Mapping[str, Any] | Path) -> Topology:
    if isinstance(given, Topology):
        return given
    return Topology.load(given) if isinstance(given, Path) else Topology.of(given)
