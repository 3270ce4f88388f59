"""Messages <-> values. What strangers send is read leniently, once, here; what can't be read is named field by field.

Bytes become JSON in ``access/body.py``. Internal messages carry ids only: they may start work, never authorise it (law 11).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from access.approval import Choice
from access.body import BODY_LIMIT, text_of
from access.errors import Code, Unusable
from access.ids import content_of, is_activation_id
from access.model import Action, Door, Send, Ticket, Unmet

VERSION = 1
REFERENCE_LIMIT = 320
"""Characters of a name, an address, an id: the longest mail address there can be."""

QUEUES = (
    "activation-requests",
    "signed-in-requests",
    "approvals",
    "provisioning",
    "expirations",
    "notifications",
    "ticks",
)
"""Every queue there is: the dead letters of each are collected (docs/messages/README.md)."""

IDENTITY, ATTEMPT = "hourglass-identity", "hourglass-attempt"
"""Properties of a message that we put off: who it was at first, and how often. Forged, they harm only their sender."""

_SHOWN = 40
_LATEST_START = datetime(9000, 1, 1, tzinfo=UTC)  # any duration that can be read still fits before the last year
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
_NUMBER = re.compile(r"-?\d{1,6}(?:[.,]\d{1,4})?")
# Marks that turn the direction of text: a justification could show an approver other words than it holds. And halves of
# surrogate pairs, which JSON can spell and no store takes.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the broker says about a message, beside its body."""

    queue: str
    message_id: str | None = None
    sequence_number: int | None = None
    enqueued_at: str = ""
    correlation_id: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The same for every delivery of one message: its id, else what the broker numbered it with."""
        own = self.message_id or f"{self.sequence_number}@{self.enqueued_at}"
        return self.properties.get(IDENTITY) or own

    @property
    def attempt(self) -> int:
        """How often this message was put off already."""
        stated = self.properties.get(ATTEMPT, "0")
        return int(stated[:9]) if stated.isdecimal() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCommand:
    """What somebody asks for, as it was said. ``problems``: fields that could not be read; the rules refuse them by name.

    ``activation`` is the id that a command about one names, or empty: then it is found by ``role`` and ``principal``.
    ``duration`` is for how long; on an extension, how much longer than now's end.
    """

    action: Action
    activation: str
    request_id: str
    weak_id: bool
    source: str
    through: str
    door: Door
    requester: str
    principal: str
    role: str
    duration: timedelta | None
    starts_at: datetime | None
    justification: str
    ticket: Ticket | None
    problems: tuple[Unmet, ...]
    ignored: tuple[str, ...]
    repairs: tuple[str, ...]
    content: str


def read_request(
    body: Mapping[str, Any], envelope: Envelope, *, door: Door, repairs: tuple[str, ...]
) -> RequestCommand:
    """Read a request, field by field; of a field that its action doesn't know, only the name is kept.

    Raises:
        Unusable: nobody is named to whom a refusal could be told.
    """
    fields = _Fields(body)
    requester = _reference(body.get("requester"))
    if requester is None:
        raise Unusable(Code.REQUESTER_MISSING, "no requester is named: nobody could be told the answer")
    version = body.get("version", VERSION)
    if str(version) != str(VERSION):
        fields.wrong("version", f"is {_shown(version)}", f"Send version {VERSION}.", Code.VERSION_UNKNOWN)
    action = fields.action("action")
    principal = _reference(body.get("principal")) if body.get("principal") not in (None, "") else requester
    if principal is None:
        fields.wrong("principal", "names no account", "Name it by object id or user principal name.")
    stated = fields.text("requestId")
    known = {"version", "action", "requester", "principal", "requestId", "flow", "role", "justification"}
    known |= _MORE[action]
    fields.only(known)
    command = RequestCommand(
        action=action,
        activation=fields.activation("activation"),
        request_id=stated or envelope.identity,
        weak_id=not stated,
        source=envelope.queue,
        through=fields.text("flow"),
        door=door,
        requester=requester,
        principal=principal or "",
        role=fields.text("role").lower(),
        duration=fields.duration("duration"),
        starts_at=fields.instant("start"),
        justification=fields.text("justification", limit=None),
        ticket=fields.ticket("ticket"),
        problems=(),
        ignored=tuple(sorted(clean(key)[:_SHOWN] for key in body if key not in known))[:20],
        repairs=repairs,
        content=content_of({key: value for key, value in body.items() if key in known}),
    )
    if "activation" in known and not command.role and body.get("activation") in (None, ""):
        fields.wrong("activation", "is missing, and so is role", "Name the activation by its id, or the role.")
    if action is Action.EXTEND and body.get("duration") in (None, ""):
        fields.wrong("duration", "is missing", "Say how much longer, such as PT1H.", Code.DURATION_INVALID)
    return replace(command, problems=tuple(fields.problems))


_MORE = {
    Action.ACTIVATE: {"duration", "start", "ticket"},
    Action.VALIDATE: {"duration", "start", "ticket"},
    Action.DEACTIVATE: {"activation"},
    Action.CANCEL: {"activation"},
    Action.EXTEND: {"activation", "duration", "ticket"},
}
"""The fields that only some actions have."""


class _Fields:
    """Reads fields of a body, and collects what is wrong with them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.problems: list[Unmet] = []

    def only(self, known: set[str]) -> None:
        """Read no field but these from now on: the others are as if they were left out."""
        self._body = {name: value for name, value in self._body.items() if name in known}

    def wrong(self, name: str, what: str, remedy: str, code: Code = Code.FIELD_INVALID) -> None:
        self.problems.append(Unmet(code, f"The field {name} {what}.", remedy))

    def text(self, name: str, *, limit: int | None = REFERENCE_LIMIT) -> str:
        value = self._body.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong(name, f"is {_shown(value)}, not text", "Send text.")
            return ""
        text = clean(str(value))
        if limit is not None and len(text) > limit:
            self.wrong(name, f"has {len(text)} characters", f"Send at most {limit}.")
            return text[:limit]
        return text

    def action(self, name: str) -> Action:
        stated = str(self._body.get(name, Action.ACTIVATE))
        if stated not in set(Action):
            *others, last = Action
            remedy = f"Send {', '.join(others)} or {last}."
            self.wrong(name, f"is {_shown(self._body[name])}", remedy, Code.ACTION_UNKNOWN)
            return Action.ACTIVATE
        return Action(stated)

    def activation(self, name: str) -> str:
        text = self.text(name).lower()
        if text and not is_activation_id(text):
            self.wrong(name, f"is {_shown(text)}, which is no id of ours", "Send the 32 digits that our mails name.")
            return ""
        return text

    def duration(self, name: str) -> timedelta | None:
        value = self._body.get(name)
        if value is None or value == "":
            return None
        span = read_duration(value)
        if span is None or span <= timedelta():
            self.wrong(
                name,
                f"is {_shown(value)}, which is not a length of time",
                "Send an ISO 8601 duration such as PT2H or PT90M, or a number of hours.",
                Code.DURATION_INVALID,
            )
            return None
        return span

    def instant(self, name: str) -> datetime | None:
        value = self._body.get(name)
        if value is None or value == "":
            return None
        try:
            stated = datetime.fromisoformat(str(value).strip())
            at = stated.astimezone(UTC) if stated.tzinfo else None
        except (ValueError, OverflowError):
            at = None
        if at is None or at >= _LATEST_START:
            self.wrong(
                name,
                f"is {_shown(value)}, which is not an instant with a time zone",
                "Send ISO 8601 with an offset, such as 2026-01-05T09:00:00Z.",
                Code.START_INVALID,
            )
            return None
        return at.replace(microsecond=0)

    def ticket(self, name: str) -> Ticket | None:
        value = self._body.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return Ticket(system="", number=self.text(name, limit=100))
        if not isinstance(value, dict):
            self.wrong(name, f"is {_shown(value)}", 'Send {"system": "...", "number": "..."}.')
            return None
        inner = _Fields(value)
        ticket = Ticket(system=inner.text("system", limit=100), number=inner.text("number", limit=100))
        self.problems += inner.problems
        return ticket


def read_duration(value: object) -> timedelta | None:
    """Read an ISO 8601 duration of days, hours, minutes and seconds, or a number of hours; None: it is neither.

    Years and months are not taken: how long they are depends on when they begin.
    """
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        return timedelta(seconds=round(float(text.replace(",", ".")) * 3600))
    match = _DURATION.fullmatch(text.upper())
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _reference(value: object) -> str | None:
    """Return the text that names an account: a plain string, or the first of an object's ids; None: there is none."""
    if isinstance(value, dict):
        candidates: list[object] = [
            value.get(key) for key in ("oid", "id", "userPrincipalName", "upn", "mail", "email")
        ]
        value = next((text for text in candidates if isinstance(text, str) and text.strip()), None)
    if not isinstance(value, str):
        return None
    text = clean(value)
    return text if 0 < len(text) <= REFERENCE_LIMIT else None


def clean(text: str) -> str:
    """Return ``text`` without control characters and without marks that turn its direction; lines end in a line feed."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return clean(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


@dataclass(frozen=True, slots=True)
class Nudge:
    """Look at this activation and do what its state asks for."""

    activation: str

    def body(self) -> dict[str, object]:
        """Return the message."""
        return {"version": VERSION, "activation": self.activation}


def read_nudge(body: Mapping[str, Any]) -> Nudge:
    """Read an internal message.

    Raises:
        Unusable: it names no activation.
    """
    return Nudge(_activation(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Tell this account this about that activation, once. ``outcome``: only for what is stored nowhere (a validation).

    ``number``: of which event, where the same can happen again; 0 where it can't.
    """

    activation: str
    what: str
    to: str
    number: int = 0
    outcome: Mapping[str, object] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What is told to whom: of one activation, each goes out once."""
        return f"{self.what}:{self.to}" + (f":{self.number}" if self.number else "")

    def body(self) -> dict[str, object]:
        """Return the message."""
        more: dict[str, object] = {"number": self.number} if self.number else {}
        more |= {"outcome": dict(self.outcome)} if self.outcome else {}
        return {"version": VERSION, "activation": self.activation, "what": self.what, "to": self.to, **more}


def read_telling(body: Mapping[str, Any]) -> Telling:
    """Read a notification.

    Raises:
        Unusable: a field is missing.
    """
    outcome, number = body.get("outcome"), body.get("number")
    return Telling(
        activation=_activation(body),
        what=_required(body, "what"),
        to=_required(body, "to"),
        number=number if isinstance(number, int) else 0,
        outcome=outcome if isinstance(outcome, dict) else {},
    )


def nudge(queue: str, activation: str) -> Send:
    """Return the effect of a change that has ``queue`` look at the activation."""
    return Send(queue=queue, body=Nudge(activation).body())


def tell(activation: str, what: str, *, to: str, number: int = 0) -> Send:
    """Return the effect of a change that has somebody told ``what`` happened, once; once for each ``number``."""
    return Send(queue="notifications", body=Telling(activation=activation, what=what, to=to, number=number).body())


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPress:
    """What a card's button sends: the card's own token, the choice, and what the approver typed."""

    token: str
    choice: Choice
    note: str


def read_press(raw: bytes) -> CardPress:
    """Read the body of a card's button: one line of JSON, then the note as it was typed.

    Outlook puts what was typed into the body without escaping it, so the note stands last and is never parsed.

    Raises:
        Unusable: it is not what our cards send.
    """
    first, _, note = text_of(raw[:BODY_LIMIT]).partition("\n")
    read: Callable[[str], Any] = json.loads
    try:
        values = read(first)
        return CardPress(token=str(values["token"]), choice=Choice(values["decision"]), note=clean(note))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unusable(Code.CARD_INVALID, "the button's message is not one of our cards'") from error


def _activation(body: Mapping[str, Any]) -> str:
    text = _required(body, "activation")
    if not is_activation_id(text):
        raise Unusable(Code.NUDGE_INVALID, "the field activation is no id of ours")
    return text


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > REFERENCE_LIMIT:
        raise Unusable(Code.NUDGE_INVALID, f"the field {name} is missing")
    return value
