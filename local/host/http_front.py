"""The HTTP side of the host: routes to functions, keys, and the admin endpoints."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local.host.errors import AppRefused, FunctionFailed
from local.host.functions import HTTP_TRIGGER, Function
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.routes import Route
from local.host.rpc import PROTOS, TypedData

_NOT_FOUND, _UNAUTHORISED = 404, 401

StartByHand = Callable[[str], Awaitable[None]]


class HttpFront:
    """Answers HTTP; an ASGI application."""

    def __init__(
        self,
        functions: list[Function],
        invocations: Invocations,
        keys: Keys,
        *,
        prefix: str,
        by_hand: Mapping[str, StartByHand],
    ) -> None:
        self._invocations = invocations
        self._keys = keys
        self._by_hand = by_hand
        self._by_hand_runs: set[asyncio.Task[None]] = set()
        self._doors = sorted(
            ((_route(prefix, function), function) for function in functions if function.trigger.type == HTTP_TRIGGER),
            key=lambda door: door[0].precedence,
        )
        self.state = "Running"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        if request.url.path.startswith("/admin/"):
            response = await self._admin(request)
        else:
            response = await self._function(request)
        await response(scope, receive, send)

    async def _function(self, request: Request) -> Response:
        # Percent-encoded as it was sent: decoding comes after the split into segments.
        path = request.scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", errors="replace")
        for route, function in self._doors:
            parameters = route.match(path or request.url.path)
            # The method is part of the route: a wrong one is not found, rather than not allowed.
            if parameters is None or not _has_method(function, request.method):
                continue
            if not self._keys.open_function(function.trigger.text("authLevel", "function").lower(), _key(request)):
                return Response(status_code=_UNAUTHORISED)
            return await self._invoke(function, request, parameters)
        return Response(status_code=_NOT_FOUND)

    async def _invoke(self, function: Function, request: Request, parameters: dict[str, str]) -> Response:
        message = PROTOS.RpcHttp(
            method=request.method,
            url=str(request.url),
            headers=_joined(request.headers.items()),
            query=_joined(request.query_params.multi_items()),
            params=parameters,
            body=TypedData(bytes=await request.body()),
        )
        try:
            returned = await self._invocations.run(function, TypedData(http=message))
        except FunctionFailed:
            return Response(status_code=500)
        return answer(returned)

    async def _admin(self, request: Request) -> Response:
        if not self._keys.open_admin(_key(request)):
            return Response(status_code=_UNAUTHORISED)
        path = request.url.path.rstrip("/")
        if path == "/admin/host/status" and request.method == "GET":
            return JSONResponse({"state": self.state})
        name = path.removeprefix("/admin/functions/")
        start = self._by_hand.get(name)
        if start is None or request.method != "POST":
            return Response(status_code=_NOT_FOUND)
        try:
            document = json.loads(await request.body() or b"{}")
            text = document.get("input") or ""
        except (ValueError, AttributeError):
            return Response('the body must be JSON: {"input": "..."}', status_code=400)
        run = asyncio.create_task(_quietly(start(text if isinstance(text, str) else json.dumps(text))))
        self._by_hand_runs.add(run)
        run.add_done_callback(self._by_hand_runs.discard)
        return Response(status_code=202)


def answer(returned: Any) -> Response:
    """Return the response for what an HTTP function returned: typed data of kind ``http`` or text, or nothing."""
    if returned is None:
        return Response(status_code=200)
    if returned.http is None:
        return Response(returned.string or returned.json or "", media_type="text/plain")
    message = returned.http
    body = b"" if message.body is None else message.body.bytes or (message.body.string or "").encode()
    response = Response(body, status_code=int(message.status_code), headers=message.headers)
    for cookie in message.cookies or []:
        response.headers.append("set-cookie", _set_cookie(cookie))
    return response


def _set_cookie(cookie: Any) -> str:
    jar = SimpleCookie({cookie.name: cookie.value})
    morsel = jar[cookie.name]
    for attribute, field in (("domain", "domain"), ("path", "path"), ("max-age", "max_age")):
        if (value := getattr(cookie, field)) is not None:
            morsel[attribute] = str(int(value.value)) if attribute == "max-age" else value.value
    if cookie.secure and cookie.secure.value:
        morsel["secure"] = True
    if cookie.http_only and cookie.http_only.value:
        morsel["httponly"] = True
    if cookie.same_site:
        morsel["samesite"] = cookie.same_site
    return morsel.OutputString()


def _route(prefix: str, function: Function) -> Route:
    template = function.trigger.text("route") or function.name
    try:
        return Route.parse(f"{prefix}/{template}" if prefix else template)
    except ValueError as error:
        raise AppRefused(f"function {function.name}: {error}") from error


def _has_method(function: Function, method: str) -> bool:
    methods = function.trigger.options.get("methods") or []
    return not methods or method in {str(allowed).upper() for allowed in methods}


def _key(request: Request) -> str | None:
    return request.headers.get("x-functions-key") or request.query_params.get("code")


def _joined(items: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in items:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


async def _quietly(run: Awaitable[None]) -> None:
    try:
        await run
    except FunctionFailed:
        return  # the host's own line says it
