"""The bytes of a body -> a JSON object. The variants are those that Power Automate and Logic Apps are known to send.

They are listed in docs/messages/activation-requests.md and stored in tests/samples; each repair is reported, none is silent.
"""

import base64
import binascii
import json
from typing import Any

from access.errors import Code, Unusable

BODY_LIMIT = 192 * 1024
"""Bytes: under Service Bus Standard's 256 KB with its headers. Larger is set aside unread."""

_WCF_STRING = b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/"
# The text records of .NET's binary XML (MC-NBFX 2.2.3) and how many bytes state their length.
_WCF_LENGTHS = {0x98: 1, 0x99: 1, 0x9A: 2, 0x9B: 2, 0x9C: 4, 0x9D: 4}


def read_body(raw: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a JSON object from the bytes of a body; return it with the names of the repairs that were needed.

    Raises:
        Unusable: no JSON object is in it; the code says why.
    """
    if len(raw) > BODY_LIMIT:
        raise Unusable(Code.BODY_TOO_LARGE, f"the body has {len(raw)} bytes; the limit is {BODY_LIMIT}")
    repairs: list[str] = []
    if raw.startswith(_WCF_STRING):
        repairs.append("wcf-string")
        raw = _wcftext_of(raw.removeprefix(_WCF_STRING))
    stripped = raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\x00 \t\r\n").lstrip()
    if stripped != raw.strip():
        repairs.append("padding")
    if not stripped:
        raise Unusable(Code.BODY_EMPTY, "the body is empty")
    value = _unwrapped(text_of(stripped), repairs)
    if not isinstance(value, dict):
        raise Unusable(Code.BODY_NOT_OBJECT, f"the body is JSON, but a {type(value).__name__}, not an object")
    return value, tuple(repairs)


def _wcftext_of(raw: bytes) -> bytes:
    """Return the text of a binary XML string: by the length its record states, which may itself look like a brace."""
    if raw and (size := _WCF_LENGTHS.get(raw[0])):
        start = 1 + size
        return raw[start : start + int.from_bytes(raw[1:start], "little")]
    start, end = raw.find(b"{"), raw.rfind(b"}")
    return raw[start : end + 1] if 0 <= start < end else b""


def text_of(raw: bytes) -> str:
    """Return bytes as text.

    Raises:
        Unusable: they are not UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Unusable(Code.BODY_NOT_UTF8, f"the body is not UTF-8: byte {error.start}") from error


def _unwrapped(text: str, repairs: list[str]) -> Any:
    """Parse ``text``; unwrap JSON inside a JSON string, and base64 of JSON, each at most once."""
    try:
        value = _parsed(text)
    except Unusable:
        inner = _from_base64(text)
        if inner is None:
            raise
        repairs.append("base64")
        value = _parsed(inner)
    if isinstance(value, str):
        repairs.append("json-string")
        inner = value.strip()
        if not inner.startswith(("{", "[")) and (decoded := _from_base64(inner)) is not None:
            repairs.append("base64")
            return _parsed(decoded)
        return _parsed(inner)
    return value


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Unusable(Code.BODY_TOO_DEEP, "the body is nested too deep") from error
    except ValueError as error:
        raise Unusable(Code.BODY_NOT_JSON, f"the body is not JSON: {error}") from error


def _from_base64(text: str) -> str | None:
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded.strip().removeprefix("\ufeff") or None
