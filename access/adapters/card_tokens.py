"""The card's own token: HS256 by PyJWT, for one approver and one activation; keys rotate by their ids."""

import hmac
from collections.abc import Mapping
from datetime import datetime

import jwt

from access.errors import Code, Refused
from access.model import Unmet

_AUDIENCE = "hourglass-card"


class SignedCardTokens:
    """Implements ``ports.CardTokens``. The first key signs; all are accepted."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    def issue(self, *, activation: str, approver: str, nonce: str, expires_at: datetime) -> str:
        """Return a token to put into a card."""
        kid, key = next(iter(self._keys.items()))
        claims = {
            "aud": _AUDIENCE,
            "aid": activation,
            "sub": approver,
            "jti": nonce,
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, key, algorithm="HS256", headers={"kid": kid})

    def read(self, token: str, *, now: datetime) -> tuple[str, str, str]:
        """Return activation, approver and nonce of a token."""
        try:
            key = self._keys[str(jwt.get_unverified_header(token).get("kid"))]
            claims = jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["aud", "aid", "sub", "jti", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, KeyError, UnicodeEncodeError) as error:
            raise Refused(
                Unmet(
                    Code.CARD_INVALID, "This card was not made by us, or was changed.", "Use the card in your own mail."
                )
            ) from error
        if now.timestamp() >= int(claims["exp"]):
            raise Refused(Unmet(Code.CARD_TOO_LATE, "This card is too old.", "Ask the requester to ask again."))
        return str(claims["aid"]), str(claims["sub"]), str(claims["jti"])


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that doesn't depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
