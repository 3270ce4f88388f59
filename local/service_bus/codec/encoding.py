"""Values to bytes: ``encode``, which picks the shortest form of each type."""

import struct
from collections.abc import Callable
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


def encode(value: Any) -> bytes:
    """Return the shortest encoding of ``value``.

    Raises:
        CodecError: the value has no AMQP type, or is out of its type's range.
    """
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise CodecError(f"no AMQP type for {type(value).__name__}")
    try:
        return writer(value)
    except (struct.error, OverflowError, UnicodeEncodeError) as error:
        raise CodecError(f"not a valid {type(value).__name__}: {error}") from error


_UINT = struct.Struct(">I")


def _packed(code: int, layout: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(">B" + layout).pack
    return lambda value: pack(code, value)


def _write_uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return struct.pack(">BB", 0x52, value) if 0 < value < 256 else struct.pack(">BI", 0x70, value)  # noqa: PLR2004 - a byte


def _write_ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return struct.pack(">BB", 0x53, value) if 0 < value < 256 else struct.pack(">BQ", 0x80, value)  # noqa: PLR2004 - a byte


def _write_int(value: int) -> bytes:
    return struct.pack(">Bb", 0x54, value) if -128 <= value < 128 else struct.pack(">Bi", 0x71, value)  # noqa: PLR2004 - a byte


def _write_long(value: int) -> bytes:
    return struct.pack(">Bb", 0x55, value) if -128 <= value < 128 else struct.pack(">Bq", 0x81, value)  # noqa: PLR2004 - a byte


def _sized(code: int, raw: bytes) -> bytes:
    """Write raw bytes after their length: ``code`` is the constructor for a length of one byte."""
    if len(raw) < 256:  # noqa: PLR2004 - a byte
        return bytes((code, len(raw))) + raw
    return struct.pack(">BI", code + 0x10, len(raw)) + raw


def _counted(code: int, count: int, body: bytes) -> bytes:
    """Write elements after their size and count: ``code`` is the constructor for sizes of one byte."""
    if len(body) < 255 and count < 256:  # noqa: PLR2004 - a byte
        return bytes((code, len(body) + 1, count)) + body
    return struct.pack(">BII", code + 0x10, len(body) + 4, count) + body


def _write_list(values: list[Any] | tuple[Any, ...]) -> bytes:
    if not values:
        return b"\x45"
    return _counted(0xC0, len(values), b"".join(map(encode, values)))


def _write_map(entries: dict[Any, Any]) -> bytes:
    return _counted(0xC1, 2 * len(entries), b"".join(encode(key) + encode(value) for key, value in entries.items()))


def _write_array(values: Array) -> bytes:
    if not values:
        return bytes((0xE0, 2, 0, 0x40))
    kind = type(values[0])
    wide = _WIDE.get(kind)
    if wide is None or any(type(value) is not kind for value in values):
        raise CodecError(f"no AMQP array of {kind.__name__}")
    code, write = wide
    return _counted(0xE0, len(values), bytes((code,)) + b"".join(map(write, values)))


def _write_char(value: Char) -> bytes:
    if len(value) != 1:
        raise CodecError("a char is one character")
    return b"\x73" + value.encode("utf-32-be")


def _write_decimal(value: DecimalBits) -> bytes:
    code = {4: 0x74, 8: 0x84, 16: 0x94}.get(len(value))
    if code is None:
        raise CodecError("a decimal takes 4, 8 or 16 bytes")
    return bytes((code,)) + value


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _packed(0x50, "B"),
    UShort: _packed(0x60, "H"),
    UInt: _write_uint,
    ULong: _write_ulong,
    Byte: _packed(0x51, "b"),
    Short: _packed(0x61, "h"),
    Int: _write_int,
    Long: _write_long,
    int: _write_long,
    Timestamp: _packed(0x83, "q"),
    Float: _packed(0x72, "f"),
    float: _packed(0x82, "d"),
    Char: _write_char,
    DecimalBits: _write_decimal,
    UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _sized(0xA0, value),
    str: lambda value: _sized(0xA1, value.encode()),
    Symbol: lambda value: _sized(0xA3, value.encode("ascii")),
    list: _write_list,
    tuple: _write_list,
    dict: _write_map,
    Array: _write_array,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
}


def _bare(layout: str) -> Callable[[Any], bytes]:
    return struct.Struct(">" + layout).pack


def _long_form(raw: bytes) -> bytes:
    return _UINT.pack(len(raw)) + raw


# An element of an array is written without its constructor, in the form that fits every value of its type.
_WIDE: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    bool: (0x56, lambda value: b"\x01" if value else b"\x00"),
    UByte: (0x50, _bare("B")),
    UShort: (0x60, _bare("H")),
    UInt: (0x70, _bare("I")),
    ULong: (0x80, _bare("Q")),
    Byte: (0x51, _bare("b")),
    Short: (0x61, _bare("h")),
    Int: (0x71, _bare("i")),
    Long: (0x81, _bare("q")),
    int: (0x81, _bare("q")),
    Timestamp: (0x83, _bare("q")),
    Float: (0x72, _bare("f")),
    float: (0x82, _bare("d")),
    UUID: (0x98, lambda value: value.bytes),
    bytes: (0xB0, _long_form),
    str: (0xB1, lambda value: _long_form(value.encode())),
    Symbol: (0xB3, lambda value: _long_form(value.encode("ascii"))),
}
