"""AMQP frames: cut a stream of bytes into protocol headers and frames, and write frames.

Source: OASIS AMQP 1.0, part 2.3 (framing).
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from local.service_bus.codec.decoding import decode
from local.service_bus.codec.performatives import Composite, composite
from local.service_bus.codec.values import CodecError

MIN_MAX_FRAME_SIZE = 512  # bytes: no peer may ask for less
HEADER_SIZE = 8  # bytes: of a protocol header, and of the shortest frame
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"

_HEAD = struct.Struct(">IBBH")


class FramingError(CodecError):
    """A frame's own header is wrong, so nothing after it can be trusted."""


class Protocol(IntEnum):
    """The protocol that a header asks for."""

    AMQP = 0
    TLS = 2
    SASL = 3

    @property
    def header(self) -> bytes:
        """The eight bytes that start this protocol, version 1.0.0."""
        return b"AMQP" + bytes((self, 1, 0, 0))


class Frame(NamedTuple):
    """One frame. ``body`` is None in an empty frame, which only says that the peer is alive."""

    channel: int
    body: Composite | None
    payload: bytes


class FrameReader:
    """Cuts what arrives into headers and frames, one at a time, never holding more than was fed."""

    def __init__(self, *, max_frame_size: int) -> None:
        self._max_frame_size = max_frame_size
        self._buffer = bytearray()
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire."""
        del self._buffer[: self._position]
        self._position = 0
        self._buffer += data

    def next_header(self) -> Protocol | None:
        """Return the protocol that the peer asks for, or None until eight bytes are here.

        Raises:
            FramingError: the bytes are not a header of AMQP 1.0.
        """
        raw = self._take(HEADER_SIZE)
        if raw is None:
            return None
        for protocol in Protocol:
            if raw == protocol.header:
                return protocol
        raise FramingError("not a protocol header of AMQP 1.0")

    def next_frame(self) -> Frame | None:
        """Return the next frame, or None until all of it is here.

        Raises:
            FramingError: the frame's size or data offset is out of bounds.
            CodecError: the frame's body is malformed or unknown.
        """
        if len(self._buffer) - self._position < HEADER_SIZE:
            return None
        size, offset, _, channel = _HEAD.unpack_from(self._buffer, self._position)
        if not HEADER_SIZE <= size <= self._max_frame_size:
            raise FramingError(f"a frame of {size} bytes: {HEADER_SIZE} to {self._max_frame_size} are taken")
        if not HEADER_SIZE <= offset * 4 <= size:
            raise FramingError(f"a data offset of {offset} words in a frame of {size} bytes")
        raw = self._take(size)
        if raw is None:
            return None
        if size == offset * 4:
            return Frame(channel, None, b"")
        value, end = decode(raw, offset * 4)
        return Frame(channel, composite(value), raw[end:])

    def _take(self, size: int) -> bytes | None:
        end = self._position + size
        if end > len(self._buffer):
            return None
        raw = bytes(self._buffer[self._position : end])
        self._position = end
        return raw


def encode_frame(channel: int, body: Composite, payload: bytes = b"") -> bytes:
    """Return the bytes of an AMQP frame."""
    return _frame(0, channel, body.encoded() + payload)


def encode_sasl_frame(body: Composite) -> bytes:
    """Return the bytes of a SASL frame."""
    return _frame(1, 0, body.encoded())


def _frame(kind: int, channel: int, content: bytes) -> bytes:
    return _HEAD.pack(HEADER_SIZE + len(content), 2, kind, channel) + content
