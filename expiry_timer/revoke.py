"""Somebody ends an activation that isn't theirs: ops, by the command. What was given is taken back and proven as at any end.

One commit: a pending or scheduled one is closed, a given one is ending from here on. What it needs is the record alone,
so it works while the queues are down: the sweep sends what is left to send.
"""

from dataclasses import dataclass
from datetime import datetime

from access.change import Change, move
from access.errors import Conflict, TryAgain
from access.events import Event, Happened
from access.expiry import retry_after
from access.lifecycle import Work, advance, asks_for, may
from access.model import Activation, Cause
from access.ports import Store
from access.wire import nudge, tell

ROUNDS = 6
"""How often an activation is read again when others write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Who ends it, by which way in, and why; the requester reads the reason."""

    by: str
    through: str
    reason: str


async def revoke(activation_id: str, revocation: Revocation, *, store: Store, now: datetime) -> Activation | None:
    """End an activation whatever its state is, and return it as it is now; None: there is none.

    What is ending or final already stays as it is: the first cause counts. Twice has no second effect.

    Raises:
        TryAgain: the record can't be read or written, or many write it.
    """
    for _ in range(ROUNDS):
        activation = await store.activation(activation_id)
        if activation is None or not may(activation.state, Event.REVOKED):
            return activation
        try:
            return await store.commit(revoked(activation, revocation, now=now), now=now)
        except Conflict:
            continue
    raise TryAgain("an activation that many write", after=retry_after(1))


def revoked(activation: Activation, revocation: Revocation, *, now: datetime) -> Change:
    """Return the change: closed where nothing was asked of the directory yet, else ending, and not ended before a proof.

    Raises:
        WrongState: it is ending or final.
    """
    details = {"through": revocation.through, "reason": revocation.reason}
    happened = Happened(event=Event.REVOKED, at=now, by=revocation.by, details=details)
    removal = asks_for(advance(activation.state, Event.REVOKED)) is Work.REMOVAL
    onward = nudge("expirations" if removal else "approvals", activation.id)
    return move(
        activation,
        happened,
        sends=(tell(activation.id, "revoked", to=activation.requester), onward),
        cause=Cause.REVOKED,
        ended_by=revocation.by,
        end_reason=revocation.reason,
        ending_since=now if removal else None,
    )
