"""The performatives and other composite types of AMQP 1.0, as dataclasses with named fields.

A field's annotation says how it travels: ``Annotated[int, UInt]``. A field without a default is mandatory. Unknown
descriptors, wrong types, missing and surplus fields are a ``CodecError``.

Source: OASIS AMQP 1.0, parts 2 (transport), 3 (messaging: delivery states) and 5 (security: SASL).
"""

from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, NamedTuple, Self, get_type_hints

from local.service_bus.codec.encoding import encode
from local.service_bus.codec.values import CodecError, Described, Symbol, UByte, UInt, ULong, UShort

ROLE_SENDER, ROLE_RECEIVER = False, True
SETTLED_BY_SENDER = 1  # sender-settle-mode "settled"
MAX_UINT = 2**32 - 1


_AS_IS = (bool, dict, object, Described)


class _Field(NamedTuple):
    name: str
    kind: type
    mandatory: bool


@dataclass(slots=True, kw_only=True)
class Composite:
    """A described list whose fields have names."""

    descriptor: ClassVar[int]
    trimmed: ClassVar[bool] = True  # whether trailing nulls are left out

    def described(self) -> Described:
        """Return the value to encode."""
        values = [_outgoing(getattr(self, name), kind) for name, kind, _ in _FIELDS[type(self)]]
        while self.trimmed and values and values[-1] is None:
            values.pop()
        return Described(ULong(self.descriptor), values)

    def encoded(self) -> bytes:
        """Return the bytes of this composite."""
        return encode(self.described())

    @classmethod
    def of_list(cls, values: list[Any]) -> Self:
        """Return the composite with these fields, in the order of the specification.

        Raises:
            CodecError: a field is missing, surplus or of the wrong type.
        """
        specified = _FIELDS[cls]
        if len(values) > len(specified):
            raise CodecError(f"{cls.__name__} has {len(specified)} fields, not {len(values)}")
        given = {
            field.name: _incoming(cls, field, value)
            for field, value in zip(specified, values, strict=False)
            if value is not None
        }
        absent = [field.name for field in specified if field.mandatory and field.name not in given]
        if absent:
            raise CodecError(f"{cls.__name__} lacks {', '.join(absent)}")
        return cls(**given)


def _read_fields(cls: type[Composite]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _Field(field.name, hints[field.name].__metadata__[0], field.default is MISSING) for field in fields(cls)
    )


def _outgoing(value: Any, kind: type) -> Any:
    if value is None or kind in _AS_IS:
        return value
    if isinstance(value, Composite):
        return value.described()
    return kind(value)


def _incoming(cls: type[Composite], field: _Field, value: Any) -> Any:
    if issubclass(field.kind, Composite):
        value = composite(value)
    if not isinstance(value, field.kind):
        raise CodecError(f"{cls.__name__}.{field.name} can't be a {type(value).__name__}")
    return value


# Errors and delivery states


@dataclass(slots=True, kw_only=True)
class AmqpError(Composite):
    """Why a connection, session or link ends, or a delivery is refused."""

    descriptor = 0x1D
    trimmed = False  # the SDK reads all three fields of some errors, by position
    condition: Annotated[str, Symbol]
    description: Annotated[str | None, str] = None
    info: Annotated[dict[Any, Any] | None, dict] = None


@dataclass(slots=True, kw_only=True)
class DeliveryState(Composite):
    """What has become of a delivery."""


@dataclass(slots=True, kw_only=True)
class Received(DeliveryState):
    """Part of the delivery has arrived: no outcome yet."""

    descriptor = 0x23
    section_number: Annotated[int, UInt]
    section_offset: Annotated[int, ULong]


@dataclass(slots=True, kw_only=True)
class Accepted(DeliveryState):
    """Taken, or completed."""

    descriptor = 0x24


@dataclass(slots=True, kw_only=True)
class Rejected(DeliveryState):
    """Refused, or dead-lettered."""

    descriptor = 0x25
    error: Annotated[AmqpError | None, AmqpError] = None


@dataclass(slots=True, kw_only=True)
class Released(DeliveryState):
    """Given back as if it had never been delivered."""

    descriptor = 0x26


@dataclass(slots=True, kw_only=True)
class Modified(DeliveryState):
    """Abandoned, or (undeliverable here) deferred."""

    descriptor = 0x27
    delivery_failed: Annotated[bool, bool] = False
    undeliverable_here: Annotated[bool, bool] = False
    message_annotations: Annotated[dict[Any, Any] | None, dict] = None


# Transport


@dataclass(slots=True, kw_only=True)
class Open(Composite):
    """The limits of a connection."""

    descriptor = 0x10
    container_id: Annotated[str, str]
    hostname: Annotated[str | None, str] = None
    max_frame_size: Annotated[int, UInt] = MAX_UINT
    channel_max: Annotated[int, UShort] = 65535
    idle_time_out: Annotated[int | None, UInt] = None  # milliseconds
    outgoing_locales: Annotated[Any, object] = None
    incoming_locales: Annotated[Any, object] = None
    offered_capabilities: Annotated[Any, object] = None
    desired_capabilities: Annotated[Any, object] = None
    properties: Annotated[dict[Any, Any] | None, dict] = None


@dataclass(slots=True, kw_only=True)
class Begin(Composite):
    """A session starts on a channel."""

    descriptor = 0x11
    remote_channel: Annotated[int | None, UShort] = None
    next_outgoing_id: Annotated[int, UInt]
    incoming_window: Annotated[int, UInt]
    outgoing_window: Annotated[int, UInt]
    handle_max: Annotated[int, UInt] = MAX_UINT
    offered_capabilities: Annotated[Any, object] = None
    desired_capabilities: Annotated[Any, object] = None
    properties: Annotated[dict[Any, Any] | None, dict] = None


@dataclass(slots=True, kw_only=True)
class Attach(Composite):
    """A link starts in a session. ``source`` and ``target`` stay as they came, to be echoed."""

    descriptor = 0x12
    name: Annotated[str, str]
    handle: Annotated[int, UInt]
    role: Annotated[bool, bool]
    snd_settle_mode: Annotated[int, UByte] = 2
    rcv_settle_mode: Annotated[int, UByte] = 0
    source: Annotated[Described | None, Described] = None
    target: Annotated[Described | None, object] = None
    unsettled: Annotated[dict[Any, Any] | None, dict] = None
    incomplete_unsettled: Annotated[bool, bool] = False
    initial_delivery_count: Annotated[int | None, UInt] = None
    max_message_size: Annotated[int | None, ULong] = None
    offered_capabilities: Annotated[Any, object] = None
    desired_capabilities: Annotated[Any, object] = None
    properties: Annotated[dict[Any, Any] | None, dict] = None


@dataclass(slots=True, kw_only=True)
class Flow(Composite):
    """Windows of a session and, with a handle, credit of a link."""

    descriptor = 0x13
    next_incoming_id: Annotated[int | None, UInt] = None
    incoming_window: Annotated[int, UInt]
    next_outgoing_id: Annotated[int, UInt]
    outgoing_window: Annotated[int, UInt]
    handle: Annotated[int | None, UInt] = None
    delivery_count: Annotated[int | None, UInt] = None
    link_credit: Annotated[int | None, UInt] = None
    available: Annotated[int | None, UInt] = None
    drain: Annotated[bool, bool] = False
    echo: Annotated[bool, bool] = False
    properties: Annotated[dict[Any, Any] | None, dict] = None


@dataclass(slots=True, kw_only=True)
class Transfer(Composite):
    """A message, or a part of one; the bytes follow in the frame's payload."""

    descriptor = 0x14
    handle: Annotated[int, UInt]
    delivery_id: Annotated[int | None, UInt] = None
    delivery_tag: Annotated[bytes | None, bytes] = None
    message_format: Annotated[int | None, UInt] = None
    settled: Annotated[bool | None, bool] = None
    more: Annotated[bool, bool] = False
    rcv_settle_mode: Annotated[int | None, UByte] = None
    state: Annotated[DeliveryState | None, DeliveryState] = None
    resume: Annotated[bool, bool] = False
    aborted: Annotated[bool, bool] = False
    batchable: Annotated[bool, bool] = False


@dataclass(slots=True, kw_only=True)
class Disposition(Composite):
    """The outcome of a range of deliveries."""

    descriptor = 0x15
    role: Annotated[bool, bool]
    first: Annotated[int, UInt]
    last: Annotated[int | None, UInt] = None
    settled: Annotated[bool, bool] = False
    state: Annotated[DeliveryState | None, DeliveryState] = None
    batchable: Annotated[bool, bool] = False


@dataclass(slots=True, kw_only=True)
class Detach(Composite):
    """A link ends."""

    descriptor = 0x16
    handle: Annotated[int, UInt]
    closed: Annotated[bool, bool] = False
    error: Annotated[AmqpError | None, AmqpError] = None


@dataclass(slots=True, kw_only=True)
class End(Composite):
    """A session ends."""

    descriptor = 0x17
    error: Annotated[AmqpError | None, AmqpError] = None


@dataclass(slots=True, kw_only=True)
class Close(Composite):
    """A connection ends."""

    descriptor = 0x18
    error: Annotated[AmqpError | None, AmqpError] = None


# SASL


@dataclass(slots=True, kw_only=True)
class SaslMechanisms(Composite):
    """What the server offers."""

    descriptor = 0x40
    mechanisms: Annotated[Any, object]


@dataclass(slots=True, kw_only=True)
class SaslInit(Composite):
    """What the client chose."""

    descriptor = 0x41
    mechanism: Annotated[str, Symbol]
    initial_response: Annotated[bytes | None, bytes] = None
    hostname: Annotated[str | None, str] = None


@dataclass(slots=True, kw_only=True)
class SaslOutcome(Composite):
    """How it went: 0 is good, 1 is refused."""

    descriptor = 0x44
    code: Annotated[int, UByte]


_COMPOSITES: dict[int, type[Composite]] = {
    cls.descriptor: cls
    for cls in (
        *(Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close),
        *(AmqpError, Received, Accepted, Rejected, Released, Modified),
        *(SaslMechanisms, SaslInit, SaslOutcome),
    )
}
_FIELDS: dict[type[Composite], tuple[_Field, ...]] = {cls: _read_fields(cls) for cls in _COMPOSITES.values()}


def composite(value: Any) -> Composite:
    """Return the composite that a decoded described list stands for.

    Raises:
        CodecError: it is not one we know, or one of its fields is wrong.
    """
    if not isinstance(value, Described) or not isinstance(value.descriptor, ULong) or not isinstance(value.value, list):
        raise CodecError("not a composite value")
    cls = _COMPOSITES.get(value.descriptor)
    if cls is None:
        raise CodecError(f"unknown descriptor 0x{value.descriptor:02x}")
    return cls.of_list(value.value)
