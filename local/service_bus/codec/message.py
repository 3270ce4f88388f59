"""AMQP messages: what a sender's bytes say, and the bytes that a receiver gets.

A message is kept as the bytes that came. Only what the broker itself needs is decoded, and only the header, the
annotations and (on a dead letter) the application properties are written anew.

Source: OASIS AMQP 1.0, part 3.2 (message format); the names of the annotations are Service Bus's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from local.service_bus.codec.decoding import decode
from local.service_bus.codec.encoding import encode
from local.service_bus.codec.values import CodecError, Described, Symbol, UByte, UInt, ULong

BATCH_FORMAT = 0x80013700  # message-format: each data section is an encoded message
SCHEDULED_ENQUEUE_TIME = Symbol("x-opt-scheduled-enqueue-time")
DEFAULT_PRIORITY = 4
LATEST_INSTANT = 253_402_300_799_000  # milliseconds: the end of the year 9999


class Section(IntEnum):
    """The sections of a message, by descriptor, in the order in which they must come."""

    HEADER = 0x70
    DELIVERY_ANNOTATIONS = 0x71
    MESSAGE_ANNOTATIONS = 0x72
    PROPERTIES = 0x73
    APPLICATION_PROPERTIES = 0x74
    DATA = 0x75
    SEQUENCE = 0x76
    VALUE = 0x77
    FOOTER = 0x78


BODY = (Section.DATA, Section.SEQUENCE, Section.VALUE)
_REPEATABLE = (Section.DATA, Section.SEQUENCE)


class _Span(NamedTuple):
    section: Section
    start: int
    end: int
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a sender said: a message before the broker has added anything."""

    raw: bytes
    durable: bool
    priority: int
    time_to_live: float | None  # seconds
    scheduled_at: float | None  # seconds since 1970
    annotations: Mapping[Any, Any]
    properties: tuple[Any, ...]  # the fields of the properties section, in its order
    application_properties: Mapping[Any, Any]
    body_kind: Section
    after_annotations: int  # where the properties, or what comes after them, start in ``raw``
    application_properties_at: tuple[int, int]  # where that section is, or would be, in ``raw``

    @property
    def message_id(self) -> Any:
        """The sender's id for the message, or None."""
        return self.properties[0] if self.properties else None

    @property
    def correlation_id(self) -> Any:
        """The sender's correlation id, or None."""
        return self.properties[5] if len(self.properties) > 5 else None  # noqa: PLR2004 - its place in the section

    def body(self) -> bytes:
        """Return the data of the body; of a value or sequence body, its encoding."""
        spans = [span for span in _spans(self.raw) if span.section in BODY]
        if self.body_kind is not Section.DATA:
            return b"".join(self.raw[span.start : span.end] for span in spans)
        return b"".join(span.value for span in spans)

    def value(self) -> Any:
        """Return the value of an amqp-value body; None when the body is another kind."""
        if self.body_kind is not Section.VALUE:
            return None
        return next(span.value for span in _spans(self.raw) if span.section is Section.VALUE)

    def encoded(
        self,
        *,
        delivery_count: int,
        time_to_live: float | None,
        annotations: Mapping[Symbol, Any],
        application_properties: Mapping[str, str],
    ) -> bytes:
        """Return the message as a receiver gets it: the broker's annotations and properties win over the sender's."""
        milliseconds = None if time_to_live is None else UInt(min(round(time_to_live * 1000), 2**32 - 1))
        header = [self.durable, UByte(self.priority), milliseconds, delivery_count == 0, UInt(delivery_count)]
        parts = [
            encode_section(Section.HEADER, header),
            encode_section(Section.MESSAGE_ANNOTATIONS, {**self.annotations, **annotations}),
        ]
        if application_properties:
            start, end = self.application_properties_at
            merged = {**self.application_properties, **application_properties}
            parts += (
                self.raw[self.after_annotations : start],
                encode_section(Section.APPLICATION_PROPERTIES, merged),
                self.raw[end:],
            )
        else:
            parts.append(self.raw[self.after_annotations :])
        return b"".join(parts)


def encode_section(section: Section, value: Any) -> bytes:
    """Return the bytes of one section."""
    return encode(Described(ULong(section), value))


def encode_response(*, correlation_id: Any, application_properties: Mapping[str, Any], value: Any) -> bytes:
    """Return the answer of a request-response node such as ``$cbs`` or ``$management``."""
    properties = [None] * 5 + [correlation_id]
    return (
        encode_section(Section.PROPERTIES, properties)
        + encode_section(Section.APPLICATION_PROPERTIES, dict(application_properties))
        + encode_section(Section.VALUE, value)
    )


def parse_transfer(raw: bytes, message_format: int) -> list[Content]:
    """Return the messages of one transfer: one, or the members of a batch.

    Raises:
        CodecError: the bytes are not a message, or a batch without messages.
    """
    if message_format != BATCH_FORMAT:
        return [parse_message(raw)]
    members = [span.value for span in _spans(raw) if span.section is Section.DATA]
    if not members:
        raise CodecError("a batch without messages")
    return [parse_message(member) for member in members]


def parse_message(raw: bytes) -> Content:
    """Return what an encoded message says.

    Raises:
        CodecError: a section is malformed, out of order or missing its body.
    """
    spans = {span.section: span for span in _spans(raw)}
    body = next((section for section in BODY if section in spans), None)
    if body is None:
        raise CodecError("a message without a body")
    durable, priority, time_to_live = [*_list_of(spans.get(Section.HEADER)), None, None, None][:3]
    if not isinstance(time_to_live, UInt | None) or not isinstance(priority, UByte | None):
        raise CodecError("a field of the message header has the wrong type")
    annotations = _map_of(spans.get(Section.MESSAGE_ANNOTATIONS))
    scheduled = annotations.get(SCHEDULED_ENQUEUE_TIME)
    if scheduled is not None and not (isinstance(scheduled, int) and 0 <= scheduled <= LATEST_INSTANT):
        raise CodecError("the scheduled enqueue time is not an instant of the years 1970 to 9999")
    before = max((spans[section].end for section in spans if section <= Section.MESSAGE_ANNOTATIONS), default=0)
    properties_end = spans[Section.PROPERTIES].end if Section.PROPERTIES in spans else before
    application = spans.get(Section.APPLICATION_PROPERTIES)
    return Content(
        raw=raw,
        durable=durable is not False,
        priority=DEFAULT_PRIORITY if priority is None else priority,
        time_to_live=None if time_to_live is None else time_to_live / 1000,
        scheduled_at=None if scheduled is None else scheduled / 1000,
        annotations=annotations,
        properties=tuple(_list_of(spans.get(Section.PROPERTIES))),
        application_properties=_map_of(application),
        body_kind=body,
        after_annotations=before,
        application_properties_at=(application.start, application.end) if application else (properties_end,) * 2,
    )


def _spans(raw: bytes) -> Iterator[_Span]:
    """Yield where each section of a message is, in order.

    Raises:
        CodecError: the bytes are not the sections of a message, in their order.
    """
    position = 0
    previous: Section | None = None
    while position < len(raw):
        described, end = decode(raw, position)
        if not isinstance(described, Described) or not isinstance(described.descriptor, ULong):
            raise CodecError("not a section of a message")
        section = _SECTIONS.get(described.descriptor)
        if section is None:
            raise CodecError(f"unknown section 0x{described.descriptor:02x}")
        if previous is not None and (section < previous or (section == previous and section not in _REPEATABLE)):
            raise CodecError("the sections of the message are out of order")
        if section is Section.DATA and not isinstance(described.value, bytes):
            raise CodecError("a data section holds bytes")
        yield _Span(section, position, end, described.value)
        previous, position = section, end


_SECTIONS: dict[int, Section] = {int(section): section for section in Section}


def _list_of(span: _Span | None) -> list[Any]:
    value = [] if span is None else span.value
    if not isinstance(value, list):
        raise CodecError("a section that should be a list is not")
    return value


def _map_of(span: _Span | None) -> dict[Any, Any]:
    value = {} if span is None else span.value
    if not isinstance(value, dict):
        raise CodecError("a section that should be a map is not")
    return value
