"""One target: who holds it by the directory, who by the record, and what differs. One read of the directory tells both ways."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from access.change import move
from access.drift import (
    Explained,
    Finding,
    Found,
    Kind,
    NotYet,
    Verdict,
    is_overdue,
    judge_absent,
    judge_holder,
    judge_recorded,
    needed_by,
)
from access.errors import Conflict
from access.events import Event, Happened
from access.hold import Hold
from access.lifecycle import Work, asks_for, is_final, may
from access.model import Activation, Target
from access.ports import Ports
from expiry_timer.findings import Notes

_ABOUT_HOLDERS = (Kind.UNEXPLAINED, Kind.RETURNED, Kind.OVERDUE)

ByPrincipal = Mapping[str, Sequence[Activation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a look at one target gave. ``doubtful``: accounts that should hold it, and that the directory doesn't know."""

    findings: tuple[Finding, ...]
    reported: int
    holders: int
    doubtful: frozenset[str]


async def compare_target(target: Target, activations: Sequence[Activation], ports: Ports, *, records: bool) -> Compared:
    """Compare a target with its open ``activations``; with ``records``, record on them what is missing.

    Raises:
        TryAgain: the directory or the tables can't answer; what was found before stands.
    """
    began = ports.clock.now()
    holders = await ports.directory.holders(target)
    notes = await Notes.at(target, ports)
    by_principal: dict[str, list[Activation]] = defaultdict(list)
    for activation in activations:
        by_principal[activation.principal].append(activation)
    for activation in activations:
        if await _is_still_overdue(activation, began, ports):
            await notes.note(Kind.OVERDUE, activation.principal)
    doubtful: set[str] = set()
    if holders is None:
        notes.keep_all()
        await notes.note(Kind.GONE)
    else:
        doubtful = await _look_at_absent(frozenset(holders), by_principal, began, notes, ports, records=records)
        for principal in holders:
            await _look_at_holder(principal, target, by_principal.get(principal, ()), began, notes, ports)
        await _look_at_removals(target, began, notes, ports)
    await notes.close()
    return Compared(
        findings=notes.found, reported=notes.reported, holders=len(holders or ()), doubtful=frozenset(doubtful)
    )


async def _is_still_overdue(activation: Activation, began: datetime, ports: Ports) -> bool:
    """Whether it is overdue, read again: it may have ended since the walk over what is open."""
    if not is_overdue(activation, now=began):
        return False
    current = await ports.store.activation(activation.id)
    return current is not None and is_overdue(current, now=began)


async def _look_at_absent(
    holders: frozenset[str], by_principal: ByPrincipal, began: datetime, notes: Notes, ports: Ports, *, records: bool
) -> set[str]:
    """Note what the record says is held and the directory doesn't show; return the accounts that are not there at all."""
    doubtful: set[str] = set()
    for principal in sorted(by_principal.keys() - holders):
        for activation in by_principal[principal]:
            if asks_for(activation.state) is not Work.END:
                continue
            hold = await ports.store.hold(principal, activation.target)
            match judge_absent(hold, activation, read_began=began, timing=ports.timing):
                case Found(kind):
                    if await ports.directory.account(principal) is None:
                        doubtful.add(principal)
                        continue
                    finding = await notes.note(kind, principal)
                    if records and finding.confirmed is not None:
                        await _record_missing(activation, ports)
                case _:
                    notes.keep(principal, Kind.MISSING)
    return doubtful


async def _record_missing(activation: Activation, ports: Ports) -> None:
    """Record on the activation, once, that somebody removed it by hand. It stays as it is, and its end is still proven."""
    if activation.missing_reported or not may(activation.state, Event.ASSIGNMENT_MISSING):
        return
    now = ports.clock.now()
    change = move(activation, Happened(event=Event.ASSIGNMENT_MISSING, at=now), missing_reported=True)
    try:
        await ports.store.commit(change, now=now)
    except Conflict:
        return  # it moved on meanwhile: the next look sees where


async def _look_at_holder(
    principal: str, target: Target, recorded: Sequence[Activation], began: datetime, notes: Notes, ports: Ports
) -> None:
    """Note somebody who holds the target and needn't; what the record explains costs no read."""
    verdict = judge_recorded(recorded)
    if verdict is None:
        verdict = await _judge_by_hold(await ports.store.hold(principal, target), began, ports)
    match verdict:
        case Found(Kind.UNEXPLAINED) if (Kind.RETURNED, principal) in notes.known:
            await notes.note(Kind.RETURNED, principal)  # free holds are not kept for ever
        case Found(kind):
            await notes.note(kind, principal)
        case NotYet():
            notes.keep(principal, *_ABOUT_HOLDERS)
        case Explained():
            pass


async def _look_at_removals(target: Target, began: datetime, notes: Notes, ports: Ports) -> None:
    """Look after removals that nobody goes on with, though the directory shows nothing any more: they are not proven."""
    for kind, principal in notes.known:
        if kind is Kind.OVERDUE:
            verdict = await _judge_by_hold(await ports.store.hold(principal, target), began, ports)
            if verdict == Found(Kind.OVERDUE):
                await notes.note(Kind.OVERDUE, principal)


async def _judge_by_hold(hold: Hold, began: datetime, ports: Ports) -> Verdict:
    found = [await ports.store.activation(key) for key in sorted(needed_by(hold))]
    any_open = any(each is not None and not is_final(each.state) for each in found)
    return judge_holder(hold, any_open=any_open, read_began=began, timing=ports.timing)
