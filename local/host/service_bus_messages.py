"""A Service Bus message as the .NET host hands it to a worker: the body, and the trigger metadata.

Text goes over as ``string``; everything else (numbers, instants, dictionaries) as ``json`` text. What has no value is
left out. A batch (``cardinality`` many) has the same fields once, as arrays with ``Array`` at the end of the name.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.host.rpc import PROTOS, TypedData


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """Return the body.

    Raises:
        TypeError: the message was sent as an AMQP value or sequence, which the trigger doesn't take in Azure either.
    """
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise TypeError(f"a body of AMQP type {message.body_type.value} can't be bound; send data")
    body = message.body
    return body if isinstance(body, bytes) else b"".join(body)


def typed_body(body: bytes, *, binary: bool) -> TypedData:
    """Return a body as the worker gets it: bytes only when the binding asks for them.

    As text, what is no UTF-8 is damaged, in Azure as here.
    """
    return TypedData(bytes=body) if binary else TypedData(string=body.decode("utf-8", errors="replace"))


def typed_bodies(bodies: Sequence[bytes], *, binary: bool) -> TypedData:
    """Return the bodies of a batch as the worker gets them."""
    if binary:
        return TypedData(collection_bytes=PROTOS.CollectionBytes(bytes=list(bodies)))
    texts = [body.decode("utf-8", errors="replace") for body in bodies]
    return TypedData(collection_string=PROTOS.CollectionString(string=texts))


def fields_of(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """Return what the host tells about a message; ``None`` where there is nothing to tell.

    ``DeliveryCount`` counts from 1, AMQP's own header from 0.
    """
    properties = {_text(key): _plain(value) for key, value in (message.application_properties or {}).items()}
    return {
        "ApplicationProperties": properties,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterSource": message.dead_letter_source,
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "EnqueuedTimeUtc": message.enqueued_time_utc,
        "ExpiresAtUtc": message.expires_at_utc,
        "Label": message.subject,
        "LockedUntil": message.locked_until_utc,
        "LockToken": None if message.lock_token is None else str(message.lock_token),
        "MessageId": message.message_id,
        "PartitionKey": message.partition_key,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "ScheduledEnqueueTimeUtc": message.scheduled_enqueue_time_utc,
        "SequenceNumber": message.sequence_number,
        "SessionId": message.session_id,
        "Subject": message.subject,
        "To": message.to,
        "UserProperties": properties,
    }


def metadata_of(fields: Mapping[str, Any]) -> dict[str, TypedData]:
    """Return the trigger metadata of one message."""
    return {name: _typed(value) for name, value in fields.items() if value is not None}


def metadata_of_batch(batch: Sequence[Mapping[str, Any]]) -> dict[str, TypedData]:
    """Return the trigger metadata of a batch: per field one array, with ``null`` where a message has no value."""
    return {f"{name}Array": _typed([fields[name] for fields in batch]) for name in batch[0]}


def fields_by_hand() -> dict[str, Any]:
    """Return the fields of a message that nobody sent: a function started by hand through the admin endpoint."""
    empty: dict[str, Any] = {}
    return {
        "ApplicationProperties": empty,
        "DeliveryCount": 1,
        "EnqueuedTimeUtc": datetime.now(UTC),
        "MessageId": uuid.uuid4().hex,
        "UserProperties": empty,
    }


def _typed(value: Any) -> TypedData:
    return TypedData(string=value) if isinstance(value, str) else TypedData(json=json.dumps(value, default=_plain))


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        instant = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, timedelta):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(value)
