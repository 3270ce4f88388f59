"""What could never succeed: a row with the reason, and the original bytes in a blob; put back or dropped by a person.

A message has one row, however often it is delivered: its day is that of its arrival, its key covers queue, identity and
bytes. A replay is safe, since every message is safe to deliver twice (law 8); one that fails again gets a row of its own.
"""

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from access import ids
from access.adapters import keys
from access.adapters.blobs import Blobs
from access.adapters.changes import Author, commit, record
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Insert, Replace, Row, Tables, Value
from access.errors import Conflict
from access.ports import Bus
from access.wire import ATTEMPT, IDENTITY

log = logging.getLogger(__name__)

CONTAINER = "quarantine"
REPLAY = "hourglass-replay"
"""Property of a message that was put back from the quarantine: from which row, and for which time."""

DAY_LIMIT = 1_000
"""Rows that are read of one day: a storm of broken messages must not drown whoever looks at it."""

_LONGEST = 1_000
_PROPERTIES = 20
_ALL_PROPERTIES = 5_000
"""Characters of a sender's text: a row takes 32,768 in one value, each may be six in JSON, and one too many loses the row."""

_MESSAGE_ID_LIMIT = 128
_NOT_STORED = frozenset({"id", "etag"})
_EARLIER = "property"
"""How the columns began in which version 1 kept properties, one each, as ``name=value``."""


class Verdict(StrEnum):
    """What a person decided about a message that was set aside."""

    REPLAY_ORDERED = "replay ordered"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A message that was set aside. ``id`` is its day and key, and the name of the blob with its ``bytes`` bytes.

    ``cut``: not all that the sender said beside the body was kept. ``verdict`` and what follows: who decided about it last.
    """

    id: str
    queue: str
    identity: str
    code: str
    what: str
    bytes: int
    at: datetime
    enqueued_at: datetime | None = None
    correlation_id: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    replays: int = 0
    verdict: Verdict | None = None
    verdict_at: datetime | None = None
    verdict_by: str = ""
    verdict_through: str = ""
    reason: str = ""
    carried: Mapping[str, str | int | bool] = field(default_factory=dict)
    etag: str = ""


class TableQuarantine:
    """Implements ``ports.Quarantine``: the bytes first, then the row that names them. The rest is for the command."""

    def __init__(self, tables: Tables, blobs: Blobs) -> None:
        self._tables = tables
        self._blobs = blobs

    async def set_aside(
        self,
        *,
        queue: str,
        identity: str,
        code: str,
        what: str,
        body: bytes,
        properties: Mapping[str, str],
        now: datetime,
        enqueued_at: datetime | None = None,
        correlation_id: str = "",
    ) -> None:
        """Record a message that can't succeed; a second delivery of it changes nothing."""
        kept = _kept(properties)
        content = hashlib.sha256(body).hexdigest()
        name = ids.digest("quarantine", queue, identity, content, properties.get(REPLAY, ""))
        entry = SetAside(
            id=f"{keys.day(enqueued_at or now)}/{name}",
            queue=queue,
            identity=identity[:_LONGEST],
            code=code,
            what=what[:_LONGEST],
            bytes=len(body),
            at=now,
            enqueued_at=enqueued_at,
            correlation_id=correlation_id[:_LONGEST],
            properties=kept,
            cut=kept != properties or len(identity) > _LONGEST,
        )
        await self._blobs.put(entry.id, body)
        try:
            await self._tables.write("quarantine", [Insert(_row(entry))])
        except Conflict:
            return
        log.warning(
            "message.set_aside", extra={"queue": queue, "quarantine_id": entry.id, "code": code, "bytes": len(body)}
        )

    async def on(self, day: datetime) -> list[SetAside]:
        """Return what arrived on a day, newest first; at most ``DAY_LIMIT`` of it."""
        found = [entry async for entry in self._between(keys.day(day), *keys.SET_ASIDE)]
        return sorted(found, key=lambda entry: entry.at, reverse=True)

    async def beginning(self, day: str, digits: str) -> list[SetAside]:
        """Return what arrived on a day (such as ``2026-03-02``) and whose key begins with ``digits``."""
        return [entry async for entry in self._between(keys.checked(day), keys.checked(digits), digits + keys.END)]

    async def body(self, entry: SetAside) -> bytes | None:
        """Return the bytes as they came; None: somebody deleted the blob."""
        return await self._blobs.get(entry.id)

    async def replay(self, entry: SetAside, body: bytes, bus: Bus, author: Author, reason: str) -> None:
        """Put the message back on its queue as it came: order it, with its audit; send it; mark it as sent.

        After a crash in between the row says that it was ordered, and it may have been sent: replaying it again does no harm.

        Raises:
            TryAgain: it may or may not have been sent.
            Conflict: somebody else decided about it meanwhile; nothing was sent.
        """
        ordered = _decided(replace(entry, replays=entry.replays + 1), Verdict.REPLAY_ORDERED, author, reason)
        await self._commit("message.replay_ordered", entry, ordered, author)
        await bus.send_again(
            entry.queue,
            body,
            properties={
                **{name: value for name, value in entry.properties.items() if name != ATTEMPT},
                IDENTITY: entry.identity,
                REPLAY: f"{entry.id}@{ordered.replays}",
            },
            message_id=entry.identity if len(entry.identity) <= _MESSAGE_ID_LIMIT else ids.digest(entry.identity),
            correlation_id=entry.correlation_id,
            at=author.at,
        )
        await self._mark_sent(ordered)

    async def discard(self, entry: SetAside, author: Author, reason: str) -> None:
        """Mark the message as one that nothing will come of; row and bytes stay.

        Raises:
            Conflict: somebody else decided about it meanwhile.
        """
        discarded = _decided(entry, Verdict.DISCARDED, author, reason)
        await self._commit("message.discarded", entry, discarded, author)

    async def _between(self, day: str, start: str, end: str) -> AsyncIterator[SetAside]:
        async for row in self._tables.query("quarantine", day, start=start, end=end, limit=DAY_LIMIT):
            if not row.key.startswith(keys.CHANGE):
                yield _entry(row)

    async def _commit(self, event: str, before: SetAside, after: SetAside, author: Author) -> None:
        row = _row(after)
        said = record(event, after.id, _said(before), _said(after), author, queue=after.queue, code=after.code)
        await commit(self._tables, "quarantine", row.partition, [Replace(row)], said=said, author=author)

    async def _mark_sent(self, ordered: SetAside) -> None:
        """Write that it was sent, unless the row says more by now."""
        day, _, name = ordered.id.partition("/")
        row = await self._tables.get("quarantine", day, name)
        if row is not None and replace(_entry(row), etag="") == replace(ordered, etag=""):
            sent = replace(_entry(row), verdict=Verdict.REPLAYED)
            await self._tables.write("quarantine", [Replace(_row(sent))])


def _decided(entry: SetAside, verdict: Verdict, author: Author, reason: str) -> SetAside:
    return replace(
        entry,
        verdict=verdict,
        verdict_at=author.at,
        verdict_by=author.by,
        verdict_through=author.through,
        reason=reason,
    )


def _said(entry: SetAside) -> Mapping[str, Value]:
    """Return what a decision changes, for the audit."""
    return {"verdict": entry.verdict or "", "reason": entry.reason, "replays": entry.replays}


def days(since: datetime, now: datetime) -> list[datetime]:
    """Return the days to look through, newest first. It begins tomorrow: a broker's clock may be ahead of ours."""
    first = now + timedelta(days=1)
    return [first - timedelta(days=back) for back in range((first.date() - since.date()).days + 1)]


def _row(entry: SetAside) -> Row:
    day, _, name = entry.id.partition("/")
    return Row(partition=day, key=name, values=to_row(entry, leave_out=_NOT_STORED), etag=entry.etag)


def _entry(row: Row) -> SetAside:
    earlier = [str(row.values[name]) for name in sorted(row.values) if name.startswith(_EARLIER)]
    values: dict[str, Value] = dict(row.values)
    if earlier:
        values["properties"] = json.dumps(dict(text.split("=", 1) for text in earlier))
    return from_row(SetAside, values, id=f"{row.partition}/{row.key}", etag=row.etag)


def _kept(properties: Mapping[str, str]) -> dict[str, str]:
    """Return what a row can hold of the sender's properties: those that fit come back whole, for the replay."""
    kept: dict[str, str] = {}
    left = _ALL_PROPERTIES
    for name, value in list(properties.items())[:_PROPERTIES]:
        left -= len(name) + len(value)
        if left < 0 or len(name) + len(value) > _LONGEST:
            continue
        kept[name] = value
    return kept
