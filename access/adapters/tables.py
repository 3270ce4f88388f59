"""Rows with ETags: the one seam between our record and Azure Tables. Everything above it runs unchanged on a fake.

A row is a flat mapping of strings, ints and bools; its keys and its etag stand apart. A query always names a partition
and a range of row keys: a scan can't be written with this interface.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Value = str | int | bool
TABLES = (
    "activations",
    "holds",
    "due",
    "byprincipal",
    "audit",
    "eligibilities",
    "roles",
    "people",
    "quarantine",
    "control",
    "drift",
)
"""Every table there is; lower case, since Azurite minds the case on reads and Azure doesn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. ``etag`` is empty for a row that is not written yet."""

    partition: str
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a row that must not exist."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Write a row over the one with the same etag."""

    row: Row


@dataclass(frozen=True, slots=True)
class Put:
    """Write a row whether it exists or not; only for copies, which can be made again."""

    row: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a row whatever its etag; on its own, gone already is fine."""

    partition: str
    key: str


Operation = Insert | Replace | Put | Delete


class Tables(Protocol):
    """Reads and conditional writes.

    Every method raises ``TryAgain`` when the service can't answer; ``write`` raises ``Conflict`` when a row exists, is
    missing, or has another etag, and then nothing was written.
    """

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        """Return one row, or None."""
        ...

    def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        """Yield the rows of a partition with ``start <= key < end``, in the order of their keys (ordinal)."""
        ...

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        """Carry out all operations on one partition, or none; return the etags (empty for a delete)."""
        ...
