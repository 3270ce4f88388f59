"""The broker as a whole: topology, storage, AMQP port and admin port, started and stopped together."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from local.service_bus.admin import admin_application
from local.service_bus.network.access import SharedAccessKey
from local.service_bus.network.driver import HOST, Driver
from local.service_bus.network.limits import IDLE_TIMEOUT
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.entity import Clock
from local.service_bus.semantics.topology import Topology
from local.service_bus.storage import Storage

ADMIN_LAST_WORDS = 1  # seconds for admin requests under way when the broker stops


class PortTakenError(Exception):
    """Something else listens on the port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run a broker. Ports may be 0: the system chooses."""

    topology: Topology
    port: int = 0
    admin_port: int = 0
    data: Path | None = None  # a directory; None keeps everything in memory
    shared_access_key: SharedAccessKey | None = None  # None: tokens are not checked
    idle_timeout: float = IDLE_TIMEOUT  # seconds
    clock: Clock = time.time


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that serves."""

    driver: Driver
    port: int
    admin_port: int

    async def until(self, stopped: asyncio.Event) -> None:
        """Serve until the event is set.

        Raises:
            sqlite3.Error: the store failed; the broker serves no more.
        """
        failure = self.driver.failure
        failure.add_done_callback(lambda _: stopped.set())
        await stopped.wait()
        if failure.done():
            failure.result()


@asynccontextmanager
async def serve(options: Options) -> AsyncIterator[Running]:
    """Run a broker as long as the context lasts.

    Raises:
        PortTakenError: a port is taken.
        StorageError: the data directory can't be used.
    """
    storage = Storage(options.data) if options.data else None
    try:
        broker = Broker(options.topology, clock=options.clock)
        if storage:
            _restore(broker, storage)
        driver = Driver(broker, storage, shared_access_key=options.shared_access_key, idle_timeout=options.idle_timeout)
        listener = _listen(options.port)
        try:
            await driver.start(listener)
            async with _serve_admin(driver, options.admin_port) as admin_port:
                yield Running(driver, _port_of(listener), admin_port)
        finally:
            await driver.stop()
            listener.close()
    finally:
        if storage:
            storage.close()


def _restore(broker: Broker, storage: Storage) -> None:
    snapshot = storage.load()
    for path in broker.restore(snapshot.messages, snapshot.sequence_numbers):
        print(f"service_bus: '{path}' is not in the topology; its messages stay on disk", file=sys.stderr)  # noqa: T201 - a command's own words


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTakenError(f"port {port} can't be used: {os.strerror(error.errno or 0)}") from error
    return listener


def _port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


class _AdminServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the command."""
        yield


@asynccontextmanager
async def _serve_admin(driver: Driver, port: int) -> AsyncIterator[int]:
    listener = _listen(port)
    config = uvicorn.Config(
        admin_application(driver),
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        ws="none",
        timeout_graceful_shutdown=ADMIN_LAST_WORDS,
    )
    server = _AdminServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _port_of(listener)
    finally:
        server.should_exit = True
        await serving
        listener.close()
