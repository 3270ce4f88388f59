"""Serving on the loopback interface: as a process that says when it is ready, or in a thread of a test."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_PATIENCE_AT_THE_END = 2
_PATIENCE_AT_THE_BEGINNING = 10.0


class Connections:
    """The open connections of a server, so that a scripted fault can cut one or keep it in silence."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._held: set[asyncio.Task[Any]] = set()

    def belong_to(self, server: uvicorn.Server) -> None:
        """Say whose connections these are."""
        self._server = server

    def cut(self, scope: MutableMapping[str, Any]) -> None:
        """Cut the connection that a request came on; one that is gone already is no error."""
        for connection in list(self._server.server_state.connections) if self._server else ():
            if isinstance(connection, H11Protocol) and connection.client == tuple(scope["client"]):
                connection.transport.abort()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep a request waiting on purpose: what happens inside ends at once when the server stops."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is always answered by a task
        self._held.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                yield
        finally:
            self._held.discard(task)

    def let_go(self) -> None:
        """End every wait that was on purpose."""
        for task in self._held:
            task.cancel()


type Application = Callable[[str, Connections], ASGIApp]
"""Makes the application, once its own address and its server's connections are known."""


class LoopbackServer(uvicorn.Server):
    """uvicorn on 127.0.0.1, with a call when it is ready and a quiet end."""

    def __init__(self, make: Application, *, port: int, ready: Callable[[int], None]) -> None:
        """Take the port; 0 takes a free one.

        Raises:
            OSError: somebody else has the port.
        """
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._ready = ready
        self._open = connections = Connections()
        config = uvicorn.Config(
            make(self.url, connections),
            http=H11Protocol,
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_PATIENCE_AT_THE_END,
        )
        super().__init__(config)
        connections.belong_to(self)

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def run_here(self) -> None:
        """Serve until told to stop."""
        asyncio.run(self.serve(sockets=[self._socket]))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready(self.port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, without waiting for those who were kept waiting on purpose."""
        self._open.let_go()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM or SIGINT and leave with 0: being told to stop is no failure."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


def serve(name: str, make: Application, port: int) -> int:
    """Serve until SIGTERM; say ``{"ready": true, "port": N}`` on stdout; return the exit status."""

    def ready(actual_port: int) -> None:
        sys.stdout.write(json.dumps({"ready": True, "port": actual_port}) + "\n")
        sys.stdout.flush()

    try:
        server = LoopbackServer(make, port=port, ready=ready)
    except OSError as error:
        sys.stderr.write(f"{name}: cannot listen on 127.0.0.1:{port}: {os.strerror(error.errno or 0)}.\n")
        return 1
    server.run_here()
    return 0


class RunningServer:
    """A server in a thread and loop of its own, on a free port: a context manager."""

    def __init__(self, make: Application) -> None:
        self._ready = threading.Event()
        self._server = LoopbackServer(make, port=0, ready=lambda _port: self._ready.set())
        self._thread = threading.Thread(target=self._server.run_here, daemon=True)

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return self._server.url

    def __enter__(self) -> Self:
        """Start and wait until it answers."""
        self._thread.start()
        if not self._ready.wait(_PATIENCE_AT_THE_BEGINNING):
            raise TimeoutError("The server did not start.")
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop, and wait until the thread is gone."""
        self._server.should_exit = True
        self._thread.join()
