"""Ids made from what they name: the same thing asked twice has the same id (protocol section 2, law 8)."""

import hashlib
import json
import re
from collections.abc import Mapping

from access.model import Door, Target

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGEST = re.compile(r"[0-9a-f]{32}")
LENGTH = 32
"""Hex digits of an id: 128 bits, far under Service Bus's 128 characters and Table Storage's 1,024."""


def digest(*parts: str) -> str:
    """Return an id for ``parts`` in their order. No part can run into the next one."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:LENGTH]


def activation_id(*, tenant: str, principal: str, door: Door, source: str, request: str) -> str:
    """Return the id of the activation that this request makes, however often it is delivered.

    ``principal`` is the text of the request, as it can be read without asking anybody; ``door`` keeps a claimed principal
    from sharing ids with a proven one; ``source`` names the sender, ``request`` is the sender's own id.
    """
    return digest("activation", tenant.lower(), principal.strip().lower(), door, source, request)


def is_activation_id(text: str) -> bool:
    """Whether ``text`` has the form of what ``activation_id`` returns."""
    return _DIGEST.fullmatch(text) is not None


def hold_id(principal: str, target: Target) -> str:
    """Return the id of the one hold for this principal and target."""
    return digest("hold", principal.strip().lower(), target.source, target.id)


def content_of(values: Mapping[str, object]) -> str:
    """Return a fingerprint of what was asked, to tell a second delivery from an id that is used again."""
    return digest("content", json.dumps(values, sort_keys=True, default=str))


def is_guid(text: str) -> bool:
    """Whether ``text`` is an object id, and not something that a sender called one."""
    return _GUID.fullmatch(text) is not None


def guid_of(text: str) -> str:
    """Return a GUID for ``text``, which is itself if it is one: where a vendor's field takes nothing else."""
    if is_guid(text):
        return text.lower()
    hexes = digest("guid", text)
    return "-".join((hexes[:8], hexes[8:12], hexes[12:16], hexes[16:20], hexes[20:]))


def chained(previous: str, record: Mapping[str, object]) -> str:
    """Return the hash of an event row, which covers its content and the row before it (protocol section 7)."""
    text = json.dumps(record, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\x1f{text}".encode()).hexdigest()
