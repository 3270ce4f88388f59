"""One call to Graph: who calls, with what permissions, how old the replica is that answers."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local.directory.directory import Directory
from local.directory.graph_errors import GraphError, denied, not_found, not_parsed, not_signed_in
from local.directory.model import Group, User
from local.directory.odata import Query
from local.directory.tokens import NotOurToken, TokenOffice


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCall:
    """A request to Graph that carried a good token.

    ``as_of`` is the instant whose memberships the answering replica knows, or ``None`` for one that is up to date.
    ``notes`` goes into the log of calls.
    """

    directory: Directory
    permissions: frozenset[str]
    path: dict[str, str]
    query: Query
    body: bytes
    as_of: datetime | None
    notes: list[str] = field(default_factory=list)

    def demand(self, *any_of: str) -> None:
        """Refuse the call unless the token carries one of these application permissions.

        Raises:
            GraphError: it carries none of them.
        """
        if self.permissions.isdisjoint(any_of):
            raise denied()

    def json(self) -> dict[str, Any]:
        """Return the body of the request.

        Raises:
            GraphError: not a JSON object.
        """
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise not_parsed("Unable to read JSON request payload. Please ensure Content-Type header is set.")
        return body

    def user(self) -> User:
        """Return the user that the path names by id or user principal name.

        Raises:
            GraphError: there is none.
        """
        key = self.path["user"]
        found = self.directory.find_user(key)
        if found is None:
            raise not_found(key)
        return found

    def group(self) -> Group:
        """Return the group that the path names.

        Raises:
            GraphError: there is none.
        """
        key = self.path["group"]
        found = self.directory.groups.get(key.lower())
        if found is None:
            raise not_found(key)
        return found


type GraphHandler = Callable[[GraphCall], Response]
type Endpoint = Callable[[Request], Awaitable[Response]]


def answering(directory: Directory, tokens: TokenOffice, handler: GraphHandler) -> Endpoint:
    """Return an endpoint that checks the token, runs the handler and words its refusals as Graph does."""

    async def endpoint(request: Request) -> Response:
        notes: list[str] = request.scope["state"]["notes"]
        lag: timedelta | None = request.scope["state"]["lag"]
        try:
            call = GraphCall(
                directory=directory,
                permissions=_permissions(request, tokens),
                path=request.path_params,
                query=Query.of(request, tokens.authority),
                body=await request.body(),
                as_of=None if lag is None else directory.clock() - lag,
                notes=notes,
            )
            return handler(call)
        except GraphError as error:
            state = request.scope["state"]
            return error.to_response(state["request_id"], state["client_request_id"])

    return endpoint


def no_such_call(call: GraphCall) -> Response:
    """Refuse what this directory has no call for, as Graph does with a segment it does not know."""
    raise not_parsed(f"Resource not found for the segment '{call.path['rest'].rpartition('/')[2]}'.")


def _permissions(request: Request, tokens: TokenOffice) -> frozenset[str]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise not_signed_in("Access token is empty.")
    try:
        return tokens.check_graph_token(token.strip())
    except NotOurToken as refusal:
        raise not_signed_in(str(refusal)) from None
