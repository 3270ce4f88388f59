"""What reconcile found, on tables: one row for each difference (docs/storage.md)."""

from dataclasses import replace

from access.adapters import keys
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Delete, Insert, Replace, Row, Tables
from access.drift import Finding
from access.model import Target

_TABLE = "drift"


class TableFindings:
    """Implements ``ports.Findings`` on ``Tables``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of(self, target: Target | None) -> tuple[Finding, ...]:
        """Return what was found about a target and its holders; None: about accounts as such."""
        rows = self._tables.query(_TABLE, _partition(target), start=keys.LISTED[0], end=keys.LISTED[1])
        return tuple([from_row(Finding, row.values, etag=row.etag) async for row in rows])

    async def write(self, finding: Finding) -> Finding:
        """Write a finding that is new, or was not written since it was read."""
        values = to_row(finding, leave_out=frozenset({"etag"}))
        key = keys.finding(finding.kind, finding.principal)
        row = Row(partition=_partition(finding.target), key=key, values=values, etag=finding.etag)
        etags = await self._tables.write(_TABLE, [Replace(row) if finding.etag else Insert(row)])
        return replace(finding, etag=etags[0])

    async def forget(self, finding: Finding) -> None:
        """Delete a finding that is no longer so."""
        await self._tables.write(
            _TABLE, [Delete(_partition(finding.target), keys.finding(finding.kind, finding.principal))]
        )


def _partition(target: Target | None) -> str:
    return keys.GONE_ACCOUNTS if target is None else keys.drift(target.source, target.id)
