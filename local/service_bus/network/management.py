"""``$management``: peek, schedule and cancel, lock renewal, deferred messages, and settling by lock token.

Source: Service Bus, "AMQP 1.0 request/response-based operations".
"""

from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

from local.service_bus.codec.message import Content, encode_response, parse_message
from local.service_bus.codec.values import Array, CodecError, Int, Symbol, Timestamp
from local.service_bus.network.errors import BadRequestError, MessageTooLargeError, UnknownOperationError
from local.service_bus.network.limits import MAX_MESSAGE_SIZE, PEEK_COUNT, PEEK_SIZE
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import BrokerError
from local.service_bus.semantics.message import DeadLetter
from local.service_bus.semantics.queue import Abandon, Complete, Defer, Outcome

OK, NO_CONTENT = 200, 204

type Request = Mapping[Any, Any]
type Answer = Mapping[str, Any] | None  # None: done, and nothing to say


def answer(broker: Broker, path: str, request: Content) -> bytes:
    """Do what a request to ``path``/$management asks for; return the encoded answer."""
    body = request.value()
    try:
        operation = str(request.application_properties.get("operation")).removeprefix("com.microsoft:")
        act = _OPERATIONS.get(operation)
        if act is None:
            raise UnknownOperationError(f"The operation '{operation}' is not served here.")
        if not isinstance(body, dict):
            raise BadRequestError("The request's body is not a map.")
        value = act(broker, path, body)
    except BrokerError as error:
        return _respond(request, error.status, str(error), condition=error.condition)
    return _respond(request, NO_CONTENT if value == _NOTHING else OK, "OK", value=value)


_NOTHING: Answer = {"messages": []}


def _respond(
    request: Content, status: int, description: str, *, condition: str | None = None, value: Answer = None
) -> bytes:
    properties = {"statusCode": Int(status), "statusDescription": description}
    if condition:
        properties["errorCondition"] = Symbol(condition)
    return encode_response(correlation_id=request.message_id, application_properties=properties, value=value)


def _renew_lock(broker: Broker, path: str, request: Request) -> Answer:
    queue = broker.queue(path)
    return {"expirations": Array(Timestamp(round(queue.renew_lock(token) * 1000)) for token in _tokens(request))}


def _peek(broker: Broker, path: str, request: Request) -> Answer:
    limit = min(_field(request, "message-count", int), PEEK_COUNT)
    encoded: list[Any] = []
    size = 0
    for message in broker.entity(path).peek(_field(request, "from-sequence-number", int), max(limit, 0)):
        raw = message.encoded()
        size += len(raw)
        if encoded and size > PEEK_SIZE:
            break
        encoded.append({"message": raw})
    return {"messages": encoded}


def _schedule(broker: Broker, path: str, request: Request) -> Answer:
    contents = []
    for item in _field(request, "messages", list):
        raw = _field(item, "message", bytes)
        if len(raw) > MAX_MESSAGE_SIZE:
            raise MessageTooLargeError(f"A message of {len(raw)} bytes: {MAX_MESSAGE_SIZE} are taken.")
        try:
            contents.append(parse_message(raw))
        except CodecError as error:
            raise BadRequestError(f"Not an encoded message: {error}.") from error
    return {"sequence-numbers": Array(broker.publish(path, contents))}


def _cancel(broker: Broker, path: str, request: Request) -> Answer:
    broker.entity(path).cancel_scheduled(_numbers(request))
    return None


def _receive_deferred(broker: Broker, path: str, request: Request) -> Answer:
    settle = _field(request, "receiver-settle-mode", int) == 0
    messages = broker.queue(path).receive_deferred(_numbers(request), settle=settle)
    return {
        "messages": [
            {"message": message.encoded()} | ({"lock-token": message.lock.token} if message.lock else {})
            for message in messages
        ]
    }


def _settle(broker: Broker, path: str, request: Request) -> Answer:
    queue = broker.queue(path)
    outcome = _outcome(request)
    for token in _tokens(request):
        queue.settle(token, outcome)
    return None


def _outcome(request: Request) -> Outcome:
    match request.get("disposition-status"):
        case "completed":
            return Complete()
        case "abandoned":
            return Abandon()
        case "defered":  # spelt so on the wire
            return Defer()
        case "suspended":
            reason, description = request.get("deadletter-reason"), request.get("deadletter-description")
            return DeadLetter(_text(reason), _text(description))
        case other:
            raise BadRequestError(f"The disposition status '{other}' is unknown.")


_OPERATIONS: dict[str, Callable[[Broker, str, Request], Answer]] = {
    "renew-lock": _renew_lock,
    "peek-message": _peek,
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel,
    "receive-by-sequence-number": _receive_deferred,
    "update-disposition": _settle,
}


def _field[T](request: Any, name: str, kind: type[T]) -> T:
    value = request.get(name) if isinstance(request, dict) else None
    if not isinstance(value, kind):
        raise BadRequestError(f"'{name}' is missing or has the wrong type.")
    return value


def _each[T](request: Request, name: str, kind: type[T]) -> list[T]:
    values = _field(request, name, list)
    if not all(isinstance(value, kind) for value in values):
        raise BadRequestError(f"'{name}' holds a value of the wrong type.")
    return cast("list[T]", values)


def _tokens(request: Request) -> list[UUID]:
    return _each(request, "lock-tokens", UUID)


def _numbers(request: Request) -> list[int]:
    return _each(request, "sequence-numbers", int)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
