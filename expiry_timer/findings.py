"""What was found in one place, as it was at the last look and as it is now; each difference is reported once.

The row is written first and conditionally, then the log: of two that look at the same time, one reports.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from access.drift import Finding, Kind, is_sure
from access.errors import Conflict
from access.model import Target
from access.ports import Findings, Ports

log = logging.getLogger(__name__)

Key = tuple[Kind, str]


class Notes:
    """Findings of one target, or of accounts as such. ``note`` what is so, ``keep`` what can't be told, then ``close``."""

    def __init__(self, place: Target | None, known: Iterable[Finding], ports: Ports) -> None:
        self._place = place
        self._ports = ports
        self._kept: set[Key] = set()
        self._found: dict[Key, Finding] = {}
        self.known = {(finding.kind, finding.principal): finding for finding in known}
        self.reported = 0

    @classmethod
    async def at(cls, place: Target | None, ports: Ports) -> Self:
        """Return what is known of a place."""
        return cls(place, await ports.findings.of(place), ports)

    @property
    def found(self) -> tuple[Finding, ...]:
        """What was noted, in the order in which it was."""
        return tuple(self._found.values())

    async def note(self, kind: Kind, principal: str = "") -> Finding:
        """Record that this is so, and report it where it has just become sure; return it as it is recorded."""
        key = kind, principal
        if key not in self._found:
            self._found[key] = await self._recorded(key)
        return self._found[key]

    def keep(self, principal: str, *kinds: Kind) -> None:
        """Leave what is known of these kinds as it is."""
        self._kept.update((kind, principal) for kind in kinds)

    def keep_all(self) -> None:
        """Leave everything that is known as it is."""
        self._kept.update(self.known)

    async def close(self) -> None:
        """Forget what was found earlier and is no longer so."""
        for key, finding in self.known.items():
            if key not in self._kept and key not in self._found:
                await self._ports.findings.forget(finding)

    async def _recorded(self, key: Key) -> Finding:
        now, before = self._ports.clock.now(), self.known.get(key)
        finding = before or Finding(kind=key[0], principal=key[1], target=self._place, first_seen=now)
        if finding.confirmed is None and is_sure(finding, now=now, timing=self._ports.timing):
            finding = replace(finding, confirmed=now)
        if finding == before:
            return finding
        try:
            written = await self._ports.findings.write(finding)
        except Conflict:  # somebody else is looking too, and reports it
            return before or replace(finding, confirmed=None)
        if written.confirmed is not None:
            self.reported += 1
            _report(written)
        return written


class OnlyLooking:
    """Implements ``ports.Findings``: reads what is on record, and remembers what is new without writing it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._new: dict[tuple[Target | None, Kind, str], Finding] = {}

    async def of(self, target: Target | None) -> tuple[Finding, ...]:
        """Return what is on record, and what was seen since."""
        known = {(target, each.kind, each.principal): each for each in await self._findings.of(target)}
        return tuple((known | {key: each for key, each in self._new.items() if key[0] == target}).values())

    async def write(self, finding: Finding) -> Finding:
        """Remember it."""
        self._new[finding.target, finding.kind, finding.principal] = finding
        return finding

    async def forget(self, finding: Finding) -> None:
        """Remember it no longer."""
        self._new.pop((finding.target, finding.kind, finding.principal), None)


def _report(finding: Finding) -> None:
    """Tell ops, who hear of each finding once."""
    extra = {"target": finding.target.id if finding.target else "", "principal": finding.principal}
    match finding.kind:
        case Kind.MISSING:
            log.warning("drift.missing", extra=extra)
        case Kind.UNEXPLAINED:
            log.warning("drift.unexplained", extra=extra)
        case Kind.OVERDUE:
            log.warning("drift.overdue", extra=extra)
        case Kind.GONE:
            log.warning("directory.gone", extra=extra)
        case Kind.RETURNED:
            log.error("assignment.returned", extra=extra)
