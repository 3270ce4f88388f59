"""Microsoft's Actions service: presses a button for a person, with a token that says who that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from local.mailbox.cards import Card, HttpAction, parse_card
from local.mailbox.substitution import substitute
from local.mailbox.tenant_client import TenantClient

PATIENCE = 30.0
AUTO_INVOKE_PATIENCE = 2.0
_USER_AGENT = "Microsoft-Actions-Service (local mailbox)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a press. ``status`` is ``None`` when the app was not reached."""

    status: int | None
    message: str
    card_action_status: str | None = None
    card: Card | None = None
    body: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the app said yes."""
        return self.status is not None and HTTPStatus(self.status).is_success

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for scripts."""
        return {
            "status": self.status,
            "cardActionStatus": self.card_action_status,
            "cardUpdated": self.card is not None,
            "message": self.message,
            "body": self.body,
        }


class ActionsService:
    """Calls the app. Only hosts that were registered are called, as with the real one."""

    def __init__(self, tenant: TenantClient, *, allowed: frozenset[str]) -> None:
        """``allowed`` has the origins that may be called: ``http://127.0.0.1:7071``."""
        self._tenant = tenant
        self._allowed = {httpx.URL(origin).netloc for origin in allowed}
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False)

    async def press(
        self,
        card: Card,
        action: HttpAction,
        values: Mapping[str, str],
        *,
        person: str,
        patience: float = PATIENCE,
        request_id: str | None = None,
    ) -> Outcome:
        """Press one button of a card for a person, given by object id."""
        try:
            url = httpx.URL(substitute(str(action.action.get("url", "")), values))
        except httpx.InvalidURL:
            return Outcome(status=None, message="The action has no valid url.")
        if url.netloc not in self._allowed:
            return Outcome(status=None, message=f"The host {url.host} is not registered for actionable messages.")
        headers = await self._headers(card, action, values, person=person, request_id=request_id or str(uuid4()))
        body = substitute(str(action.action.get("body", "")), values).encode()
        try:
            answer = await self._client.post(url, headers=headers, content=body, timeout=patience)
        except httpx.TimeoutException:
            return Outcome(status=None, message=f"The app did not answer within {patience:g} seconds.")
        except httpx.HTTPError:
            return Outcome(status=None, message="The app could not be reached.")
        return _outcome(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _headers(
        self, card: Card, action: HttpAction, values: Mapping[str, str], *, person: str, request_id: str
    ) -> httpx.Headers:
        headers = httpx.Headers({"User-Agent": _USER_AGENT, "Content-Type": "application/json; charset=utf-8"})
        for header in action.action.get("headers", []):
            headers[str(header["name"])] = substitute(str(header.get("value", "")), values)
        headers["Action-Request-Id"] = request_id
        if "correlationId" in card:
            headers["Card-Correlation-Id"] = str(card["correlationId"])
        bearer = f"Bearer {await self._tenant.token(person)}"
        if "Authorization" in headers:
            headers["Action-Authorization"] = bearer
            if not headers["Authorization"]:
                del headers["Authorization"]
        else:
            headers["Authorization"] = bearer
        return headers


def _outcome(answer: httpx.Response) -> Outcome:
    said = answer.headers.get("CARD-ACTION-STATUS")
    shared: dict[str, Any] = {"status": answer.status_code, "card_action_status": said, "body": answer.text}
    if not answer.is_success:
        line = f"HTTP {answer.status_code} {answer.reason_phrase}".strip()
        return Outcome(message=said or f"The action could not be completed ({line}).", **shared)
    if answer.headers.get("CARD-UPDATE-IN-BODY", "").strip().lower() != "true":
        return Outcome(message=said or "The action was completed.", **shared)
    card = parse_card(answer.text)
    if card is None:
        return Outcome(message=said or "The action was completed, but its new card cannot be read.", **shared)
    return Outcome(message=said or "The action was completed.", card=card, **shared)
