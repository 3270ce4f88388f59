"""The tenant's signing keys, and signatures: right ones, and wrong ones for tests of whoever checks them."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jwt.algorithms import RSAAlgorithm

from local.directory.records import Records

ALGORITHMS = ("RS256", "HS256", "none")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with its name."""

    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(uuid4().hex, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, kid: str, pem: str) -> Self:
        """Read a key that was kept."""
        private = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError(f"The key {kid} is not an RSA key.")
        return cls(kid, private)

    def to_pem(self) -> str:
        """Return the private key as text, to be kept."""
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.private.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    def to_jwk(self) -> dict[str, Any]:
        """Return the public half as Entra publishes it: without ``alg``."""
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": jwk["n"], "e": jwk["e"]}


class KeyRing:
    """The keys of a tenant. The last one signs; all are published, until they are retired."""

    def __init__(self, records: Records) -> None:
        self._records = records
        kept = sorted(records.all("key").values(), key=lambda entry: entry["order"])
        self._keys = [SigningKey.from_pem(entry["kid"], entry["pem"]) for entry in kept]
        if not self._keys:
            self.rotate(retire=False)

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    def find(self, kid: str) -> SigningKey | None:
        """Return the published key of this name."""
        return next((key for key in self._keys if key.kid == kid), None)

    def rotate(self, *, retire: bool) -> SigningKey:
        """Sign with a new key from now on; with ``retire`` the older ones are no longer published."""
        key = SigningKey.generate()
        with self._records.together():
            if retire:
                self._keys = []
                self._records.clear("key")
            entry = {"kid": key.kid, "order": len(self._keys), "pem": key.to_pem()}
            self._records.put("key", key.kid, entry)
        self._keys.append(key)
        return key

    def to_jwks(self) -> dict[str, Any]:
        """Return the published keys."""
        return {"keys": [key.to_jwk() for key in self._keys]}


def sign(claims: dict[str, Any], key: SigningKey, *, algorithm: str = "RS256", kid: str | None = None) -> str:
    """Return a JSON Web Token.

    ``HS256`` is the classic forgery, with the public key as the secret; ``none`` has no signature at all. Libraries
    refuse to make either, which is why this is done by hand. ``kid`` overrides the name of the key in the header.
    """
    header = {"typ": "JWT", "alg": algorithm, "kid": kid or key.kid}
    message = f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"
    match algorithm:
        case "RS256":
            signature = key.private.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        case "HS256":
            encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            secret = key.private.public_key().public_bytes(encoding, form)
            signature = hmac.digest(secret, message.encode(), hashlib.sha256)
        case "none":
            signature = b""
        case _:
            raise ValueError(f"alg must be one of {', '.join(ALGORITHMS)}.")
    return f"{message}.{_segment(signature)}"


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
