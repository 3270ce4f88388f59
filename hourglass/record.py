"""Reads what is recorded about activations: their rows, as they are. Changes nothing."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from access import ids
from access.adapters import keys
from access.adapters.rows import from_row
from access.adapters.tables import Row, Tables
from access.hold import Hold
from access.model import Activation, Asked, Due

_HASHED = ("number", "event", "at", "by", "state", "details")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of an activation, as it was committed."""

    number: int
    event: str
    at: datetime
    by: str
    state: str
    details: Mapping[str, Any]
    hash: str
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """An effect that has not left yet."""

    key: str
    queue: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An activation and all about it. ``chain_broken``: why the events can't be trusted; None: their chain holds."""

    activation: Activation
    events: tuple[EventRow, ...]
    chain_broken: str | None
    asked: tuple[Asked, ...]
    outbox: tuple[OutboxRow, ...]
    due: tuple[Due, ...]
    hold: Hold | None


class Records:
    """What is on record, read row by row; nothing here costs more than what is live."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def activation(self, activation: str) -> Activation | None:
        """Return the activation, or None where there is none."""
        row = await self._tables.get("activations", activation, keys.ACTIVATION)
        return None if row is None else from_row(Activation, row.values, id=row.partition, etag=row.etag)

    async def record(self, activation: str) -> Record | None:
        """Return an activation and all about it, or None where there is none."""
        found = await self.activation(activation)
        if found is None:
            return None
        events = [row async for row in self._rows(activation, keys.EVENTS)]
        outbox = [row async for row in self._rows(activation, keys.OUT)]
        hold = await self._tables.get("holds", ids.hold_id(found.principal, found.target), keys.HOLD)
        return Record(
            activation=found,
            events=tuple(_event(row.values) for row in events),
            chain_broken=chain_broken(found, [row.values for row in events]),
            asked=tuple([from_row(Asked, row.values) async for row in self._rows(activation, keys.ASKED)]),
            outbox=tuple(_outbox(row) for row in outbox),
            due=tuple([due async for due in self._due(keys.shard(activation)) if due.activation == activation]),
            hold=None if hold is None else from_row(Hold, hold.values, etag=hold.etag),
        )

    async def live(self) -> list[str]:
        """Return the ids of all activations that something is still due for: none is held without that (law 1)."""
        found: dict[str, None] = {}
        for shard in keys.shards():
            async for due in self._due(shard):
                found[due.activation] = None
        return list(found)

    def _rows(self, activation: str, span: tuple[str, str]) -> AsyncIterator[Row]:
        return self._tables.query("activations", activation, start=span[0], end=span[1])

    async def _due(self, shard: str) -> AsyncIterator[Due]:
        async for row in self._tables.query("due", shard, start="0", end=keys.END):
            values = row.values
            yield Due(
                shard=row.partition,
                key=row.key,
                at=keys.read_instant(row.key.partition("_")[0]),
                activation=str(values["activation"]),
                version=int(values["version"]),
                kind=str(values["kind"]),
                since=keys.read_instant(str(values["since"])),
                tries=int(values["tries"]),
            )


def chain_broken(activation: Activation, events: Sequence[Mapping[str, Any]]) -> str | None:
    """Return where the chain of events is broken; None: each row covers the one before, and none is missing (protocol 7)."""
    previous = ""
    for number, event in enumerate(events, start=1):
        if event.get("number") != number:
            return f"event {number} is missing"
        if event.get("previous") != previous:
            return f"event {number} doesn't follow the one before it"
        previous = ids.chained(previous, {name: event.get(name) for name in _HASHED})
        if event.get("hash") != previous:
            return f"event {number} was changed after it was written"
    if len(events) != activation.events:
        return f"{activation.events} events were written, and {len(events)} are here"
    return None if activation.chain == previous else "the activation names another last event"


def _event(values: Mapping[str, Any]) -> EventRow:
    return EventRow(
        number=int(values["number"]),
        event=str(values["event"]),
        at=datetime.fromisoformat(str(values["at"])),
        by=str(values["by"]),
        state=str(values["state"]),
        details=json.loads(str(values["details"])),
        hash=str(values["hash"]),
        previous=str(values["previous"]),
    )


def _outbox(row: Row) -> OutboxRow:
    at = keys.read_instant(str(row.values["at"])) if "at" in row.values else None
    return OutboxRow(key=row.key, queue=str(row.values["queue"]), at=at)
