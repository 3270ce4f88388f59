"""A connection: protocol headers, SASL, open and close, idle time-outs, and the frames of its sessions."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol as Interface
from typing import cast

from local.service_bus.codec.frames import (
    EMPTY_FRAME,
    MIN_MAX_FRAME_SIZE,
    Frame,
    FrameReader,
    FramingError,
    Protocol,
    encode_frame,
    encode_sasl_frame,
)
from local.service_bus.codec.performatives import (
    Attach,
    Begin,
    Close,
    Composite,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from local.service_bus.codec.values import Array, CodecError, Symbol
from local.service_bus.network.access import Access, SharedAccessKey
from local.service_bus.network.errors import ProtocolViolationError, amqp_error
from local.service_bus.network.limits import (
    LAST_WORDS,
    MAX_CHANNEL,
    MAX_FRAME_SIZE,
    MAX_UNFINISHED,
    SHORTEST_HEARTBEAT,
    WRITE_AHEAD,
)
from local.service_bus.network.session import Session
from local.service_bus.semantics.broker import Broker

MECHANISMS = ("ANONYMOUS", "MSSBCBS")  # the latter is what .NET clients ask for; both mean: see $cbs

_log = logging.getLogger(__name__)


class Turns(Interface):
    """What a connection needs of the loop that drives the broker."""

    broker: Broker
    idle_timeout: float  # seconds
    shared_access_key: SharedAccessKey | None

    def opened(self, connection: "Connection") -> None:
        """A connection has been made."""

    def touched(self, connection: "Connection | None" = None) -> None:
        """Something may have changed, and the connection has bytes to write: commit, then flush."""

    def closed(self, connection: "Connection") -> None:
        """A connection has been lost."""


class Connection(asyncio.Protocol):
    """One peer. What it does wrong ends its own connection, and no other.

    Nothing is written before the driver calls ``flush``: it commits first, so that nobody is told what might be lost.
    """

    def __init__(self, driver: Turns) -> None:
        self.broker = driver.broker
        self.access = Access(driver.shared_access_key, driver.broker.clock)
        self.peer_max_frame_size = MIN_MAX_FRAME_SIZE
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(max_frame_size=MAX_FRAME_SIZE)
        self._step: Callable[[], bool] = self._read_header
        self._sessions: dict[int, Session] = {}
        self._outgoing: list[bytes] = []
        self._outgoing_size = 0
        self._unfinished_size = 0
        self._write_paused = False
        self._open = False
        self._closing = False
        self._last_heard_at = self._loop.time()
        self._alarms: list[asyncio.TimerHandle] = []

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to listen to the peer, and to its silence."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)
        self._driver.opened(self)
        self._repeat(self._driver.idle_timeout / 2, self._watch_for_silence)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer; after our close, only so that the peer gets to read it."""
        if self._closing:
            return
        self._last_heard_at = self._loop.time()
        self._reader.feed(data)
        self._advance()

    def pause_writing(self) -> None:
        """The peer is slow to read."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._write_paused = False
        self._resume()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Give back what the connection holds."""
        self._closing = True
        for alarm in self._alarms:
            alarm.cancel()
        for session in self._sessions.values():
            session.let_go()
        self._sessions.clear()
        self._driver.closed(self)

    # For the driver

    def flush(self) -> None:
        """Write what has been gathered; the changes that it tells of are committed."""
        stalled = not self.has_room()
        if self._outgoing and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
        self._outgoing_size = 0
        if self._closing:
            # Shutting a socket that has unread bytes resets it, and the peer would not learn why.
            self._shut_our_end()
        elif stalled and self.has_room():
            self._loop.call_soon(self._resume)

    def close(self, error: ProtocolViolationError | None = None) -> None:
        """Say goodbye, with the reason if there is one; the socket is shut when the peer has shut its end, or soon."""
        if self._closing:
            return
        if self._open:
            self.send(0, Close(error=amqp_error(error) if error else None))
        self._closing = True
        self._alarms.append(self._loop.call_later(LAST_WORDS, self._transport.abort))
        self._driver.touched(self)

    def abort(self) -> None:
        """Shut the socket without a word: nothing of what was gathered may be told."""
        self._closing = True
        self._outgoing.clear()
        self._transport.abort()

    # For sessions

    def has_room(self) -> bool:
        """Return whether the peer reads what it is sent."""
        return not self._write_paused and self._outgoing_size < WRITE_AHEAD

    def send(self, channel: int, body: Composite, payload: bytes = b"") -> None:
        """Send one frame, at the next flush."""
        self._write(encode_frame(channel, body, payload))

    def count_unfinished(self, size: int) -> None:
        """Account for bytes of messages whose last transfer has not come.

        Raises:
            ProtocolViolationError: they have become too many.
        """
        self._unfinished_size += size
        if self._unfinished_size > MAX_UNFINISHED:
            raise ProtocolViolationError("amqp:resource-limit-exceeded", "Too many unfinished messages.")

    # Inside

    def _shut_our_end(self) -> None:
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:  # the peer is gone already
            self._transport.abort()

    def _write(self, raw: bytes) -> None:
        if not self._closing:
            self._outgoing.append(raw)
            self._outgoing_size += len(raw)
            self._driver.touched(self)

    def _advance(self) -> None:
        """Do what the bytes that are here ask for, as long as the peer reads our answers."""
        try:
            while not self._closing and self.has_room() and self._step():
                pass
        except FramingError as error:
            self.close(ProtocolViolationError("amqp:connection:framing-error", str(error)))
        except CodecError as error:
            self.close(ProtocolViolationError("amqp:decode-error", str(error)))
        except ProtocolViolationError as error:
            self.close(error)
        except Exception:  # noqa: BLE001 - a mistake of ours must not take the other connections along
            _log.exception("service_bus.connection.failed")
            self.close(ProtocolViolationError("amqp:internal-error", "The broker made a mistake."))
        self._driver.touched()
        if not self._closing and not self.has_room():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._closing:
            return
        self._transport.resume_reading()
        self._advance()
        for session in list(self._sessions.values()):
            session.pump()

    def _read_header(self) -> bool:
        protocol = self._reader.next_header()
        if protocol is None:
            return False
        if protocol is Protocol.SASL:
            self._write(Protocol.SASL.header)
            offered = Array(Symbol(mechanism) for mechanism in MECHANISMS)
            self._write(encode_sasl_frame(SaslMechanisms(mechanisms=offered)))
            self._step = self._read_sasl
        elif protocol is Protocol.AMQP:
            self._write(Protocol.AMQP.header)
            self._step = self._read_frame
        else:
            self._write(Protocol.AMQP.header)  # what we would have spoken
            self.close()
        return True

    def _read_sasl(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        if not isinstance(frame.body, SaslInit):
            raise ProtocolViolationError("amqp:not-allowed", "A SASL init is expected.")
        known = frame.body.mechanism in MECHANISMS
        self._write(encode_sasl_frame(SaslOutcome(code=0 if known else 1)))
        if not known:
            self.close()
        self._step = self._read_header
        return True

    def _read_frame(self) -> bool:
        frame = self._reader.next_frame()
        if frame is None:
            return False
        body = frame.body
        if body is None:
            return True
        if isinstance(body, Close):
            self.close()
        elif isinstance(body, Open):
            self._on_open(body)
        elif not self._open:
            raise ProtocolViolationError("amqp:not-allowed", "An open is expected.")
        elif isinstance(body, Begin):
            self._on_begin(frame.channel, body)
        else:
            self._on_session_frame(frame, body)
        return True

    def _on_open(self, request: Open) -> None:
        if self._open:
            raise ProtocolViolationError("amqp:not-allowed", "The connection is already open.")
        if request.max_frame_size < MIN_MAX_FRAME_SIZE:
            raise ProtocolViolationError("amqp:invalid-field", f"Frames take {MIN_MAX_FRAME_SIZE} bytes at least.")
        self._open = True
        self.peer_max_frame_size = min(request.max_frame_size, MAX_FRAME_SIZE)
        self.send(
            0,
            Open(
                container_id="local.service_bus",
                max_frame_size=MAX_FRAME_SIZE,
                channel_max=MAX_CHANNEL,
                idle_time_out=round(self._driver.idle_timeout * 1000),
            ),
        )
        if request.idle_time_out:
            self._repeat(max(request.idle_time_out / 2000, SHORTEST_HEARTBEAT), lambda: self._write(EMPTY_FRAME))

    def _on_begin(self, channel: int, begin: Begin) -> None:
        if channel > MAX_CHANNEL or channel in self._sessions:
            raise ProtocolViolationError("amqp:not-allowed", f"The channel {channel} can't be used.")
        self._sessions[channel] = Session(self, channel, begin)

    def _on_session_frame(self, frame: Frame, body: Composite) -> None:
        session = self._sessions.get(frame.channel)
        if session is None:
            raise ProtocolViolationError("amqp:not-allowed", f"No session has begun on channel {frame.channel}.")
        match body:
            case Transfer():
                session.on_transfer(body, frame.payload)
            case Disposition():
                session.on_disposition(body)
            case Flow():
                session.on_flow(body)
            case Attach():
                session.on_attach(body)
            case Detach():
                session.on_detach(body)
            case End():
                del self._sessions[frame.channel]
                session.let_go()
                self.send(frame.channel, End())
            case _:
                raise ProtocolViolationError("amqp:not-allowed", f"{type(body).__name__} is not expected here.")

    def _watch_for_silence(self) -> None:
        if self._loop.time() - self._last_heard_at >= self._driver.idle_timeout:
            self.close(
                ProtocolViolationError(
                    "amqp:connection:forced",
                    f"The connection was silent for more than {self._driver.idle_timeout:g} seconds.",
                )
            )

    def _repeat(self, seconds: float, action: Callable[[], None]) -> None:
        place = len(self._alarms)

        def again() -> None:
            action()
            if not self._closing:
                self._alarms[place] = self._loop.call_later(seconds, again)

        self._alarms.append(self._loop.call_later(seconds, again))
