"""What drives a broker in an event loop: it commits, lets connections write, and wakes up for what is due.

One *turn* is all that happened in one pass of the loop, on any connection. Its changes are committed in one
transaction, and only then does anybody hear of them.
"""

import asyncio
import logging
import socket
import sqlite3

from local.service_bus.network.access import SharedAccessKey
from local.service_bus.network.connection import Connection
from local.service_bus.network.errors import ProtocolViolationError
from local.service_bus.network.limits import IDLE_TIMEOUT
from local.service_bus.semantics.broker import Broker
from local.service_bus.storage import Storage

HOST = "127.0.0.1"  # an emulator is nobody else's business
FAREWELL = 0.5  # seconds for clients to read that the broker stops
LONGEST_SLEEP = 3600.0  # seconds: wall clocks move

_log = logging.getLogger(__name__)


class Driver:
    """Serves one broker."""

    def __init__(
        self,
        broker: Broker,
        storage: Storage | None,
        *,
        shared_access_key: SharedAccessKey | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        """``storage`` None keeps everything in memory. ``idle_timeout`` is in seconds."""
        self.broker = broker
        self.shared_access_key = shared_access_key
        self.idle_timeout = idle_timeout
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._to_flush: set[Connection] = set()
        self._turn_is_due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Take connections from a listening socket."""
        self._server = await self._loop.create_server(lambda: Connection(self), sock=listener)
        self.touched()

    async def stop(self) -> None:
        """Say goodbye to every connection, commit what there is, and listen no more."""
        if self._server:
            self._server.close()
        for connection in list(self._connections):
            connection.close(ProtocolViolationError("amqp:connection:forced", "The broker is stopping."))
        self.end_turn()
        if self._server:
            try:
                await asyncio.wait_for(self._server.wait_closed(), FAREWELL)
            except TimeoutError:
                self._server.abort_clients()
        if self._alarm:
            self._alarm.cancel()
        self.failure.cancel()

    # For connections and for admin

    def opened(self, connection: Connection) -> None:
        """A connection has been made."""
        self._connections.add(connection)

    def touched(self, connection: Connection | None = None) -> None:
        """Something may have changed, and the connection has bytes to write: commit, then flush."""
        if connection:
            self._to_flush.add(connection)
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self.end_turn)

    def closed(self, connection: Connection) -> None:
        """A connection has been lost."""
        self._connections.discard(connection)
        self._to_flush.discard(connection)
        self.touched()

    def end_turn(self) -> None:
        """Commit, let connections write, and set the alarm for what is due next."""
        self._turn_is_due = False
        if self.failure.done():
            return
        self.broker.run_due()
        changes = self.broker.take_changes()
        if changes and self._storage:
            try:
                self._storage.commit(changes)
            except sqlite3.Error as error:
                self._fail(error)
                return
        flushing, self._to_flush = self._to_flush, set()
        for connection in flushing:
            connection.flush()
        self._set_alarm()

    # Inside

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        due_at = self.broker.next_due_at()
        if due_at is not None:
            wait = min(max(due_at - self.broker.clock(), 0), LONGEST_SLEEP)
            self._alarm = self._loop.call_later(wait, self.touched)

    def _fail(self, error: sqlite3.Error) -> None:
        """Stop serving: what can't be kept must not be acknowledged."""
        _log.critical("service_bus.storage.failed", exc_info=error)
        self.failure.set_exception(error)
        for connection in self._connections:
            connection.abort()
