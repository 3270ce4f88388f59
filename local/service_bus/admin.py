"""What a person or a test may see and break, over HTTP: counts, messages, purge, scripted faults. JSON, loopback only."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.service_bus.network.driver import Driver
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.entity import Entity
from local.service_bus.semantics.errors import EntityNotFoundError
from local.service_bus.semantics.faults import MOMENTS, Fault, Kind, Moment
from local.service_bus.semantics.message import Message, State
from local.service_bus.semantics.queue import Queue

PAGE = 100  # messages, unless ``limit`` asks for fewer or more


def admin_application(driver: Driver) -> Starlette:
    """Return the admin API of a broker; it must run in the broker's event loop."""
    broker = driver.broker

    async def list_entities(_: Request) -> Response:
        return JSONResponse([_counts(entity) for entity in broker.entities() if not _is_dead_letter_queue(entity)])

    async def list_messages(request: Request) -> Response:
        limit = request.query_params.get("limit", str(PAGE))
        if not limit.isdecimal():
            return _refusal(400, "'limit' is not a number")
        return JSONResponse([_shown(message) for message in _entity(broker, request).peek(0, int(limit))])

    async def purge(request: Request) -> Response:
        removed = _entity(broker, request).purge()
        driver.end_turn()
        return JSONResponse({"removed": removed})

    async def list_faults(_: Request) -> Response:
        return JSONResponse(
            {path: [_scripted(fault) for fault in faults] for path, faults in broker.faults.pending().items()}
        )

    async def add_faults(request: Request) -> Response:
        try:
            script = json.loads(await request.body())
            path, faults = script["entity"], [_fault(item) for item in script["faults"]]
            broker.entity(path)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _refusal(400, f"not a script of faults: {type(error).__name__}: {error}")
        broker.faults.add(path, faults)
        return JSONResponse({"added": len(faults)})

    async def clear_faults(_: Request) -> Response:
        broker.faults.clear()
        return Response(status_code=204)

    async def not_found(_: Request, error: Exception) -> Response:
        return _refusal(404, str(error))

    return Starlette(
        routes=[
            Route("/entities", list_entities),
            Route("/entities/{name:path}/messages", list_messages, methods=["GET"]),
            Route("/entities/{name:path}/messages", purge, methods=["DELETE"]),
            Route("/faults", list_faults, methods=["GET"]),
            Route("/faults", add_faults, methods=["POST"]),
            Route("/faults", clear_faults, methods=["DELETE"]),
        ],
        exception_handlers={EntityNotFoundError: not_found},
    )


def _entity(broker: Broker, request: Request) -> Entity:
    return broker.entity(unquote(request.path_params["name"]))


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


# Counts


def _is_dead_letter_queue(entity: Entity) -> bool:
    return isinstance(entity, Queue) and entity.dead_letters is None


def _counts(entity: Entity) -> dict[str, Any]:
    counted = Counter(_condition(message) for message in entity.messages.values())
    dead = len(entity.dead_letters.messages) if isinstance(entity, Queue) and entity.dead_letters else 0
    return {
        "name": entity.path,
        **{condition: counted[condition] for condition in ("ready", "locked", "scheduled", "deferred")},
        "dead": dead,
    }


def _condition(message: Message) -> str:
    if message.lock:
        return "locked"
    return {State.ACTIVE: "ready", State.SCHEDULED: "scheduled", State.DEFERRED: "deferred"}[message.state]


# Messages


def _shown(message: Message) -> dict[str, Any]:
    content, dead = message.content, message.dead_letter
    return {
        "id": _plain(content.message_id),
        "correlationId": _plain(content.correlation_id),
        "sequenceNumber": message.sequence_number,
        "state": _condition(message),
        "deliveryCount": message.delivery_count,
        "enqueuedAt": _instant(message.enqueued_at),
        "scheduledAt": _instant(message.scheduled_at),
        "expiresAt": _instant(message.expires_at),
        "lockedUntil": _instant(message.lock.until if message.lock else None),
        "deadLetterReason": dead.reason if dead else None,
        "deadLetterDescription": dead.description if dead else None,
        "applicationProperties": {str(name): _plain(value) for name, value in content.application_properties.items()},
        "bodyKind": content.body_kind.name.lower(),
        "body": b64encode(content.body()).decode(),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | float | None) else str(value)


def _instant(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    # A time to live may reach beyond the last year that a datetime knows; nobody waits for that.
    return datetime.fromtimestamp(min(seconds, LAST_INSTANT), UTC).isoformat(timespec="milliseconds")


LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


# Faults


def _fault(item: Mapping[str, Any]) -> Fault:
    kind, count, milliseconds = Kind(item["kind"]), item.get("count", 1), item.get("milliseconds", 0)
    moments = frozenset({Moment(item["on"])}) if "on" in item else MOMENTS[kind]
    if not moments <= MOMENTS[kind]:
        raise ValueError(f"'{kind}' doesn't strike on '{item['on']}'")
    if not isinstance(count, int) or count < 1 or not isinstance(milliseconds, int) or milliseconds < 0:
        raise ValueError("'count' and 'milliseconds' are positive whole numbers")
    share = item.get("share", 1)
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise ValueError("'share' is above 0 and at most 1")
    return Fault(kind=kind, count=count, moments=moments, milliseconds=milliseconds, share=share)


def _scripted(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "count": fault.count,
        "on": sorted(fault.moments),
        "milliseconds": fault.milliseconds,
        "share": fault.share,
    }
