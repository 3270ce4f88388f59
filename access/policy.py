"""May this account activate this role, on what terms? Every unmet demand is listed; what can't be checked is refused.

Source: Entra PIM's activation rules (expiration, enablement, approval; eligibility through groups is transitive), with
the ticket pattern and the minimum duration as ours. Who decides, when somebody must: ``access/approval.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from access.errors import Code
from access.model import Account, Activation, Door, Eligibility, RoleSettings, Stop, Ticket, Unmet

JUSTIFICATION_LIMIT = 2_000
"""Characters: more would not fit a card and a table row with certainty."""

START_TOLERANCE = timedelta(minutes=5)
"""How far in the past a start may lie: clocks differ, and messages take their time. It then means: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked for. ``problems`` are fields of the message that could not be read.

    ``extends`` names the activation that is to last longer; ``duration`` then counts from its end.
    """

    role: str
    door: Door
    duration: timedelta | None = None
    starts_at: datetime | None = None
    justification: str = ""
    ticket: Ticket | None = None
    extends: str | None = None
    problems: tuple[Unmet, ...] = ()


def ask_again(activation: Activation, *, now: datetime) -> Ask:
    """Return what an activation asks for at ``now``: at its approval or its start, the rules are asked again.

    A start that has passed meanwhile means at once; the end stays where it was.
    """
    return Ask(
        role=activation.role,
        door=activation.door,
        duration=activation.duration,
        starts_at=activation.starts_at if activation.starts_at and activation.starts_at > now else None,
        justification=activation.justification,
        ticket=activation.ticket,
        extends=activation.extends,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """The activation that is to last longer: since when it is held, extensions before this one included, and until when."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was looked up for the decision. ``unknown`` names what could not be checked: never read as empty (law 9).

    ``held_until``: when the last other activation of this role for this account ends, where one is being given or held.
    ``extended``: the activation that is to last longer, where there is one and it is active.
    """

    settings: RoleSettings | None
    requester: Account | None
    principal: Account | None
    same_person: bool
    eligibilities: tuple[Eligibility, ...]
    target_exists: bool
    held_until: datetime | None = None
    extended: Extended | None = None
    stopped: tuple[Stop, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """It may be activated, on these terms. ``starts_at`` None: as soon as it is decided."""

    settings: RoleSettings
    duration: timedelta
    starts_at: datetime | None
    eligibility: Eligibility

    @property
    def approval_required(self) -> bool:
        """Whether somebody must decide first."""
        return self.settings.approval is not None


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """It may not; every unmet demand, in the order in which a person would mend them. Never empty."""

    unmet: tuple[Unmet, ...]


def evaluate(ask: Ask, facts: Facts, *, now: datetime) -> Allowed | NotAllowed:
    """Judge a request at ``now`` against everything the role demands."""
    unmet = [*ask.problems, *map(stopped, facts.stopped), *_unchecked(facts), *_accounts(facts)]
    settings = facts.settings
    if settings is None:
        unmet.append(
            Unmet(
                Code.ROLE_UNKNOWN,
                f"There is no role {ask.role!r}.",
                "Ask for a role by its key; the access owner's roles file lists them.",
            )
        )
        return NotAllowed(tuple(unmet))
    duration = settings.default_duration if ask.duration is None else ask.duration
    starts_at = ask.starts_at if ask.starts_at and ask.starts_at > now else None
    usable = _usable(facts.eligibilities, starts_at or now)
    begins = facts.extended.ends_at if facts.extended else starts_at or now
    unmet += [
        *_role(ask, settings, facts, starts_at or now),
        *_duration(ask, duration, settings, facts, now),
        *_start(ask, now),
        *_justification(ask, settings),
        *_ticket(ask, settings),
        *_eligible(facts, usable, (starts_at or now), begins, duration),
    ]
    if unmet or usable is None:
        return NotAllowed(tuple(unmet))
    return Allowed(settings=settings, duration=duration, starts_at=starts_at, eligibility=usable)


def stopped(stop: Stop) -> Unmet:
    """Return what a stop that is in force says to whoever asks: since when, why, and who can lift it."""
    since = f"since {stop.at:%Y-%m-%d %H:%M} UTC: {stop.reason.rstrip('.')}."
    if stop.restoring:
        return Unmet(
            Code.RESTORING,
            f"Hourglass is being restored and changes nothing {since}",
            f"Ask again later; {stop.by}, or others who run Hourglass, will let it go on.",
        )
    what = "This role is not given" if stop.scope.role else "Nothing is given"
    whom = " to this account" if stop.scope.principal else ""
    return Unmet(
        Code.GRANTING_STOPPED,
        f"{what}{whom} {since}",
        f"Ask again later; {stop.by}, or others who run Hourglass, can lift this.",
    )


def is_restoring(stops: tuple[Stop, ...]) -> bool:
    """Whether nothing may be changed at all: what was begun waits for a person's word, and is not ended by the rules."""
    return any(stop.restoring for stop in stops)


def _unchecked(facts: Facts) -> Iterator[Unmet]:
    for what in facts.unknown:
        yield Unmet(
            Code.COULD_NOT_CHECK,
            f"Could not check {what}.",
            "Nothing is wrong with the request itself: ask again in a few minutes.",
        )


def _accounts(facts: Facts) -> Iterator[Unmet]:
    if facts.unknown:
        return
    if facts.requester is None:
        yield Unmet(
            Code.REQUESTER_UNKNOWN,
            "The account that asked was not found, or the name fits more than one.",
            "Ask with an account of this directory, named by its object id or its user principal name.",
        )
    elif not facts.requester.enabled:
        yield Unmet(
            Code.REQUESTER_DISABLED,
            f"The account that asked, {facts.requester.name}, is disabled.",
            "Ask with an account that can sign in.",
        )
    if facts.principal is None:
        yield Unmet(
            Code.PRINCIPAL_UNKNOWN,
            "The account that is to receive the role was not found, or the name fits more than one.",
            "Name it by its object id, or by its user principal name.",
        )
    elif not facts.principal.enabled:
        yield Unmet(
            Code.PRINCIPAL_DISABLED,
            f"The account that is to receive the role, {facts.principal.name}, is disabled.",
            "Have the account enabled, or ask for another one of yours.",
        )
    if facts.principal is not None and facts.requester is not None and not facts.same_person:
        yield Unmet(
            Code.NOT_SAME_PERSON,
            f"{facts.principal.name} is not an account of {facts.requester.name}.",
            "Ask for an account of your own; accounts are linked by their employee id, or in the roles file.",
        )


def _role(ask: Ask, settings: RoleSettings, facts: Facts, at: datetime) -> Iterator[Unmet]:
    if ask.door not in settings.accepts:
        doors = " or ".join(sorted(settings.accepts))
        yield Unmet(
            Code.DOOR_NOT_ACCEPTED,
            f"The role {settings.name} doesn't take requests that come through {ask.door}.",
            f"Ask through: {doors}.",
        )
    if not facts.target_exists and not facts.unknown:
        yield Unmet(
            Code.ROLE_TARGET_GONE,
            f"What the role {settings.name} gives no longer exists in the directory.",
            "Tell the access owner of this role: its group was deleted.",
        )
    if facts.held_until and at < facts.held_until:
        yield already_active(settings.name)


def already_active(role_name: str) -> Unmet:
    """Return what an account is told that holds the role by another activation."""
    return Unmet(
        Code.ALREADY_ACTIVE,
        f"The role {role_name} is active for this account already.",
        "Use it until it ends, then ask again.",
    )


def nothing_left(role_name: str) -> Unmet:
    """Return what an account is told whose activation was ended before more time for it could be given."""
    return Unmet(
        Code.NOTHING_TO_EXTEND,
        f"The activation of {role_name} that was to last longer was given back or revoked.",
        "Ask for the role anew.",
    )


def _duration(ask: Ask, duration: timedelta, settings: RoleSettings, facts: Facts, now: datetime) -> Iterator[Unmet]:
    if ask.extends is not None:
        yield from _longer(duration, settings, facts, now)
        return
    if duration > settings.maximum_duration:
        yield Unmet(
            Code.DURATION_TOO_LONG,
            f"{spoken(duration)} is longer than this role allows.",
            f"Ask for at most {spoken(settings.maximum_duration)}.",
        )
    if duration < settings.minimum_duration:
        yield Unmet(
            Code.DURATION_TOO_SHORT,
            f"{spoken(duration)} is shorter than this role allows.",
            f"Ask for at least {spoken(settings.minimum_duration)}.",
        )


def _longer(more: timedelta, settings: RoleSettings, facts: Facts, now: datetime) -> Iterator[Unmet]:
    """An extension counts with what it extends, which must be held now; the role's shortest time is no matter here."""
    extended = facts.extended
    if extended is None or now >= extended.ends_at:
        if not facts.unknown:
            yield Unmet(Code.NOTHING_TO_EXTEND, "What is to last longer is not active now.", "Ask for the role anew.")
        return
    held = extended.ends_at - extended.starts_at
    if held + more > settings.maximum_duration:
        left = settings.maximum_duration - held
        yield Unmet(
            Code.DURATION_TOO_LONG,
            f"With {spoken(more)} more it would last {spoken(held + more)}, longer than this role allows.",
            f"Ask for at most {spoken(left)} more." if left > timedelta() else "Use it until it ends, then ask again.",
        )


def _start(ask: Ask, now: datetime) -> Iterator[Unmet]:
    if ask.starts_at and ask.starts_at < now - START_TOLERANCE:
        yield Unmet(
            Code.START_PAST,
            f"The start, {ask.starts_at:%Y-%m-%d %H:%M} UTC, is in the past.",
            "Leave the start out to begin at once, or name a later one, in UTC.",
        )


def _justification(ask: Ask, settings: RoleSettings) -> Iterator[Unmet]:
    if settings.justification_required and not ask.justification.strip():
        yield Unmet(
            Code.JUSTIFICATION_MISSING,
            "This role asks for a justification.",
            "Say in a sentence what you need the role for.",
        )
    if len(ask.justification) > JUSTIFICATION_LIMIT:
        yield Unmet(
            Code.JUSTIFICATION_TOO_LONG,
            f"The justification has {len(ask.justification)} characters.",
            f"Use at most {JUSTIFICATION_LIMIT}; link to a ticket for more.",
        )


def _ticket(ask: Ask, settings: RoleSettings) -> Iterator[Unmet]:
    demand = settings.ticket
    if demand is None:
        return
    if ask.ticket is None or not ask.ticket.number:
        system = f" of {demand.system}" if demand.system else ""
        yield Unmet(
            Code.TICKET_MISSING, f"This role asks for a ticket{system}.", "Give the ticket's system and number."
        )
        return
    if demand.system and ask.ticket.system.casefold() != demand.system.casefold():
        yield Unmet(
            Code.TICKET_INVALID,
            f"The ticket is of {ask.ticket.system or 'no system'}.",
            f"Give a ticket of {demand.system}.",
        )
    if demand.pattern and not re.fullmatch(demand.pattern, ask.ticket.number):
        yield Unmet(
            Code.TICKET_INVALID,
            f"The ticket number {ask.ticket.number!r} is not one that this role takes.",
            f"Give a number of the form {demand.pattern}.",
        )


def _usable(eligibilities: tuple[Eligibility, ...], at: datetime) -> Eligibility | None:
    """Return the eligibility that lasts longest among those that hold at ``at``."""
    held = [eligibility for eligibility in eligibilities if eligibility.holds_at(at)]
    return max(held, key=lambda e: (e.ends_at is None, e.ends_at or at), default=None)


def _eligible(
    facts: Facts, usable: Eligibility | None, at: datetime, begins: datetime, duration: timedelta
) -> Iterator[Unmet]:
    """Ask for an eligibility at ``at`` that lasts ``duration`` from ``begins``, which is the end of what is extended."""
    if facts.unknown or facts.principal is None:
        return
    name = facts.principal.name
    if usable is not None:
        if usable.ends_at and begins + duration > usable.ends_at:
            left = usable.ends_at - begins
            yield Unmet(
                Code.ELIGIBILITY_ENDS_FIRST,
                f"The eligibility of {name} ends at {usable.ends_at:%Y-%m-%d %H:%M} UTC, before the activation would.",
                f"Ask for at most {spoken(left)}, or have the eligibility extended."
                if left > timedelta()
                else "Have the eligibility extended.",
            )
        return
    ended = [e.ends_at for e in facts.eligibilities if e.ends_at and e.ends_at <= at]
    starting = [e.starts_at for e in facts.eligibilities if e.starts_at and e.starts_at > at]
    if starting:
        yield Unmet(
            Code.ELIGIBILITY_NOT_STARTED,
            f"The eligibility of {name} begins only at {min(starting):%Y-%m-%d %H:%M} UTC.",
            "Ask again then, or ask the access owner for an earlier start.",
        )
    elif ended:
        yield Unmet(
            Code.ELIGIBILITY_ENDED,
            f"The eligibility of {name} ended at {max(ended):%Y-%m-%d %H:%M} UTC.",
            "Ask the access owner of this role to renew it.",
        )
    else:
        yield Unmet(
            Code.NOT_ELIGIBLE,
            f"{name} is not eligible for this role, neither directly nor through a group.",
            "Ask the access owner of this role for an eligibility, or ask with the account that has one.",
        )


def spoken(duration: timedelta) -> str:
    """Return a duration as a person says it: ``2 h 30 min``, ``20 s``; the sign is kept."""
    seconds = int(duration.total_seconds())
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    parts = ((seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return sign + (" ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s")
