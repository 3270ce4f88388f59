"""What people change by hand, on tables: each change commits with who made it and what was there before (law 10).

A copy goes to the audit first, so a change without its audit can't be; a copy without its change can, and does no harm.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from access.adapters import keys
from access.adapters.tables import Operation, Put, Row, Tables, Value
from access.ids import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes something, when, and by which way in: ``direct`` is the laptop's, and proves nothing."""

    by: str
    through: str
    at: datetime


def record(
    event: str,
    subject: str,
    before: Mapping[str, Value] | None,
    after: Mapping[str, Value] | None,
    author: Author,
    **more: str,
) -> str:
    """Return the audit of a change as JSON: a name that never changes, who, when, how, and both sides of it."""
    said = {
        "event": event,
        "subject": subject,
        "at": author.at.isoformat(),
        "by": author.by,
        "through": author.through,
        "before": before,
        "after": after,
        **more,
    }
    return json.dumps(said, sort_keys=True, default=str)


async def commit(
    tables: Tables, table: str, partition: str, operations: Sequence[Operation], *, said: str, author: Author
) -> None:
    """Carry out ``operations`` on one partition in one transaction with ``said``, their record.

    Raises:
        Conflict: a row was written meanwhile. Nothing was changed.
    """
    identity = digest("change", said)
    day, copy_key = keys.audit(author.at, identity, 1)
    await tables.write("audit", [Put(Row(partition=day, key=copy_key, values={"record": said}))])
    change = Put(Row(partition=partition, key=keys.change(author.at, identity), values={"record": said}))
    await tables.write(table, [*operations, change])
