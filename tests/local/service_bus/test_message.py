"""Messages: kept as they came, with the broker's words added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.codec.decoding import decode
from local.service_bus.codec.message import BATCH_FORMAT, Section, encode_section, parse_message, parse_transfer
from local.service_bus.codec.values import CodecError, Long, Symbol, UByte, UInt

from .samples import content, encoded_message


def test_a_message_says_what_its_sender_said() -> None:
    said = content(b"Ada asks", message_id="request-1", time_to_live=90, scheduled_at=1_800_000_060)

    assert (said.body(), said.message_id, said.time_to_live, said.scheduled_at) == (
        b"Ada asks",
        "request-1",
        90,
        1_800_000_060,
    )


def test_a_receiver_gets_every_byte_after_the_annotations_as_it_was_sent() -> None:
    tail = encode_section(Section.PROPERTIES, ["request-1"]) + encode_section(Section.DATA, b"Ada asks")

    delivered = parse_message(tail).encoded(
        delivery_count=2,
        time_to_live=60,
        annotations={Symbol("x-opt-sequence-number"): Long(7)},
        application_properties={},
    )

    header, end_of_header = decode(delivered)
    annotations, end = decode(delivered, end_of_header)
    assert header.value == [True, UByte(4), UInt(60_000), False, UInt(2)]
    assert annotations.value == {"x-opt-sequence-number": 7}
    assert delivered[end:] == tail


@pytest.mark.parametrize("given_properties", [None, {"attempt": UInt(3), "DeadLetterReason": "an older one"}])
def test_properties_of_a_dead_letter_are_added_to_those_of_the_sender(
    given_properties: dict[str, object] | None,
) -> None:
    said = content(b"Ada asks", message_id="request-1", application_properties=given_properties)

    delivered = parse_message(
        said.encoded(
            delivery_count=0,
            time_to_live=None,
            annotations={},
            application_properties={"DeadLetterReason": "NoSuchRole"},
        )
    )

    assert delivered.application_properties == {**(given_properties or {}), "DeadLetterReason": "NoSuchRole"}
    assert (delivered.message_id, delivered.body()) == ("request-1", b"Ada asks")


def test_a_batch_is_its_members() -> None:
    members = [encoded_message(b"one"), encoded_message(b"two", message_id="2")]
    batch = b"".join(encode_section(Section.DATA, member) for member in members)

    parsed = parse_transfer(batch, BATCH_FORMAT)

    assert [each.body() for each in parsed] == [b"one", b"two"]


def test_a_value_body_is_read_as_a_value_and_kept_as_its_encoding() -> None:
    raw = encode_section(Section.VALUE, {"role": "Reader"})
    said = parse_message(raw)

    assert said.value() == {"role": "Reader"}
    assert said.body() == raw
    assert content().value() is None


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(encode_section(Section.PROPERTIES, ["request-1"]), id="no body"),
        pytest.param(encode_section(Section.DATA, "text"), id="data that is not bytes"),
        pytest.param(encode_section(Section.DATA, b"") + encode_section(Section.HEADER, []), id="out of order"),
        pytest.param(encode_section(Section.HEADER, []) * 2 + encode_section(Section.DATA, b""), id="two headers"),
        pytest.param(
            encode_section(Section.HEADER, [None, None, "soon"]) + encode_section(Section.DATA, b""),
            id="a time to live in words",
        ),
        pytest.param(
            encode_section(Section.PROPERTIES, {}) + encode_section(Section.DATA, b""), id="properties in a map"
        ),
        pytest.param(
            encode_section(Section.MESSAGE_ANNOTATIONS, {Symbol("x-opt-scheduled-enqueue-time"): "noon"})
            + encode_section(Section.DATA, b""),
            id="a schedule in words",
        ),
        pytest.param(b"Ada asks", id="not AMQP"),
    ],
)
def test_what_is_not_a_message_is_refused(raw: bytes) -> None:
    with pytest.raises(CodecError):
        parse_message(raw)


@pytest.mark.parametrize("raw", [b"", encode_section(Section.VALUE, 1), encode_section(Section.DATA, b"not a message")])
def test_what_is_not_a_batch_is_refused(raw: bytes) -> None:
    with pytest.raises(CodecError):
        parse_transfer(raw, BATCH_FORMAT)


@given(st.binary(max_size=200), st.sampled_from([0, BATCH_FORMAT]))
def test_any_bytes_are_messages_or_a_codec_error(raw: bytes, message_format: int) -> None:
    try:
        parsed = parse_transfer(raw, message_format)
    except CodecError:
        return
    assert parsed
