"""The SAS check: is a token that a client put to ``$cbs`` signed with our key, and what does it open?

Source: Service Bus, "Shared Access Signatures": HMAC-SHA256 over the encoded resource, a line feed and the expiry.
"""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from local.service_bus.network.errors import UnauthorizedError
from local.service_bus.semantics.entity import Clock

_SCHEME = "SharedAccessSignature "


@dataclass(frozen=True, slots=True)
class SharedAccessKey:
    """The one key of the namespace."""

    name: str
    key: str = field(repr=False)


def path_of(address: str) -> str:
    """Return the entity path of an address: ``amqps://host:port/queue`` and ``queue`` are both ``queue``."""
    return (urlsplit(address).path if "://" in address else address).strip("/")


class Access:
    """What one connection may attach to. Without a key: everything."""

    def __init__(self, key: SharedAccessKey | None, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._grants: dict[str, float] = {}  # the path that a token opens, and until when

    def put_token(self, token: Any) -> None:
        """Take a token.

        Raises:
            UnauthorizedError: it is not a SAS token of our key, or it has expired.
        """
        if self._key is None:
            return
        if not isinstance(token, str) or not token.startswith(_SCHEME):
            raise UnauthorizedError("Only SAS tokens can be checked here.")
        # The signature covers the resource as it is written in the token, still encoded.
        parts = dict(part.partition("=")[::2] for part in token.removeprefix(_SCHEME).split("&"))
        resource, expiry = parts.get("sr", ""), parts.get("se", "")
        signed = hmac.digest(self._key.key.encode(), f"{resource}\n{expiry}".encode(), "sha256")
        try:
            signature = b64decode(unquote_plus(parts.get("sig", "")), validate=True)
        except Base64Error as error:
            raise UnauthorizedError("The token's signature is not base64.") from error
        if not hmac.compare_digest(signature, signed) or unquote_plus(parts.get("skn", "")) != self._key.name:
            raise UnauthorizedError("The token's signature is not of this namespace's key.")
        if not expiry.isdecimal() or int(expiry) <= self._clock():
            raise UnauthorizedError("The token has expired.")
        self._grants[path_of(unquote_plus(resource)).lower()] = float(expiry)

    def require(self, path: str) -> None:
        """Let an attach to this path go on.

        Raises:
            UnauthorizedError: no token opens the path now.
        """
        if self._key is None:
            return
        wanted = path.lower() + "/"
        now = self._clock()
        if not any(
            now < until and wanted.startswith(f"{granted}/" if granted else "")
            for granted, until in self._grants.items()
        ):
            raise UnauthorizedError(f"Unauthorized access. 'Send' or 'Listen' claims are required for '{path}'.")
