"""Repair what is provably ours and overdue, by the ordinary ways only: the end of an activation, the release of a hold.

A hold that a restored ledger left behind names only activations that are final. Nobody goes on with it, so it is let go
here, with everything that protocol 5 asks of a removal. Whatever else differs is not touched.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from access import ids
from access.drift import Finding, Kind, is_overdue, left_behind, needed_by
from access.errors import Conflict, TryAgain
from access.lifecycle import is_final
from access.model import Activation, Target
from access.ports import Ports
from access.wire import Nudge
from expiry_timer.release import release

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was done about somebody who is overdue. ``again_after``: it goes on then; None: nothing is left to do here."""

    target: Target
    principal: str
    how: str
    again_after: timedelta | None = None


async def repair(target: Target, principal: str, activations: Sequence[Activation], ports: Ports) -> Repaired:
    """Ask for the end of what is overdue among ``activations``; where nothing is, let go of a hold that none of them needs.

    Raises:
        TryAgain: the bus or the tables can't be reached.
    """
    now = ports.clock.now()
    overdue = [each for each in activations if is_overdue(each, now=now)]
    for activation in overdue:
        await ports.bus.send(
            "expirations",
            Nudge(activation.id).body(),
            message_id=ids.digest("reconcile", activation.id, now.isoformat()),
            correlation_id=activation.correlation_id,
        )
    if overdue:
        return Repaired(target=target, principal=principal, how="sent to its end")
    return await _let_go(target, principal, ports)


async def _let_go(target: Target, principal: str, ports: Ports) -> Repaired:
    hold = await ports.store.hold(principal, target)
    found = [await ports.store.activation(key) for key in sorted(needed_by(hold))]
    finished = {each.id: each for each in found if each is not None and is_final(each.state)}
    name = left_behind(hold, frozenset(finished))
    if name is None:
        return Repaired(target=target, principal=principal, how="not removed: not provably ours, or still needed")
    await _remember(target, principal, ports)
    try:
        outcome, _ = await release(finished[name], ports)
    except TryAgain as later:
        return Repaired(target=target, principal=principal, how=f"waits for {later.what}", again_after=later.after)
    log.warning("reconcile.released", extra={"activation_id": name, "target": target.id, "principal": principal})
    return Repaired(target=target, principal=principal, how=outcome.value)


async def _remember(target: Target, principal: str, ports: Ports) -> None:
    """Leave a finding before the removal begins: cut off, it shows in no list of holders, and would be found nowhere."""
    finding = Finding(kind=Kind.OVERDUE, target=target, principal=principal, first_seen=ports.clock.now())
    with suppress(Conflict):  # it is found already
        await ports.findings.write(finding)
