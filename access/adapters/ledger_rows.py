"""What the rows of the record hold: activations, events, effects and due rows <-> values. The order of writes is ledger.py's."""

import json
from datetime import datetime

from access import ids
from access.adapters import keys
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Row, Value
from access.change import Change
from access.events import Happened
from access.expiry import NOW_ROW
from access.model import Activation, Asked, Due, Send

EVENTS_TOPIC = "activation-events"
NOT_STORED = frozenset({"id", "etag"})
"""Fields of an activation that are its key, or the store's."""


def activation_of(row: Row) -> Activation:
    """Read an activation, with the store's etag."""
    return from_row(Activation, row.values, id=row.partition, etag=row.etag)


def due_values(activation: str, version: int, kind: str, *, since: datetime, tries: int) -> dict[str, Value]:
    """Return the values of a due row; its key says when, and of which activation and version."""
    return {"activation": activation, "version": version, "kind": kind, "since": keys.instant(since), "tries": tries}


def due_of(row: Row) -> Due:
    """Read a due row. Its key alone says what to look at, so that an alarm whose values were damaged still rings.

    Raises:
        ValueError: not even the key can be read, or a value is none of ours.
    """
    instant, activation, version, _ = row.key.split("_")
    return Due(
        shard=row.partition,
        key=row.key,
        at=keys.read_instant(instant),
        activation=activation,
        version=int(version),
        kind=str(row.values.get("kind", NOW_ROW)),
        since=keys.read_instant(str(row.values.get("since", instant))),
        tries=int(row.values.get("tries", 0)),
    )


def event_row(after: Activation, happened: Happened) -> Row:
    """Return the event's row: the truth of the audit, chained by hash to the one before (protocol 7)."""
    record = {
        "number": after.events + 1,
        "event": happened.event.value,
        "at": happened.at.isoformat(),
        "by": happened.by,
        "state": after.state.value,
        "details": json.dumps(dict(happened.details), default=str, sort_keys=True, ensure_ascii=False),
    }
    values = {**record, "hash": ids.chained(after.chain, record), "previous": after.chain}
    return Row(partition=after.id, key=keys.event(after.events + 1), values=values)


def event_out(change: Change, event: Row) -> Row:
    """Return the outbox row of an event: its copy for the audit, and a CloudEvent for flows and SIEM."""
    after, happened = change.after, change.happened
    cloud_event = {
        "specversion": "1.0",
        "id": f"{after.id}-{after.events + 1}",
        "source": "/hourglass",
        "type": happened.event.value,
        "subject": after.id,
        "time": happened.at.isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "role": after.role,
            "principal": after.principal,
            "requester": after.requester,
            "state": after.state.value,
            "by": happened.by,
            "endsAt": after.ends_at.isoformat() if after.ends_at else None,
            "unmet": [demand.code for demand in after.unmet],
        },
    }
    values = {
        "queue": EVENTS_TOPIC,
        "body": json.dumps(cloud_event, default=str),
        "copy": json.dumps(dict(event.values), ensure_ascii=False),
        "principal": after.principal or after.requester,
        "role": after.role,
        "correlation": after.correlation_id,
    }
    return Row(partition=after.id, key="", values=values)


def send_out(after: Activation, send: Send) -> Row:
    """Return the outbox row of a message that leaves with a commit."""
    values = {
        "queue": send.queue,
        "body": json.dumps(dict(send.body), default=str),
        "correlation": after.correlation_id,
    }
    if send.at is not None:
        values["at"] = keys.instant(send.at)
    return Row(partition=after.id, key="", values=values)


def asked_row(activation: str, asked: Asked) -> Row:
    """Return the row of an approver who was asked."""
    return Row(partition=activation, key=keys.decision(asked.account), values=to_row(asked))
