"""The card's bearer token, as Entra issues it for Outlook's Actions service since 2026-06-08 (docs/messages/card-press.md).

Who presses is (``tid``, ``oid``): never an address. The tenant and the keys come from settings, never from the token.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import jwt
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError

from access.errors import Code, Refused, TryAgain
from access.model import Unmet
from access.ports import Caller

ACTIONS_SERVICE = "48af08dc-f6d2-435f-b2a7-069abd99c086"
"""The client id of Microsoft's Actions service, in every cloud's documentation that names one."""

_LEEWAY = 120
_V1_ISSUER = "https://sts.windows.net"


class EntraCallers:
    """Implements ``ports.Callers``."""

    def __init__(self, *, authority: str, tenant: str, audiences: Sequence[str], scope: str) -> None:
        self._tenant = tenant
        self._audiences = list(audiences)
        self._issuers = [f"{authority}/{tenant}/v2.0", f"{_V1_ISSUER}/{tenant}/"]
        self._scope = scope
        self._keys = PyJWKClient(f"{authority}/{tenant}/discovery/v2.0/keys", lifespan=3600, timeout=5)

    async def caller(self, authorization: str) -> Caller:
        """Return whom the header proves."""
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _invalid("There is no bearer token.")
        claims = await asyncio.to_thread(self._claims, token)
        if str(claims.get("tid", "")).lower() != self._tenant:
            raise _invalid("The token is of another tenant.")
        if str(claims.get("azp") or claims.get("appid") or "").lower() != ACTIONS_SERVICE:
            raise _invalid("The token was issued to another client.")
        if self._scope not in str(claims.get("scp", "")).split():
            raise _invalid("The token doesn't carry our scope.")
        account = str(claims.get("oid") or "").lower()
        if not account:
            raise Refused(
                Unmet(
                    Code.TOKEN_WITHOUT_OID,
                    "Outlook didn't say which account you are.",
                    "An administrator must add the oid claim to the card's app; see docs/errors.md.",
                )
            )
        return Caller(
            tenant=self._tenant, account=account, name=str(claims.get("preferred_username") or claims.get("upn") or "")
        )

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            self._keys.get_signing_keys()
        except (jwt.PyJWTError, OSError, ValueError) as error:  # ValueError: what came is no JSON
            raise _no_keys() from error
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audiences,
                issuer=self._issuers,
                leeway=_LEEWAY,
                options={"require": ["exp", "nbf", "iat", "iss", "aud", "tid"]},
            )
        except PyJWKClientConnectionError as error:  # the key is new to us, and the keys can't be read anew
            raise _no_keys() from error
        except jwt.PyJWTError as error:
            raise _invalid(f"The token is not valid: {type(error).__name__}.") from error
        return claims


def _no_keys() -> TryAgain:
    return TryAgain("the keys of Entra", after=timedelta(seconds=30), fault=True)


def _invalid(what: str) -> Refused:
    return Refused(Unmet(Code.TOKEN_INVALID, what, "Open the mail again in Outlook and press the button there."))
