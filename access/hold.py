"""One hold for each (principal, target): who needs the assignment, and whose it is (protocol section 5). Pure decisions.

A use case reads the row, asks a function here what to do, and carries it out with one conditional write; when somebody
else wrote first, it reads and asks again. Every step is one such write, so a crash between any two leaves a row that the
next worker can go on from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from access.model import Target, Timing

RELEASED_KEPT = timedelta(days=1)
"""How long a released id is kept to turn away a worker that was frozen before its claim (docs/decisions/0006)."""

RELEASED_LIMIT = 200
"""How many are kept at most, the newest: a row that grew too large to be written could not be released any more."""


class Phase(StrEnum):
    """What the hold is about: nothing, an assignment that is needed, one that is being removed."""

    FREE = "free"
    HELD = "held"
    REMOVING = "removing"


class Before(StrEnum):
    """Whether the principal held the target before we were asked (law 3)."""

    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"


class Presence(StrEnum):
    """What a read of the directory says; ``GONE``: the principal or the target itself doesn't exist (any more)."""

    HELD = "held"
    NOT_HELD = "not_held"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The row. ``live`` maps an activation to its end, ``roles`` to its role, ``released`` to when, ``let_go`` to how.

    ``asked`` counts our calls to assign, ``until`` is when the last of them can have landed at the latest; ``unsure``: one of
    them was told "already there", so that what we take for ours may have been made by hand;
    ``quiet_until`` is the same for removals. ``removed_at``: the directory said yes to our removal. ``missing_at``: the
    first read that said the principal or target is gone. ``gone_at``: the last proof. ``carried``: as on an activation.
    """

    principal: str
    target: Target
    phase: Phase = Phase.FREE
    live: Mapping[str, datetime] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    released: Mapping[str, datetime] = field(default_factory=dict)
    let_go: Mapping[str, str] = field(default_factory=dict)
    before: Before = Before.UNKNOWN
    asked: int = 0
    unsure: bool = False
    until: datetime | None = None
    by: str | None = None
    removals: int = 0
    quiet_until: datetime | None = None
    removed_at: datetime | None = None
    missing_at: datetime | None = None
    gone_at: datetime | None = None
    freed_at: datetime | None = None
    carried: Mapping[str, str | int | bool] = field(default_factory=dict)
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """Write this row, if nobody else did meanwhile, and go on."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Ready:
    """The row is as this step needs it."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before this instant, and why."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """This activation was released already: whoever still wants to give it is late."""


class Outcome(StrEnum):
    """How a release ended; all but ``REMOVE`` need nothing of the directory."""

    REMOVE = "remove"
    OTHERS_HOLD = "others_hold"
    HELD_BEFORE = "held_before"
    NEVER_GIVEN = "never_given"
    PROVEN_GONE = "proven_gone"


@dataclass(frozen=True, slots=True)
class Release:
    """Write ``hold`` where it changed (None: it stays as it is), then go on with ``outcome``."""

    hold: Hold | None
    outcome: Outcome


TICK = timedelta(seconds=1)
"""Instants are kept to the second: the least that anybody waits."""

POLL = timedelta(seconds=5)
"""How soon to look again when what is waited for has no known instant."""


def claim(
    hold: Hold, activation: str, *, role: str, ends_at: datetime, now: datetime
) -> Write | Ready | Wait | TurnedAway:
    """Claim first, then read: put the activation among the live ones before anything is asked of the directory."""
    if activation in hold.released:
        return TurnedAway()
    if hold.phase is Phase.REMOVING:
        return Wait(now + POLL, "the removal of an earlier assignment")
    if activation in hold.live:
        return Ready(hold)
    live, roles = {**hold.live, activation: ends_at}, {**hold.roles, activation: role}
    if hold.phase is Phase.HELD:
        return Write(replace(hold, live=live, roles=roles))
    if hold.quiet_until and now < hold.quiet_until:
        return Wait(hold.quiet_until, "a removal that may still land")
    fresh = replace(hold, phase=Phase.HELD, live=live, roles=roles, before=Before.UNKNOWN, asked=0)
    return Write(replace(fresh, by=None, removals=0, missing_at=None, unsure=False))


def rivals(hold: Hold, activation: str, *, role: str, extends: str | None) -> tuple[str, ...]:
    """Return who else is live for the same role; what this activation extends is no rival."""
    return tuple(live for live, other in hold.roles.items() if other == role and live not in {activation, extends})


def prolong(hold: Hold, activation: str, ends_at: datetime) -> Hold | None:
    """Return the row with a later end of a live activation; None: it says so already, or has nothing to say about it.

    The end in the row is for those who read it. What ends, and when, is decided by the activation alone.
    """
    live_until = hold.live.get(activation)
    if live_until is None or live_until >= ends_at:
        return None
    return replace(hold, live={**hold.live, activation: ends_at})


def settle_before(hold: Hold, presence: Presence, *, read_began: datetime, timing: Timing) -> Write | Ready | Wait:
    """Settle whether the principal held the target before us, by a read that began at ``read_began``.

    Right after a removal of ours, a read that says held may be an old answer: then it can't be told yet. Nor by one read
    that says gone: taken for "not held", and with the answer of the first ask lost, theirs would become ours.
    """
    if hold.before is not Before.UNKNOWN:
        return Ready(hold)
    if presence is not Presence.HELD:
        second = _second_look(hold, presence, read_began=read_began, timing=timing)
        return second or Write(replace(hold, before=Before.NO, missing_at=None))
    if hold.gone_at and read_began < hold.gone_at + timing.proof_window:
        return Wait(hold.gone_at + timing.proof_window, "reads that may be older than our last removal")
    return Write(replace(hold, before=Before.YES))


def ask(hold: Hold, *, now: datetime, timing: Timing) -> Hold:
    """Return the row to write before the directory is asked to assign: counted, and with the latest landing instant."""
    return replace(hold, asked=hold.asked + 1, until=_later(hold.until, now + timing.in_flight))


def found_already_there(asked: Hold) -> Hold:
    """The directory says "already there" to our ask: on the first one it was not ours; on a later one we take it for ours.

    Then nobody can tell it from one that was made by hand meanwhile: ownership is unsure. The row that is returned counts
    only if nobody wrote since the ask: the caller's conditional write sees to that.
    """
    return replace(asked, before=Before.YES) if asked.asked == 1 else replace(asked, unsure=True)


def definitely_refused(asked: Hold) -> Hold | None:
    """The directory refused our ask for good: if it was the only one, nothing of ours can be there."""
    return replace(asked, asked=0) if asked.asked == 1 else None


def confirms(hold: Hold, *, read_began: datetime, timing: Timing) -> Wait | None:
    """Say from when a read that says held is to be believed; None: this one is.

    Right after a removal of ours an old replica may say "already there" to the first ask, and held to the read after it.
    """
    if hold.before is Before.YES and hold.gone_at and read_began < hold.gone_at + timing.proof_window:
        return Wait(hold.gone_at + timing.proof_window, "reads that may be older than our last removal")
    return None


def unsettle(hold: Hold) -> Hold:
    """A read contradicts "held before": back to not knowing.

    What was asked until then was answered "already there", so it gave nothing: the next ask is the first one again.
    """
    return replace(hold, before=Before.UNKNOWN, asked=0)


def release(hold: Hold, activation: str, *, finished: frozenset[str], now: datetime) -> Release:
    """Move the activation from the live ones to the released ones, and say what follows.

    ``finished`` are the other live ids whose activation is final: a worker that died left them. Asked again after a
    crash, the answer is the one that was written first.
    """
    if hold.phase is Phase.REMOVING and hold.by == activation:
        return Release(None, Outcome.REMOVE)
    if activation in hold.released:
        said = Outcome(hold.let_go.get(activation, Outcome.OTHERS_HOLD))
        # What was to be removed and is removing no more was proven gone.
        return Release(None, Outcome.PROVEN_GONE if said is Outcome.REMOVE else said)
    live = {key: end for key, end in hold.live.items() if key != activation and key not in finished}
    out = replace(hold, live=live, roles={key: role for key, role in hold.roles.items() if key in live})
    if hold.phase is Phase.REMOVING:
        return _let_go(out, activation, Outcome.NEVER_GIVEN, now)
    if live:
        return _let_go(out, activation, Outcome.OTHERS_HOLD, now)
    if hold.phase is Phase.FREE:
        return _let_go(replace(out, freed_at=now), activation, Outcome.NEVER_GIVEN, now)
    if hold.before is Before.YES or hold.asked == 0:
        kept = Outcome.HELD_BEFORE if hold.before is Before.YES else Outcome.NEVER_GIVEN
        free = replace(out, phase=Phase.FREE, before=Before.UNKNOWN, freed_at=now)
        return _let_go(free, activation, kept, now)
    removing = replace(out, phase=Phase.REMOVING, by=activation, removals=0, removed_at=None, missing_at=None)
    return _let_go(removing, activation, Outcome.REMOVE, now)


def _let_go(hold: Hold, activation: str, outcome: Outcome, now: datetime) -> Release:
    """Return the row with the activation among the released ones, and with what was said to it."""
    kept = sorted((at, key) for key, at in hold.released.items() if now < at + RELEASED_KEPT)
    released = {key: at for at, key in kept[1 - RELEASED_LIMIT :]} | {activation: now}
    let_go = {key: said for key, said in hold.let_go.items() if key in released} | {activation: outcome.value}
    return Release(replace(hold, released=released, let_go=let_go), outcome)


def only_reads(hold: Hold, *, now: datetime, timing: Timing) -> bool:
    """Whether a removal was answered yes so lately that only reads may follow, lest a fresh assignment is taken."""
    return hold.removed_at is not None and now < hold.removed_at + timing.proof_window


def attempt(hold: Hold, *, now: datetime, timing: Timing) -> Hold:
    """Return the row to write before the directory is asked to remove: counted, and with the latest landing instant."""
    return replace(hold, removals=hold.removals + 1, quiet_until=_later(hold.quiet_until, now + timing.in_flight))


def answered(hold: Hold, *, at: datetime) -> Hold:
    """The directory said yes to our removal at ``at``."""
    return replace(hold, removed_at=at)


def prove(hold: Hold, presence: Presence, *, read_began: datetime, timing: Timing) -> Write | Wait | Ready:
    """What a read that began after our removal was answered says: ``Write`` = proven, write the free row.

    ``Ready`` = it is still held: remove again. ``Wait`` = not yet: the read may be older than a call of ours that landed
    late. One read that says gone is never a proof; two, a proof window apart, are.
    """
    window = timing.proof_window
    if presence is Presence.HELD:
        return Ready(replace(hold, missing_at=None))
    if hold.until and read_began < hold.until + window:
        return Wait(hold.until + window, "an assignment that may still land")
    second = _second_look(hold, presence, read_began=read_began, timing=timing)
    if second is not None:
        return second
    free = replace(hold, phase=Phase.FREE, before=Before.UNKNOWN, asked=0, gone_at=read_began, freed_at=read_began)
    return Write(
        replace(
            free,
            removed_at=None,
            missing_at=None,
            # One answered removal leaves nothing in flight; of several, an unanswered one may still land.
            quiet_until=hold.quiet_until if hold.removals > 1 else None,
        )
    )


def is_untouched_since(hold: Hold, end: datetime) -> bool:
    """Whether nobody needs the assignment, and none was proven gone after ``end``: then what is held is not of ours."""
    return hold.phase is Phase.FREE and not hold.live and (hold.gone_at is None or hold.gone_at <= end)


def missing(hold: Hold, presence: Presence, *, read_began: datetime) -> Hold:
    """Remember the first read that said gone, and forget it when a later one finds the thing again."""
    if presence is not Presence.GONE:
        return replace(hold, missing_at=None)
    return hold if hold.missing_at else replace(hold, missing_at=read_began)


def _second_look(hold: Hold, presence: Presence, *, read_began: datetime, timing: Timing) -> Wait | None:
    """Say when to read again: one read that says gone is never a proof; two, a proof window apart, are."""
    again_at = (hold.missing_at or read_began) + timing.proof_window
    if presence is not Presence.GONE or (hold.missing_at and read_began >= again_at):
        return None
    return Wait(again_at, "a second look at what seems to be deleted")


def _later(one: datetime | None, other: datetime) -> datetime:
    return max(one, other) if one else other
