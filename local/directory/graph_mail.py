"""Graph's ``sendMail``: from a mailbox of the tenant into the post office."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from local.directory.graph_call import GraphCall
from local.directory.graph_errors import GraphError
from local.directory.graph_users import Operation


def operations() -> list[Operation]:
    """Return method, path below ``/v1.0`` and handler of each call."""
    return [
        ("POST", "/users/{user}/sendMail", send_mail),
        ("POST", "/users/{user}/microsoft.graph.sendMail", send_mail),
    ]


def send_mail(call: GraphCall) -> Response:
    """Accept a mail. It is delivered at once, to addresses that exist and to those that do not."""
    call.demand("Mail.Send")
    key = call.path["user"]
    sender = call.directory.find_mailbox(key)
    if sender is None:
        raise GraphError(404, "ErrorInvalidUser", f"The requested user '{key}' is invalid.")
    if not sender.has_mailbox:
        text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        raise GraphError(404, "MailboxNotEnabledForRESTAPI", text)
    message = _member(_lowered(call.json()), "message", dict)
    body = _member(message, "body", dict)
    content_type = str(body.get("contentType", "text"))
    if content_type.lower() not in ("html", "text"):
        raise GraphError(400, "RequestBodyRead", f"Requested value '{content_type}' was not found.")
    to, cc, bcc = (_addresses(message, f"{field}Recipients") for field in ("to", "cc", "bcc"))
    if not (to or cc or bcc):
        text = "At least one recipient is not valid., A message can't be sent because it contains no recipients."
        raise GraphError(400, "ErrorInvalidRecipients", text)
    call.directory.mail.deliver(
        sender=str(sender.properties["mail"] or sender.user_principal_name),
        to=to,
        copies=[*cc, *bcc],
        subject=str(message.get("subject") or ""),
        body=(content_type.lower(), str(body.get("content") or "")),
    )
    return Response(status_code=202)


def _addresses(message: Mapping[str, Any], field: str) -> list[str]:
    found = []
    for recipient in message.get(field) or []:
        address = (recipient.get("emailAddress") or {}).get("address") if isinstance(recipient, dict) else None
        if not isinstance(address, str) or not all(address.partition("@")):
            text = f"At least one recipient is not valid., Recipient '{address}' is not resolved."
            raise GraphError(400, "ErrorInvalidRecipients", text)
        found.append(address)
    return found


def _lowered(body: Mapping[str, Any]) -> dict[str, Any]:
    """The SDK writes ``Message``, the documentation ``message``: both are taken."""
    return {name.lower(): value for name, value in body.items()}


def _member[Kind](body: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    value = body.get(name)
    if not isinstance(value, kind):
        raise GraphError(400, "ErrorInvalidParameter", f"The value of the parameter '{name}' is empty or invalid.")
    return value
