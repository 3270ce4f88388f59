"""Compare the directory with the record, both ways, and report what differs. Nothing is put back, and nothing is taken.

Requests that wait for an account or a target that is gone are closed. A repair hurries what is ours and overdue. A target
that can't be read keeps nobody else from being looked at.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from access.change import move
from access.drift import Finding, Kind
from access.errors import Code, Conflict, TryAgain
from access.events import Event, Happened
from access.lifecycle import Work, asks_for, may
from access.model import Activation, Cause, Target, Unmet
from access.ports import Ports
from access.wire import nudge, tell
from expiry_timer.compare import compare_target
from expiry_timer.findings import Notes, OnlyLooking
from expiry_timer.repair import Repaired, repair

log = logging.getLogger(__name__)

ByTarget = Mapping[Target, Sequence[Activation]]


class Mode(StrEnum):
    """What a look may do beside looking: nothing; record, report and close, as each hour; or repair, as a person asks."""

    LOOK = "look"
    RECORD = "record"
    REPAIR = "repair"


@dataclass(slots=True)
class Reconciled:
    """What was looked at, and what came of it. ``failed`` says what could not be read, by the id that it is about."""

    targets: int = 0
    activations: int = 0
    holders: int = 0
    reported: int = 0
    findings: list[Finding] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    repaired: list[Repaired] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unsure(self) -> bool:
        """Whether something was seen once, and a second look is to tell."""
        return any(finding.confirmed is None for finding in self.findings)


def only_looking(ports: Ports) -> Ports:
    """Return ports whose findings are remembered and not written: what a person has seen is still reported to ops."""
    return replace(ports, findings=OnlyLooking(ports.findings))


async def reconcile(*, ports: Ports, mode: Mode = Mode.RECORD) -> Reconciled:
    """Look at every target of a role and of an open activation, and at the accounts that requests wait for.

    Raises:
        TryAgain: the register, or the walk over what is open, could not be read: nothing can be compared.
    """
    changes = mode is not Mode.LOOK and await ports.controls.prove_only() is None
    records, repairs = changes and mode is Mode.RECORD, changes and mode is Mode.REPAIR
    by_target, done = await _by_target(ports), Reconciled()
    looking = only_looking(ports) if mode is Mode.REPAIR else ports
    done.targets, done.activations = len(by_target), sum(map(len, by_target.values()))
    doubtful: set[str] = set()
    for target, activations in by_target.items():
        try:
            compared = await compare_target(target, activations, looking, records=records)
            done.findings += compared.findings
            done.reported += compared.reported
            done.holders += compared.holders
            doubtful |= compared.doubtful
        except TryAgain as fault:
            done.failed[target.id] = fault.what
            log.warning("reconcile.failed", extra={"target": target.id, "what": fault.what})
        except Exception:  # one target that breaks us must not keep the others from being looked at
            done.failed[target.id] = "a bug, see the log"
            log.exception("reconcile.broken", extra={"target": target.id})
    await _look_at_accounts([each for some in by_target.values() for each in some], doubtful, done, looking)
    if records:
        await _close_requests(by_target, done, ports)
    if repairs:
        await _repair(by_target, done, ports)
    log.info("reconcile.done", extra=_counts(done))
    return done


async def _by_target(ports: Ports) -> dict[Target, list[Activation]]:
    """Return the open activations by their targets; a target of a role is there though nobody asks for it."""
    found: dict[Target, list[Activation]] = defaultdict(list)
    for settings in (await ports.register.roles()).values():
        found[settings.target] = []
    async for activation in ports.store.open_activations():
        found[activation.target].append(activation)
    return found


async def _look_at_accounts(
    activations: Sequence[Activation], doubtful: Iterable[str], done: Reconciled, ports: Ports
) -> None:
    """Note which accounts are gone: of those that requests wait for, and those that should hold something and don't."""
    notes = await Notes.at(None, ports)
    concerned = {each.principal for each in activations}
    wanted = {each.principal for each in activations if asks_for(each.state) in {Work.DECISION, Work.START}}
    wanted |= {principal for _, principal in notes.known if principal in concerned}
    for principal in sorted(wanted | set(doubtful)):
        try:
            if await ports.directory.account(principal) is None:
                await notes.note(Kind.GONE, principal)
        except TryAgain as fault:
            done.failed[principal] = fault.what
            notes.keep(principal, Kind.GONE)
            log.warning("reconcile.failed", extra={"principal": principal, "what": fault.what})
    await notes.close()
    done.findings += notes.found
    done.reported += notes.reported


async def _close_requests(by_target: ByTarget, done: Reconciled, ports: Ports) -> None:
    """Close requests that wait for what is surely gone."""
    gone = [finding for finding in done.findings if finding.kind is Kind.GONE and finding.confirmed is not None]
    targets = {finding.target for finding in gone if finding.target is not None}
    accounts = {finding.principal for finding in gone if finding.target is None}
    for target, activations in by_target.items():
        for activation in activations:
            unmet = [
                *([_target_gone(activation)] if target in targets else []),
                *([_ACCOUNT_GONE] if activation.principal in accounts else []),
            ]
            if unmet and may(activation.state, Event.WITHDRAWN):
                await _close(activation, tuple(unmet), done, ports)


async def _close(activation: Activation, unmet: tuple[Unmet, ...], done: Reconciled, ports: Ports) -> None:
    now = ports.clock.now()
    asked = (nudge("approvals", activation.id),) if activation.approvers_asked else ()
    sends = (tell(activation.id, "withdrawn", to=activation.requester), *asked)
    happened = Happened(event=Event.WITHDRAWN, at=now, details={"unmet": [demand.code for demand in unmet]})
    try:
        await ports.store.commit(move(activation, happened, sends=sends, cause=Cause.WITHDRAWN, unmet=unmet), now=now)
    except Conflict:
        return  # somebody decided meanwhile: the next look sees what became of it
    except TryAgain as fault:
        done.failed[activation.id] = fault.what
        log.warning("reconcile.failed", extra={"activation_id": activation.id, "what": fault.what})
        return
    done.closed.append(activation.id)


async def _repair(by_target: ByTarget, done: Reconciled, ports: Ports) -> None:
    """Repair whatever is overdue; nothing else that was found is touched."""
    for finding in done.findings:
        if finding.kind is not Kind.OVERDUE or finding.target is None:
            continue
        concerned = [each for each in by_target.get(finding.target, ()) if each.principal == finding.principal]
        try:
            done.repaired.append(await repair(finding.target, finding.principal, concerned, ports))
        except TryAgain as fault:
            done.failed[finding.principal] = fault.what
            log.warning("reconcile.failed", extra={"principal": finding.principal, "what": fault.what})


_ACCOUNT_GONE = Unmet(
    Code.PRINCIPAL_UNKNOWN,
    "The account that was to receive the role was deleted.",
    "Ask again for an account that is there.",
)


def _target_gone(activation: Activation) -> Unmet:
    return Unmet(
        Code.ROLE_TARGET_GONE,
        f"What the role {activation.role_name} gives no longer exists in the directory.",
        "Tell the access owner of this role: its group was deleted.",
    )


def _counts(done: Reconciled) -> dict[str, int]:
    kinds = {kind.value: sum(finding.kind is kind for finding in done.findings) for kind in Kind}
    return {
        "targets": done.targets,
        "activations": done.activations,
        "holders": done.holders,
        **kinds,
        "reported": done.reported,
        "closed": len(done.closed),
        "repaired": len(done.repaired),
        "failed": len(done.failed),
    }
