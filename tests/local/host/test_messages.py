"""How a Service Bus message reaches a function."""

import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from azure.functions.servicebus import ServiceBusMessageInConverter
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.host.rpc import TypedData
from local.host.service_bus_messages import (
    body_of,
    fields_by_hand,
    fields_of,
    metadata_of,
    metadata_of_batch,
    typed_bodies,
    typed_body,
)


class Received:
    """A message as the SDK gives it, with what a test cares about."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        return None


def received(**known: Any) -> ServiceBusReceivedMessage:
    return cast("ServiceBusReceivedMessage", Received(**known))


def test_text_goes_over_as_string_and_everything_else_as_json() -> None:
    message = received(
        message_id="m-1",
        sequence_number=7,
        delivery_count=0,
        enqueued_time_utc=datetime(2026, 1, 5, 9, 0, 0, 250000, UTC),
        lock_token=UUID(int=5),
        application_properties={b"role": b"reader", "count": 2},
    )

    metadata = metadata_of(fields_of(message))

    assert metadata["MessageId"].string == "m-1"
    assert metadata["LockToken"].string == str(UUID(int=5))
    assert metadata["SequenceNumber"].json == "7"
    assert metadata["EnqueuedTimeUtc"].json == '"2026-01-05T09:00:00.250000Z"'
    assert json.loads(metadata["UserProperties"].json) == {"role": "reader", "count": 2}
    assert metadata["ApplicationProperties"].json == metadata["UserProperties"].json


def test_the_first_delivery_is_shown_as_number_one() -> None:
    assert fields_of(received(delivery_count=0))["DeliveryCount"] == 1
    assert fields_of(received(delivery_count=None))["DeliveryCount"] == 1
    assert fields_of(received(delivery_count=4))["DeliveryCount"] == 5


def test_what_has_no_value_is_left_out() -> None:
    metadata = metadata_of(fields_of(received(message_id="m-1")))

    assert "CorrelationId" not in metadata
    assert "UserProperties" in metadata, "without it the worker can't tell one message from a batch"


def test_a_body_is_bytes_only_when_the_binding_asks_for_them() -> None:
    assert typed_body(b"\xff\x00", binary=True).bytes == b"\xff\x00"
    assert typed_body("é".encode(), binary=False).string == "é"
    assert typed_body(b"\xff", binary=False).string == "\N{REPLACEMENT CHARACTER}", "damaged, as in Azure"


def test_a_body_in_pieces_is_put_together_and_other_kinds_are_refused() -> None:
    assert body_of(received(body_type=AmqpMessageBodyType.DATA, body=iter([b"a", b"b"]))) == b"ab"
    with pytest.raises(TypeError, match="value"):
        body_of(received(body_type=AmqpMessageBodyType.VALUE, body={"a": 1}))


def test_a_batch_has_one_array_per_field() -> None:
    batch = [fields_of(received(message_id="m-1", subject="s")), fields_of(received(message_id="m-2"))]

    metadata = metadata_of_batch(batch)

    assert json.loads(metadata["MessageIdArray"].json) == ["m-1", "m-2"]
    assert json.loads(metadata["SubjectArray"].json) == ["s", None]
    assert json.loads(metadata["UserPropertiesArray"].json) == [{}, {}]
    assert typed_bodies([b"a", b"b"], binary=True).collection_bytes.bytes == [b"a", b"b"]
    assert typed_bodies([b"a"], binary=False).collection_string.string == ["a"]


def test_microsofts_converter_takes_a_message_started_by_hand() -> None:
    from azure_functions_runtime.bindings.datumdef import Datum  # noqa: PLC0415 - slow to import, needed once

    metadata = {name: Datum.from_typed_data(value) for name, value in metadata_of(fields_by_hand()).items()}

    message = ServiceBusMessageInConverter.decode(
        Datum.from_typed_data(TypedData(string="{}")), trigger_metadata=metadata
    )

    assert not isinstance(message, list)
    assert message.get_body() == b"{}"
    assert message.delivery_count == 1
    assert message.enqueued_time_utc is not None
