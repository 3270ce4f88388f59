"""Bytes and values: what is encoded is decoded as the same, and no bytes do worse than a CodecError."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.codec.decoding import MAX_DEPTH, MAX_ELEMENTS, decode
from local.service_bus.codec.encoding import encode
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

ascii_text = st.text(alphabet=st.characters(max_codepoint=127), max_size=300)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2**8 - 1).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**7), 2**7 - 1).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1).map(Long),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.floats(width=32, allow_nan=False).map(Float),
    st.floats(allow_nan=False),
    st.characters(codec="utf-8").map(Char),
    st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(DecimalBits),
    st.uuids(),
    st.binary(max_size=300),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=300),
    ascii_text.map(Symbol),
)
keys = st.one_of(st.text(alphabet=st.characters(codec="utf-8"), max_size=20), st.integers(0, 2**32 - 1).map(UInt))
values = st.recursive(
    scalars,
    lambda children: st.one_of(
        st.lists(children, max_size=6),
        st.dictionaries(keys, children, max_size=6),
        st.builds(Described, st.integers(0, 2**64 - 1).map(ULong), children),
    ),
    max_leaves=20,
)
arrays = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1).map(Long), max_size=300).map(Array),
    st.lists(st.integers(0, 2**32 - 1).map(UInt), max_size=5).map(Array),
    st.lists(st.uuids(), max_size=20).map(Array),
    st.lists(st.binary(max_size=300), max_size=5).map(Array),
    st.lists(ascii_text.map(Symbol), max_size=5).map(Array),
    st.lists(st.booleans(), max_size=5).map(Array),
)


def typed(value: Any) -> Any:
    """Return the value with its type beside it, all the way down."""
    if isinstance(value, Described):
        return (Described, typed(value.descriptor), typed(value.value))
    if isinstance(value, list):
        return (type(value), [typed(each) for each in value])
    if isinstance(value, dict):
        return (dict, [(typed(key), typed(each)) for key, each in value.items()])
    return (type(value), value)


@given(st.one_of(values, arrays))
def test_what_is_encoded_is_decoded_as_the_same_value_of_the_same_type(value: Any) -> None:
    raw = encode(value)

    decoded, end = decode(raw)

    assert typed(decoded) == typed(value)
    assert end == len(raw)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_plain_int_travels_as_a_long(value: int) -> None:
    decoded, _ = decode(encode(value))

    assert typed(decoded) == (Long, value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_codec_error(raw: bytes) -> None:
    try:
        _, end = decode(raw)
    except CodecError:
        return
    assert 0 < end <= len(raw)


@given(values, st.data())
def test_a_value_that_is_cut_off_or_changed_is_another_value_or_a_codec_error(value: Any, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])

    try:
        _, end = decode(cut)
    except CodecError:
        return
    assert end <= len(cut)


def test_nesting_has_an_end() -> None:
    with pytest.raises(CodecError, match="too deeply"):
        decode(b"\x00" * 100_000)
    deep: list[Any] = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(CodecError, match="too deeply"):
        decode(encode(deep))


def test_an_array_that_claims_billions_of_elements_of_no_size_is_refused() -> None:
    nulls = b"\xf0" + (5).to_bytes(4) + (2**32 - 1).to_bytes(4) + b"\x40"

    with pytest.raises(CodecError, match="more than we take"):
        decode(nulls)


def test_a_list_may_be_as_long_as_the_limit() -> None:
    full = [None] * MAX_ELEMENTS

    assert decode(encode(full))[0] == full
    with pytest.raises(CodecError, match="more than we take"):
        decode(encode([*full, None]))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xc1\x04\x03\x40\x40\x40", id="a map with a key and no value"),
        pytest.param(b"\xc1\x03\x02\x45\x40", id="a map with a list for a key"),
        pytest.param(b"\x56\x02", id="a boolean that is neither"),
        pytest.param(b"\xa1\x01\xff", id="a string that is not UTF-8"),
        pytest.param(b"\xc0\x05\x01\x40\x40\x40\x40", id="a list with more bytes than elements"),
        pytest.param(b"\x3f", id="a constructor that does not exist"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_malformed_values_are_refused(raw: bytes) -> None:
    with pytest.raises(CodecError):
        decode(raw)


@pytest.mark.parametrize(
    "value",
    [object, UByte(256), UInt(-1), Float(1e300), Char("ab"), Symbol("é"), DecimalBits(b"abc"), Array([1, "a"])],
    ids=repr,
)
def test_what_has_no_encoding_is_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)


def test_the_shortest_form_is_written() -> None:
    assert encode(UInt(0)) == b"\x43"
    assert encode(ULong(16)) == b"\x53\x10"
    assert encode([]) == b"\x45"
    assert encode("Ada") == b"\xa1\x03Ada"
    assert encode(UUID(int=1)) == b"\x98" + (1).to_bytes(16)
