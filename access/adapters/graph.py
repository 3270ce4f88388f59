"""One Graph client per process: built by msgraph-sdk, its answers read raw, its retries off, its calls under a deadline.

The SDK's own retry would answer "already there" to itself (protocol 5) and sleep in the function (protocol 6). Its model
classes cost seconds to import, so answers are read as JSON (docs/decisions/0008). This module is imported on first use only.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from kiota_abstractions.api_error import APIError
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.middleware.options import RetryHandlerOption
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_core import GraphClientFactory

from access.adapters.log import correlation_id
from access.errors import Throttled, TryAgain
from access.ids import guid_of
from access.pace import HELD_AT_MOST
from access.ports import Clock

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
_LATER = timedelta(seconds=5)
_THROTTLED = {429, 503}
_DIGITS = 9
"""Longer numbers of seconds are no spans that anybody means."""

_ERRORS = {"4XX": ODataError, "5XX": ODataError}


class GraphFault(Exception):  # noqa: N818 - a fault, not a bug of ours
    """Graph answered with an error; callers translate what they know, and ``later`` makes a ``TryAgain`` of the rest."""

    def __init__(self, status: int, code: str, message: str, retry_after: timedelta | None) -> None:
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after
        super().__init__(f"{status} {code}: {message}")

    def later(self) -> TryAgain:
        """Return this as something to be waited for, by everybody where Graph says how long."""
        kind = Throttled if self.retry_after is not None and self.status in _THROTTLED else TryAgain
        return kind(f"the directory ({self.status} {self.code})", after=self.retry_after or _LATER, fault=True)


class _Deadline(httpx.AsyncBaseTransport):
    """Refuses to put a request on the wire after its deadline: a worker that was frozen must not act late (protocol 5)."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        limit = _deadline.get()
        if limit is not None and self._clock.monotonic() >= limit:
            raise httpx.PoolTimeout("the deadline has passed; nothing was sent", request=request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Graph:
    """Sends requests that the SDK builds, and gives back what came, as JSON."""

    def __init__(self, endpoint: str, credential: AsyncTokenCredential, clock: Clock, *, call_limit: timedelta) -> None:
        host = urlsplit(endpoint).hostname or ""
        provider = AzureIdentityAuthenticationProvider(
            credential, scopes=["https://graph.microsoft.com/.default"], allowed_hosts=[host]
        )
        if endpoint.startswith("https://"):
            provider = AzureIdentityAuthenticationProvider(
                credential, scopes=[f"{endpoint}/.default"], allowed_hosts=[host]
            )
        self._clock = clock
        self._call_limit = call_limit.total_seconds()
        self._http = httpx.AsyncClient(
            transport=_Deadline(httpx.AsyncHTTPTransport(http2=False), clock), timeout=self._call_limit
        )
        option = RetryHandlerOption(max_retries=0, should_retry=False)
        client = GraphClientFactory.create_with_default_middleware(
            client=self._http, options={RetryHandlerOption.get_key(): option}
        )
        self._adapter = GraphRequestAdapter(provider, client=client)
        self._adapter.base_url = f"{endpoint}/v1.0"
        self.service = GraphServiceClient(request_adapter=self._adapter)

    async def read(self, request: RequestInformation) -> dict[str, Any]:
        """Send a request and return the JSON object that came.

        Raises:
            GraphFault: Graph answered with an error.
            TryAgain: it didn't answer.
        """
        async with self._asking(request):
            raw = await self._adapter.send_primitive_async(request, "bytes", _ERRORS)
        return cast("dict[str, Any]", json.loads(cast("bytes", raw) or b"{}"))

    async def pages(self, request: RequestInformation) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of a collection, page by page."""
        while True:
            page = await self.read(request)
            for item in page.get("value", []):
                yield item
            link = page.get("@odata.nextLink")
            if not link:
                return
            request = RequestInformation(method=request.http_method)
            request.url = str(link)

    async def act(self, request: RequestInformation, *, deadline: float | None = None) -> None:
        """Send a request whose answer has no content; on the wire before ``deadline`` (monotonic), or not at all."""
        async with self._asking(request, deadline):
            await self._adapter.send_no_response_content_async(request, _ERRORS)

    @asynccontextmanager
    async def _asking(self, request: RequestInformation, deadline: float | None = None) -> AsyncIterator[None]:
        if correlation := correlation_id():
            request.headers.try_add("client-request-id", guid_of(correlation))
        limit = deadline if deadline is not None else self._clock.monotonic() + self._call_limit
        token = _deadline.set(limit)
        try:
            async with asyncio.timeout(max(0.0, limit - self._clock.monotonic())):
                yield
        except APIError as error:
            raise _fault(error) from error
        except (httpx.HTTPError, AzureError, OSError, TimeoutError) as error:
            raise TryAgain("the directory (no answer)", after=_LATER, fault=True) from error
        finally:
            _deadline.reset(token)


def _fault(error: APIError) -> GraphFault:
    main = getattr(error, "error", None)
    code, message = str(getattr(main, "code", "") or ""), str(getattr(main, "message", "") or error.message or "")
    headers = {str(key).lower(): str(value) for key, value in dict(error.response_headers or {}).items()}
    return GraphFault(error.response_status_code or 0, code, message, _retry_after(headers.get("retry-after", "")))


def _retry_after(stated: str) -> timedelta | None:
    """Read Retry-After: seconds or an HTTP date, cut to what we are willing to wait; None where none can be read."""
    digits = stated.lstrip("0")
    if stated.isdecimal():
        return HELD_AT_MOST if len(digits) > _DIGITS else min(timedelta(seconds=int(digits or "0")), HELD_AT_MOST)
    try:
        at = parsedate_to_datetime(stated)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return min(max(at - datetime.now(UTC), timedelta(seconds=1)), HELD_AT_MOST)
