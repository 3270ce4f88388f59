"""Bytes from elsewhere for a person's eyes: as JSON where they are, as text where they are text, else in hex.

What a terminal would obey, and what turns the direction of text, is escaped and not left out: it may be what is wrong.
"""

import json

from access.body import read_body
from access.errors import Unusable

LIMIT = 16_384
"""Characters of text, or bytes in hex: four a screen's worth and more; ``--json`` has them all."""

_WIDTH = 16


def readable(raw: bytes) -> tuple[str, str]:
    """Return what the bytes are, and how they read; at most ``LIMIT`` of them."""
    if not raw:
        return "empty", ""
    try:
        value, repairs = read_body(raw)
    except Unusable:
        return _unread(raw)
    kind = f"JSON, repaired: {', '.join(repairs)}" if repairs else "JSON"
    return kind, _cut(escaped(json.dumps(value, indent=2, ensure_ascii=False)))


def escaped(text: str) -> str:
    """Return text with everything escaped that is not seen, or is obeyed; line feeds stay."""
    return "".join(char if char == "\n" or char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _unread(raw: bytes) -> tuple[str, str]:
    try:
        return "text, not a JSON object", _cut(escaped(raw.decode()))
    except UnicodeDecodeError:
        return "neither JSON nor text", _hex(raw)


def _cut(text: str) -> str:
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}\n... and {len(text) - LIMIT} characters more"


def _hex(raw: bytes) -> str:
    """Return lines of offset, bytes and what of them is ASCII."""
    lines = []
    for start in range(0, min(len(raw), LIMIT), _WIDTH):
        part = raw[start : start + _WIDTH]
        seen = "".join(char if char.isascii() and char.isprintable() else "." for char in part.decode("latin-1"))
        lines.append(f"{start:06x}  {part.hex(' '):<{_WIDTH * 3 - 1}}  {seen}")
    if len(raw) > LIMIT:
        lines.append(f"... and {len(raw) - LIMIT} bytes more")
    return "\n".join(lines)
