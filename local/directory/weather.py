"""What lies between a caller and Graph: the log of calls, the request ids, the quota, and the scripted faults."""

import asyncio
from datetime import timedelta
from email.utils import format_datetime
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.directory.calls import Call, CallLog
from local.directory.faults import Fault, FaultKind, Faults
from local.directory.model import Clock
from local.directory.quota import Quota
from local.directory.serving import Connections


class Weather:
    """ASGI middleware around everything that the app under test calls; the admin API and the page are outside."""

    def __init__(
        self, app: ASGIApp, *, faults: Faults, quota: Quota, calls: CallLog, clock: Clock, connections: Connections
    ) -> None:
        self._app = app
        self._faults = faults
        self._quota = quota
        self._calls = calls
        self._clock = clock
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail to."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith("/admin"):
            await self._app(scope, receive, send)
            return
        call = self._begin(scope)
        fault = self._over_quota(call) or self._faults.take(call.method, call.path)
        call.fault = fault.kind if fault else None
        body = await _whole_body(receive)

        async def receive_again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_with_ids(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["request-id"] = call.request_id
                headers["client-request-id"] = call.client_request_id
            await send(message)

        if fault is None:
            await self._app(scope, receive_again, send_with_ids)
        else:
            await self._suffer(fault, call, scope, receive_again, send_with_ids)

    def _over_quota(self, call: Call) -> Fault | None:
        seconds = self._quota.take(call.method, call.path)
        if seconds is None:
            return None
        return Fault.from_json({"kind": FaultKind.STATUS, "status": 429, "retryAfter": seconds})

    def _begin(self, scope: Scope) -> Call:
        request_id = str(uuid4())
        call = Call(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            client_request_id=Headers(scope=scope).get("client-request-id", request_id),
            request_id=request_id,
            at=self._clock().isoformat(),
        )
        scope.setdefault("state", {}).update(
            request_id=call.request_id,
            client_request_id=call.client_request_id,
            lag=self._faults.lag(call.method, call.path),
            notes=call.notes,
        )
        return self._calls.begin(call) if call.path.startswith("/v1.0/") else call

    async def _suffer(self, fault: Fault, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_nowhere(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]

        match fault.kind:
            case FaultKind.STATUS:
                await self._refusal(fault, call)(scope, receive, send)
            case FaultKind.LOST_ANSWER:
                await self._app(scope, receive, send_nowhere)
                await self._cut_off(scope)
            case FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
                await self._app(scope, receive, send)
            case FaultKind.TIME_OUT:
                with self._connections.held():
                    async with asyncio.TaskGroup() as meanwhile:
                        meanwhile.create_task(self._fall_silent(fault.seconds, scope))
                        if fault.lands_after is not None:
                            await asyncio.sleep(fault.lands_after)
                            await self._app(scope, receive, send_nowhere)
                await self._cut_off(scope)
            case FaultKind.LAG:  # the replica lags, the call itself goes well
                await self._app(scope, receive, send)

    def _refusal(self, fault: Fault, call: Call) -> Response:
        response = fault.refusal().to_response(call.request_id, call.client_request_id)
        if "retryAfter" in fault.asked:
            response.headers["retry-after"] = str(fault.asked["retryAfter"])
        if "retryAfterDate" in fault.asked:
            then = self._clock() + timedelta(seconds=fault.asked["retryAfterDate"])
            response.headers["retry-after"] = format_datetime(then, usegmt=True)
        return response

    async def _fall_silent(self, seconds: float, scope: Scope) -> None:
        await asyncio.sleep(seconds)
        await self._cut_off(scope)

    async def _cut_off(self, scope: Scope) -> None:
        self._connections.cut(scope)
        await asyncio.sleep(0)  # the server learns of it in the next turn of the loop, and then expects no answer


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
