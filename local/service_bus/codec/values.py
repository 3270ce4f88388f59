"""The AMQP 1.0 types that Python lacks, each a small class, so that what was decoded is encoded as the same type again.

A plain ``int`` is written as a long, a plain ``float`` as a double, ``str`` and ``bytes`` as string and binary.

Source: OASIS AMQP 1.0, part 1 (types).
"""

from typing import Any, NamedTuple


class CodecError(Exception):
    """The bytes are not AMQP 1.0, or more of it than we take."""


class Symbol(str):
    """A name from a constrained domain, in ASCII."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    """An integer of 0 to 2^8 - 1."""


class UShort(int):
    """An integer of 0 to 2^16 - 1."""


class UInt(int):
    """An integer of 0 to 2^32 - 1."""


class ULong(int):
    """An integer of 0 to 2^64 - 1."""


class Byte(int):
    """An integer of -2^7 to 2^7 - 1."""


class Short(int):
    """An integer of -2^15 to 2^15 - 1."""


class Int(int):
    """An integer of -2^31 to 2^31 - 1."""


class Long(int):
    """An integer of -2^63 to 2^63 - 1."""


class Timestamp(int):
    """An instant, in milliseconds since 1970, UTC."""


class Float(float):
    """A number of single precision."""

    __slots__ = ()


class DecimalBits(bytes):
    """A decimal of 4, 8 or 16 bytes, carried as it came: nothing here calculates with one."""

    __slots__ = ()


class Array(list[Any]):
    """Values of one type, written with one constructor."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with a descriptor that says what it stands for."""

    descriptor: Any
    value: Any
