"""Bytes to values: ``decode``, which refuses whatever is malformed, cut off, too deep or too large."""

import struct
from collections.abc import Callable, Hashable
from typing import Any
from uuid import UUID

from local.service_bus.codec.values import (
    Array,
    Byte,
    Char,
    CodecError,
    DecimalBits,
    Described,
    Float,
    Int,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

MAX_DEPTH = 32  # nested lists, maps, arrays and described values
MAX_ELEMENTS = 65_536  # of one list, map or array: some elements take no bytes at all

type Decoded = tuple[Any, int]  # a value, and the position of the first byte after it
type _Reader = Callable[[bytes, int, int], Decoded]


def decode(buffer: bytes, position: int = 0) -> Decoded:
    """Return the value that starts at ``position``, and the position after it.

    Raises:
        CodecError: the bytes are malformed, cut off, nested too deeply or hold too many elements.
    """
    try:
        return _read(buffer, position, 0)
    except (IndexError, struct.error, ValueError) as error:
        raise CodecError(f"malformed AMQP value: {error}") from error


def _read(buffer: bytes, position: int, depth: int) -> Decoded:
    if depth > MAX_DEPTH:
        raise CodecError("AMQP value is nested too deeply")
    code = buffer[position]
    reader = _READERS.get(code)
    if reader is None:
        raise CodecError(f"unknown AMQP constructor 0x{code:02x}")
    return reader(buffer, position + 1, depth)


def _read_described(buffer: bytes, position: int, depth: int) -> Decoded:
    descriptor, position = _read(buffer, position, depth + 1)
    value, position = _read(buffer, position, depth + 1)
    return Described(descriptor, value), position


def _constant(value: Any) -> _Reader:
    return lambda _buffer, position, _depth: (value, position)


def _read_empty_list(_buffer: bytes, position: int, _depth: int) -> Decoded:
    return [], position


def _fixed(kind: Callable[[Any], Any], layout: str) -> _Reader:
    shape = struct.Struct(layout)

    def read(buffer: bytes, position: int, _depth: int) -> Decoded:
        return kind(shape.unpack_from(buffer, position)[0]), position + shape.size

    return read


def _read_boolean(buffer: bytes, position: int, _depth: int) -> Decoded:
    if buffer[position] > 1:
        raise CodecError("a boolean is 0 or 1")
    return buffer[position] == 1, position + 1


def _read_char(buffer: bytes, position: int, _depth: int) -> Decoded:
    return Char(_slice(buffer, position, position + 4).decode("utf-32-be")), position + 4


def _read_uuid(buffer: bytes, position: int, _depth: int) -> Decoded:
    return UUID(bytes=_slice(buffer, position, position + 16)), position + 16


def _decimal(width: int) -> _Reader:
    def read(buffer: bytes, position: int, _depth: int) -> Decoded:
        return DecimalBits(_slice(buffer, position, position + width)), position + width

    return read


def _slice(buffer: bytes, start: int, end: int) -> bytes:
    if end > len(buffer):
        raise CodecError("AMQP value is cut off")
    return bytes(buffer[start:end])


def _length(buffer: bytes, position: int, width: int) -> tuple[int, int]:
    if width == 1:
        return buffer[position], position + 1
    return _UINT.unpack_from(buffer, position)[0], position + 4


def _variable(kind: Callable[[bytes], Any], width: int) -> _Reader:
    def read(buffer: bytes, position: int, _depth: int) -> Decoded:
        size, position = _length(buffer, position, width)
        return kind(_slice(buffer, position, position + size)), position + size

    return read


def _compound(buffer: bytes, position: int, width: int) -> tuple[int, int, int]:
    """Return the count of elements, where they start, and where they must end."""
    size, position = _length(buffer, position, width)
    end = position + size
    count, position = _length(buffer, position, width)
    if count > MAX_ELEMENTS:
        raise CodecError(f"{count} elements are more than we take")
    if end > len(buffer) or position > end:
        raise CodecError("AMQP value is cut off")
    return count, position, end


def _elements(buffer: bytes, position: int, depth: int, width: int) -> tuple[list[Any], int]:
    count, position, end = _compound(buffer, position, width)
    values = []
    for _ in range(count):
        value, position = _read(buffer, position, depth + 1)
        values.append(value)
    if position != end:
        raise CodecError("the elements do not fill the declared size")
    return values, end


def _list(width: int) -> _Reader:
    return lambda buffer, position, depth: _elements(buffer, position, depth, width)


def _map(width: int) -> _Reader:
    def read(buffer: bytes, position: int, depth: int) -> Decoded:
        values, end = _elements(buffer, position, depth, width)
        if len(values) % 2:
            raise CodecError("a map needs a value for each key")
        keys = values[::2]
        if not all(_hashable(key) for key in keys):
            raise CodecError("a list, map or array can't be the key of a map")
        return dict(zip(keys, values[1::2], strict=True)), end

    return read


def _hashable(key: Any) -> bool:
    return isinstance(key, Hashable) and not isinstance(key, Described)


def _array(width: int) -> _Reader:
    def read(buffer: bytes, position: int, depth: int) -> Decoded:
        if depth >= MAX_DEPTH:
            raise CodecError("AMQP value is nested too deeply")
        count, position, end = _compound(buffer, position, width)
        code = buffer[position]
        reader = _READERS.get(code)
        if code == _DESCRIBED or reader is None:
            raise CodecError(f"an array of constructor 0x{code:02x} is not taken")
        position += 1
        values = Array()
        for _ in range(count):
            value, position = reader(buffer, position, depth + 1)
            values.append(value)
        if position != end:
            raise CodecError("the elements do not fill the declared size")
        return values, end

    return read


_UINT = struct.Struct(">I")
_DESCRIBED = 0x00

_READERS: dict[int, _Reader] = {
    _DESCRIBED: _read_described,
    0x40: _constant(None),
    0x41: _constant(True),  # noqa: FBT003 - the value itself
    0x42: _constant(False),  # noqa: FBT003 - the value itself
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: _read_empty_list,
    0x50: _fixed(UByte, ">B"),
    0x51: _fixed(Byte, ">b"),
    0x52: _fixed(UInt, ">B"),
    0x53: _fixed(ULong, ">B"),
    0x54: _fixed(Int, ">b"),
    0x55: _fixed(Long, ">b"),
    0x56: _read_boolean,
    0x60: _fixed(UShort, ">H"),
    0x61: _fixed(Short, ">h"),
    0x70: _fixed(UInt, ">I"),
    0x71: _fixed(Int, ">i"),
    0x72: _fixed(Float, ">f"),
    0x73: _read_char,
    0x74: _decimal(4),
    0x80: _fixed(ULong, ">Q"),
    0x81: _fixed(Long, ">q"),
    0x82: _fixed(float, ">d"),
    0x83: _fixed(Timestamp, ">q"),
    0x84: _decimal(8),
    0x94: _decimal(16),
    0x98: _read_uuid,
    0xA0: _variable(bytes, 1),
    0xA1: _variable(lambda raw: raw.decode(), 1),
    0xA3: _variable(lambda raw: Symbol(raw.decode("ascii")), 1),
    0xB0: _variable(bytes, 4),
    0xB1: _variable(lambda raw: raw.decode(), 4),
    0xB3: _variable(lambda raw: Symbol(raw.decode("ascii")), 4),
    0xC0: _list(1),
    0xC1: _map(1),
    0xD0: _list(4),
    0xD1: _map(4),
    0xE0: _array(1),
    0xF0: _array(4),
}
