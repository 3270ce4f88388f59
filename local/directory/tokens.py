"""The tokens that the local Entra issues, and the check of those that come back to Graph.

Times in tokens are the machine's own, whatever clock the directory was given: whoever checks them has no other.
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt

from local.directory.directory import Directory
from local.directory.model import User
from local.directory.signing import KeyRing, SigningKey, sign

GRAPH_AUDIENCE = "https://graph.microsoft.com"
ACTIONS_SERVICE = "48af08dc-f6d2-435f-b2a7-069abd99c086"
LIFETIME = 3600


class NotOurToken(Exception):  # noqa: N818 - named for what was refused
    """A bearer token that Graph does not take; the text is what Graph says."""


class TokenOffice:
    """Issues tokens for the tenant, under one authority."""

    def __init__(self, directory: Directory, keys: KeyRing, authority: str) -> None:
        """Issue under an authority: ``http://127.0.0.1:7080``, without a slash at the end."""
        self._tenant = directory.tenant
        self.keys = keys
        self.authority = authority

    @property
    def issuer(self) -> str:
        """The issuer of version 2.0 tokens."""
        return f"{self.authority}/{self._tenant.id}/v2.0"

    def for_app(self, audience: str, client_id: str) -> str:
        """Return a token that says: this is the app, with the application permissions it was granted."""
        claims = self._always(audience) | {
            "appid": client_id,
            "azp": client_id,
            "idtyp": "app",
            "oid": client_id,
            "sub": client_id,
            "roles": list(self._tenant.app_permissions),
        }
        return sign(claims, self.keys.current)

    def for_user(self, user: User, order: Mapping[str, Any]) -> str:
        """Return a token for a person, right or deliberately wrong.

        ``order`` is the body of ``POST /admin/token``. Without further words: the token that Microsoft's Actions service
        sends for the person who pressed a button in Outlook. Further words: ``kind`` (``actionable-message`` or
        ``signed-in``), ``audience``, ``scope``, ``tenant``; and for tests of whoever checks it: ``claims`` (set these),
        ``without`` (leave these out), ``expired``, ``notYetValid``, ``key`` (``other``: signed by a stranger under our
        key's name), ``kid``, ``alg`` (``HS256``: signed with the public key as the secret; ``none``: not signed).

        Raises:
            ValueError: an order that cannot be understood.
        """
        kind = order.get("kind", "actionable-message")
        audience = order.get("audience", self._tenant.app_client_id)
        claims = self._always(audience) | {
            "name": user.display_name,
            "oid": user.id,
            "preferred_username": user.user_principal_name,
            "sub": f"pairwise-{user.id}",
        }
        match kind:
            case "actionable-message":
                claims |= {"azp": ACTIONS_SERVICE, "scp": order.get("scope", "Actions.Invoke")}
            case "signed-in":
                claims |= {"azp": audience, "scp": order.get("scope", "access_as_user"), "amr": ["pwd", "mfa"]}
            case _:
                raise ValueError("kind must be actionable-message or signed-in.")
        if "tenant" in order:
            claims |= {"tid": order["tenant"], "iss": f"{self.authority}/{order['tenant']}/v2.0"}
        now = int(claims["iat"])
        if order.get("expired"):
            claims |= {"iat": now - 2 * LIFETIME, "nbf": now - 2 * LIFETIME, "exp": now - LIFETIME}
        if order.get("notYetValid"):
            claims |= {"nbf": now + LIFETIME, "exp": now + 2 * LIFETIME}
        claims |= order.get("claims", {})
        for name in order.get("without", ()):
            claims.pop(name, None)
        return self._signed(claims, order)

    def check_graph_token(self, token: str) -> frozenset[str]:
        """Return the application permissions that a bearer token carries.

        Raises:
            NotOurToken: not issued here, not for Graph, or not valid now.
        """
        try:
            key = self.keys.find(str(jwt.get_unverified_header(token).get("kid")))
        except jwt.InvalidTokenError:
            raise NotOurToken("IDX14100: JWT is not well formed, there are no dots (.).") from None
        if key is None:
            raise NotOurToken("Signing key is invalid.")
        try:
            claims = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=["RS256"],
                audience=[GRAPH_AUDIENCE, f"{GRAPH_AUDIENCE}/", "00000003-0000-0000-c000-000000000000"],
                issuer=self.issuer,
            )
        except jwt.InvalidAudienceError:
            raise NotOurToken("Access token validation failure. Invalid audience.") from None
        except jwt.ExpiredSignatureError:
            raise NotOurToken("Lifetime validation failed, the token is expired.") from None
        except jwt.InvalidTokenError:
            raise NotOurToken("Access token validation failure.") from None
        return frozenset(claims.get("roles", ()))

    def _always(self, audience: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "aud": audience,
            "iss": self.issuer,
            "tid": self._tenant.id,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "uti": uuid4().hex,
            "ver": "2.0",
        }

    def _signed(self, claims: dict[str, Any], order: Mapping[str, Any]) -> str:
        key, kid = self.keys.current, order.get("kid")
        if order.get("key", "current") == "other":
            key, kid = SigningKey.generate(), kid or key.kid
        return sign(claims, key, algorithm=order.get("alg", "RS256"), kid=kid)
