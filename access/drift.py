"""What differs between the directory and the record, and what it is called. Pure comparison: nothing here changes anything.

A group membership has no id of its own, so what was made by hand while ours was held can't be told from ours; what is left
is told by the hold (protocol 5, *Ours or theirs*).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from access.expiry import OVERDUE_AFTER
from access.hold import Before, Hold, Phase
from access.lifecycle import Work, asks_for
from access.model import Activation, Target, Timing

_HOLDING = frozenset({Work.GIVING, Work.END, Work.REMOVAL})
"""What an activation asks for while its assignment is there, or may be."""


class Kind(StrEnum):
    """What was found. Names never change; they are keys in the table, and in the log."""

    MISSING = "missing"
    """The record says held, the directory says not: somebody removed it by hand. It is not put back."""
    UNEXPLAINED = "unexplained"
    """Held, and not by us: a standing member, or somebody added it by hand. It is not taken."""
    RETURNED = "returned"
    """It was proven gone, and is held again. It is not taken."""
    OVERDUE = "overdue"
    """Ours, and its end is over: the one kind that a repair removes."""
    GONE = "gone"
    """The account, or the target itself, doesn't exist any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference. ``target`` None: about an account as such; ``principal`` empty: about a target as such.

    ``confirmed``: when it was sure, and reported; None: it was seen once, and one look can mislead.
    """

    kind: Kind
    first_seen: datetime
    principal: str = ""
    target: Target | None = None
    confirmed: datetime | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The directory and the record differ."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Explained:
    """They agree: what was found earlier is no longer so."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It can't be told now: what was found earlier stands."""


Verdict = Found | Explained | NotYet


def is_sure(finding: Finding, *, now: datetime, timing: Timing) -> bool:
    """Whether what is found at ``now`` needs no further look.

    That something is not there is never believed on one read; two, a proof window apart, count (protocol 5).
    """
    doubted = finding.kind in {Kind.MISSING, Kind.GONE}
    return not doubted or now >= finding.first_seen + timing.proof_window


def judge_recorded(activations: Iterable[Activation]) -> Verdict | None:
    """Judge a holder by the open activations for it alone; None: none of them explains that it is held.

    What was held before an active one stays as it was found: it is still there without us.
    """
    holding = [each for each in activations if asks_for(each.state) in _HOLDING]
    if not holding:
        return None
    settled = all(asks_for(each.state) is Work.END and not each.held_before for each in holding)
    return Explained() if settled else NotYet()


def needed_by(hold: Hold) -> frozenset[str]:
    """Return the activations that this hold is for: those that need it, or the one whose removal is under way."""
    if hold.phase is Phase.REMOVING:
        return frozenset({hold.by} if hold.by else ())
    return frozenset(hold.live) if hold.phase is Phase.HELD else frozenset()


def judge_holder(hold: Hold, *, any_open: bool, read_began: datetime, timing: Timing) -> Verdict:
    """Judge that the principal holds the target, read from ``read_began`` on.

    ``any_open``: one of ``needed_by(hold)`` is not final. A read that may be older than the last proof says nothing.
    """
    if any_open:
        return Explained() if hold.before is Before.NO else NotYet()
    if is_ours(hold):
        return Found(Kind.OVERDUE)
    if hold.gone_at is None:
        return Found(Kind.UNEXPLAINED)
    return NotYet() if read_began < hold.gone_at + timing.proof_window else Found(Kind.RETURNED)


def judge_absent(hold: Hold, activation: Activation, *, read_began: datetime, timing: Timing) -> Verdict:
    """Judge that the directory does not show what this active one is to hold, read from ``read_began`` on.

    A read within the proof window of our last ask may be older than what that ask did.
    """
    too_early = hold.until is not None and read_began < hold.until + timing.proof_window
    over = activation.ends_at is not None and read_began >= activation.ends_at
    if too_early or over or activation.id not in hold.live:
        return NotYet()
    return Found(Kind.MISSING)


def is_overdue(activation: Activation, *, now: datetime) -> bool:
    """Whether its removal should be proven for ``OVERDUE_AFTER`` already, asked for or not."""
    if asks_for(activation.state) not in _HOLDING:
        return False
    since = activation.ending_since or activation.ends_at
    return since is not None and now >= since + OVERDUE_AFTER


def is_ours(hold: Hold) -> bool:
    """Whether what is held is provably ours: it was asked for, and not held before."""
    return hold.phase is not Phase.FREE and hold.before is Before.NO and hold.asked > 0


def left_behind(hold: Hold, finished: frozenset[str]) -> str | None:
    """Return the activation under which a hold of ours is let go, where all that it is for are final; None: it is not."""
    needed = needed_by(hold)
    return min(needed) if is_ours(hold) and needed and needed <= finished else None
