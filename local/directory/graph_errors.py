"""Microsoft Graph's refusals, word for word: whoever handles them locally handles the real ones."""

from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response


class GraphError(Exception):
    """A refusal by Graph: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def to_response(self, request_id: str, client_request_id: str) -> Response:
        """Return the answer that Graph gives."""
        inner = {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return JSONResponse(body, self.status)


def bad_request(message: str) -> GraphError:
    """Return the refusal of a request that makes no sense."""
    return GraphError(400, "Request_BadRequest", message)


def not_parsed(message: str) -> GraphError:
    """Return the refusal of a query that cannot be parsed."""
    return GraphError(400, "BadRequest", message)


def not_found(key: str) -> GraphError:
    """Return the refusal for an object that is not there, or is not what the request says it is."""
    message = f"Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def already_there(relation: str) -> GraphError:
    """Return the refusal to add what is there."""
    return bad_request(
        f"One or more added object references already exist for the following modified properties: '{relation}'."
    )


def denied() -> GraphError:
    """Return the refusal for want of a permission."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def mastered_on_premises() -> GraphError:
    """Return the refusal to change a group that is synchronised from elsewhere."""
    return bad_request(
        "Unable to update the specified properties for on-premises mastered Directory Sync objects "
        "or objects currently undergoing migration."
    )


def last_owner() -> GraphError:
    """Return the refusal to leave a group that has owners without any."""
    return bad_request("The group must have at least one owner, hence this owner cannot be removed.")


def not_signed_in(message: str) -> GraphError:
    """Return the refusal of a bearer token."""
    return GraphError(401, "InvalidAuthenticationToken", message)
