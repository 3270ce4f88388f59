"""What must be true when everything has settled, as a pure function of what was found. Each broken law is one sentence."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from access.errors import Code
from access.events import Event
from access.expiry import Drop, judge
from access.lifecycle import is_final
from access.model import Activation, Due, State

_SWEPT_WITHIN = timedelta(minutes=1)

OUTCOMES: Mapping[State, tuple[str, ...]] = {
    State.REFUSED: ("can't be",),
    State.DENIED: ("was denied",),
    State.CANCELED: ("was closed", "was cancelled", "was revoked"),
    State.LAPSED: ("Nobody decided",),
    State.FAILED: ("could not be granted",),
    State.ENDED: ("has ended",),
}
"""What the subject of the mail says that tells the requester how it came out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is at the end.

    ``asked`` maps the id of each activation that was asked for to the requester's address, ``requests`` each message id of a
    person to the activation it is about. ``given_back`` maps each wish to give back to its activation, ``refusals`` are those
    wishes that were refused. ``broken_chains``: why;
    ``audited`` counts the copies of events. ``members`` is the directory's truth, by group; ``theirs`` who was a member by
    somebody else's hand. ``mails`` are as the directory shows them. ``dead`` and ``waiting`` count messages by queue.
    ``troubles`` are the spans in which something was killed, or misbehaved. ``at``: when it was looked at.
    """

    asked: Mapping[str, str]
    requests: Mapping[str, str]
    given_back: Mapping[str, str]
    refusals: frozenset[str]
    activations: Mapping[str, Activation]
    events: Mapping[str, Sequence[str]]
    broken_chains: Mapping[str, str]
    audited: Mapping[str, int]
    outbox: Mapping[str, Sequence[str]]
    due: Sequence[Due]
    members: Mapping[str, frozenset[str]]
    theirs: Mapping[str, frozenset[str]]
    mails: Sequence[Mapping[str, Any]]
    dead: Mapping[str, int]
    waiting: Mapping[str, int]
    set_aside: Sequence[Mapping[str, Any]]
    troubles: Sequence[tuple[datetime, datetime]]
    at: datetime


def broken_laws(found: Found) -> list[str]:
    """Return every law that doesn't hold, with whom it is broken for."""
    return [
        *_held(found),
        *_lost(found),
        *_untold(found),
        *_twice(found),
        *_unaudited(found),
        *_left_over(found),
    ]


def _held(found: Found) -> Iterator[str]:
    """Nothing is held that is due, and what others gave is still there: by reading the directory."""
    for group, members in found.members.items():
        theirs = found.theirs.get(group, frozenset())
        for member in sorted(members - theirs):
            yield f"{member} is still held in {group}"
        for member in sorted(theirs - members):
            yield f"{member} was in {group} before us, and was taken out"


def _lost(found: Found) -> Iterator[str]:
    """Every request has one outcome."""
    for activation in found.asked:
        recorded = found.activations.get(activation)
        if recorded is None:
            yield f"the request {activation} is lost"
        elif not is_final(recorded.state):
            yield f"{activation} is still {recorded.state}"
    for wish, activation in found.given_back.items():
        if wish not in found.refusals and Event.DEACTIVATED not in found.events.get(activation, ()):
            yield f"the wish to give back {activation} is lost"
    for row in found.set_aside:
        if not _had_its_outcome(found, row):
            yield f"a message of {row['queue']} was set aside: {row['identity']}: {row['code']} {row['what']}"
    for queue, count in found.dead.items():
        if count:
            yield f"{count} dead letters are left in {queue}"


def _had_its_outcome(found: Found, row: Mapping[str, Any]) -> bool:
    """Whether a dead letter is of work that was done: the last of its deliveries were lost or repeated after that.

    Five deliveries can be cut off by kills and lost locks; whether the work was lost by it, the record says. A nudge and a
    telling are sent again by the sweep, or missed by the other laws.
    """
    if row["code"] != Code.DEAD_LETTERED:
        return False
    about = found.requests.get(str(row["identity"]))
    recorded = found.activations.get(about) if about else None
    return row["queue"] != "activation-requests" or (recorded is not None and is_final(recorded.state))


def _untold(found: Found) -> Iterator[str]:
    """Whoever asked was told how it came out, and that it was given."""
    for activation, address in found.asked.items():
        recorded = found.activations.get(activation)
        if recorded is None or recorded.state not in OUTCOMES:
            continue
        subjects = [mail["subject"] for mail in _mails_about(found, activation, address)]
        words = OUTCOMES[recorded.state]
        if not any(word in subject for subject in subjects for word in words):
            yield f"{address} was never told that {activation} is {recorded.state}"
        given = "activation.provisioned" in found.events.get(activation, ())
        if given and not any("is active" in subject for subject in subjects):
            yield f"{address} was never told that {activation} was given"


def _twice(found: Found) -> Iterator[str]:
    """Nothing happens twice; a mail may, where its sender died or its answer was lost (docs/guarantees.md)."""
    for activation, events in found.events.items():
        once = Counter(event for event in events if event in {"activation.provisioned", "removal.proven"})
        for event, count in once.items():
            if count > 1:
                yield f"{activation} has {count} events {event}"
    for activation, address in found.asked.items():
        by_subject: dict[str, list[datetime]] = {}
        for mail in _mails_about(found, activation, address):
            at = datetime.fromisoformat(mail["receivedAt"])
            by_subject.setdefault(mail["subject"], []).append(at)
        for subject, times in by_subject.items():
            for first, second in itertools.pairwise(sorted(times)):
                if not _troubled(found, first, second):
                    yield f"{address} got {subject!r} of {activation} twice, and nothing had gone wrong"


def _unaudited(found: Found) -> Iterator[str]:
    """The chain of each activation is whole, and the audit has a copy of every event."""
    for activation, why in found.broken_chains.items():
        yield f"the events of {activation} are no chain: {why}"
    for activation, events in found.events.items():
        if found.audited.get(activation, 0) != len(events):
            yield f"{activation} has {len(events)} events, and the audit {found.audited.get(activation, 0)}"


def _left_over(found: Found) -> Iterator[str]:
    """Nothing is left to send or to do, but the last look at what was proven gone."""
    for activation, keys in found.outbox.items():
        if keys:
            yield f"{activation} has effects left in its outbox: {', '.join(keys)}"
    for due in found.due:
        recorded = found.activations.get(due.activation)
        empty = not found.outbox.get(due.activation)
        if recorded is None or not is_explained(due, recorded, outbox_empty=empty, now=found.at):
            yield f"a due row is left: {due.kind} of {due.activation} at {due.at:%H:%M:%S}"
    for queue, count in found.waiting.items():
        if count:
            yield f"{count} messages are left in {queue}"


def is_explained(due: Due, activation: Activation, *, outbox_empty: bool, now: datetime) -> bool:
    """Whether a due row may be there beside a final activation.

    It is the last look; or it is dropped when it is due, by the sweep of that minute; or its commit never happened, since
    its worker died or was overtaken after writing it: such a row is kept for an hour (docs/storage.md).
    """
    if not is_final(activation.state):
        return False
    dropped = isinstance(judge(due, activation, outbox_empty=outbox_empty, now=due.at), Drop)
    orphan = due.version > activation.version
    return due.key == activation.alarm or orphan or (dropped and now < due.at + _SWEPT_WITHIN)


def _mails_about(found: Found, activation: str, address: str) -> list[Mapping[str, Any]]:
    return [mail for mail in found.mails if address in mail["to"] and activation in mail["html"]]


def _troubled(found: Found, first: datetime, second: datetime) -> bool:
    """Whether something was down, or misbehaved, when the first of two mails went out or before the second did."""
    margin = timedelta(seconds=5)
    return any(begin - margin <= second and first <= end + margin for begin, end in found.troubles)


def duplicates(found: Found) -> int:
    """Return how many mails went out once more than they had to."""
    kinds = Counter(
        (activation, mail["subject"])
        for activation, address in found.asked.items()
        for mail in _mails_about(found, activation, address)
    )
    return sum(count - 1 for count in kinds.values())
