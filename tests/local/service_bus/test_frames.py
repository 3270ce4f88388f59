"""Frames and performatives: whole again however they arrive, and refused when they are not what they claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.codec.encoding import encode
from local.service_bus.codec.frames import EMPTY_FRAME, FrameReader, FramingError, Protocol, encode_frame
from local.service_bus.codec.performatives import (
    Accepted,
    AmqpError,
    Attach,
    Begin,
    Close,
    Composite,
    Detach,
    Disposition,
    End,
    Flow,
    Modified,
    Open,
    Rejected,
    Released,
    Transfer,
    composite,
)
from local.service_bus.codec.values import CodecError, Described, Symbol, UInt, ULong

LIMIT = 4096  # bytes

uints = st.integers(0, 2**32 - 1)
errors = st.none() | st.builds(
    AmqpError, condition=st.sampled_from(["amqp:not-found"]), description=st.none() | st.just("no")
)
states = st.one_of(
    st.none(),
    st.builds(Accepted),
    st.builds(Released),
    st.builds(Rejected, error=errors),
    st.builds(Modified, delivery_failed=st.booleans(), undeliverable_here=st.booleans()),
)
bodies: st.SearchStrategy[Composite] = st.one_of(
    st.builds(Open, container_id=st.just("Ada"), max_frame_size=uints, idle_time_out=st.none() | uints),
    st.builds(Begin, next_outgoing_id=uints, incoming_window=uints, outgoing_window=uints, handle_max=uints),
    st.builds(Attach, name=st.just("link"), handle=uints, role=st.booleans(), initial_delivery_count=st.none() | uints),
    st.builds(
        Flow,
        next_incoming_id=st.none() | uints,
        incoming_window=uints,
        next_outgoing_id=uints,
        outgoing_window=uints,
        handle=st.none() | uints,
        link_credit=st.none() | uints,
        drain=st.booleans(),
    ),
    st.builds(
        Transfer,
        handle=uints,
        delivery_id=st.none() | uints,
        delivery_tag=st.none() | st.binary(max_size=32),
        more=st.booleans(),
    ),
    st.builds(
        Disposition, role=st.booleans(), first=uints, last=st.none() | uints, settled=st.booleans(), state=states
    ),
    st.builds(Detach, handle=uints, closed=st.booleans(), error=errors),
    st.builds(End, error=errors),
    st.builds(Close, error=errors),
)


@given(bodies)
def test_a_performative_is_read_as_it_was_written(body: Composite) -> None:
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(encode_frame(7, body, b"payload"))

    frame = reader.next_frame()

    assert frame is not None
    assert frame == (7, body, b"payload")


@given(st.lists(bodies, max_size=5), st.integers(1, 50))
def test_frames_are_whole_again_in_whatever_pieces_they_arrive(sent: list[Composite], size: int) -> None:
    stream = b"".join(encode_frame(0, body) + EMPTY_FRAME for body in sent)
    reader = FrameReader(max_frame_size=LIMIT)

    received = []
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
        while frame := reader.next_frame():
            received.append(frame.body)

    assert received == [each for body in sent for each in (body, None)]


@given(st.binary(max_size=300))
def test_any_stream_gives_frames_or_a_codec_error(raw: bytes) -> None:
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(raw)

    try:
        while reader.next_frame():
            pass
    except CodecError:
        pass


@given(bodies, st.data())
def test_a_changed_byte_gives_another_frame_or_a_codec_error(body: Composite, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(0, body))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(bytes(raw))

    try:
        while reader.next_frame():
            pass
    except CodecError:
        pass


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param((LIMIT + 1).to_bytes(4) + b"\x02\x00\x00\x00", id="larger than the limit"),
        pytest.param((7).to_bytes(4) + b"\x02\x00\x00\x00", id="smaller than its own header"),
        pytest.param((16).to_bytes(4) + b"\x01\x00\x00\x00", id="data inside the header"),
        pytest.param((16).to_bytes(4) + b"\x05\x00\x00\x00", id="data beyond the end"),
    ],
)
def test_a_frame_with_an_impossible_size_is_refused_before_it_is_all_here(raw: bytes) -> None:
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(raw)

    with pytest.raises(FramingError):
        reader.next_frame()


@pytest.mark.parametrize("protocol", Protocol)
def test_a_protocol_header_is_known(protocol: Protocol) -> None:
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(protocol.header[:5])
    assert reader.next_header() is None

    reader.feed(protocol.header[5:])

    assert reader.next_header() is protocol


def test_a_header_of_another_protocol_is_refused() -> None:
    reader = FrameReader(max_frame_size=LIMIT)
    reader.feed(b"GET / HTTP/1.1\r\n")

    with pytest.raises(FramingError):
        reader.next_header()


@pytest.mark.parametrize(
    "described",
    [
        pytest.param(Described(ULong(0x99), []), id="unknown"),
        pytest.param(Described(Symbol("amqp:open:list"), ["Ada"]), id="a descriptor in words"),
        pytest.param(Described(ULong(0x10), []), id="a mandatory field is missing"),
        pytest.param(Described(ULong(0x10), [UInt(3)]), id="a field of the wrong type"),
        pytest.param(Described(ULong(0x18), [None, None]), id="a field too many"),
        pytest.param(Described(ULong(0x10), {}), id="not a list"),
        pytest.param(Described(ULong(0x18), [Described(ULong(0x24), [])]), id="an outcome where an error belongs"),
    ],
)
def test_a_composite_that_is_not_as_specified_is_refused(described: Described) -> None:
    with pytest.raises(CodecError):
        composite(described)


def test_an_error_is_written_with_all_three_fields_because_the_sdk_reads_them_by_position() -> None:
    raw = AmqpError(condition="amqp:not-found").encoded()

    assert raw == encode(Described(ULong(0x1D), [Symbol("amqp:not-found"), None, None]))
