"""The Adaptive Card of an approval: what a person must know to decide in ten seconds, and two buttons. Pure.

Card version 1.0: Outlook on phones and on Mac shows nothing later (Microsoft, actionable messages: supported clients).
All text is escaped for card Markdown.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from access.model import Activation, Cause, Door, State, Unmet
from access.policy import spoken

# What could begin emphasis, code or a link; an underscore within a word can't. Little else is touched, since a renderer
# without Markdown shows each backslash.
_MARKDOWN = re.compile(r"([\\`*~\[\]]|(?<!\w)_|_(?!\w))")
_LIST = re.compile(r"(?=[-+#>]|\d+[.)])")
_CLOSED: Mapping[Cause | None, str] = {
    Cause.CANCELED: "Cancelled by who asked, before it was granted.",
    Cause.WITHDRAWN: "Closed before it was granted: the rules don't allow it any more.",
    Cause.REVOKED: "Closed before it was granted, by the people who run Hourglass.",
}
_ACTION_LABELS = {"approve": "Approve", "deny": "Deny"}
SHOWN_LIMIT = 600
"""Characters of a justification that a card shows; the mail below it shows all."""


def escape(text: str) -> str:
    """Return ``text`` so that a card shows it as it is: no Markdown, no link, no date function, no line of its own."""
    flat = " ".join(text.split())
    plain = _MARKDOWN.sub(r"\\\1", flat).replace("{{", "{ {").replace("://", ":\u200b//")
    return f"\u200b{plain}" if _LIST.match(plain) else plain


def approval_card(activation: Activation, *, token: str, url: str, originator: str) -> dict[str, Any]:
    """Return the card that asks one approver, with the token that only they can use."""
    note: dict[str, Any] = {
        "type": "Input.Text",
        "id": "note",
        "isMultiline": True,
        "maxLength": 500,
        "placeholder": "Reason for your decision (optional)",
    }
    wants = "wants more time for" if activation.extends else "wants to activate"
    return {
        **_frame(activation, originator),
        "body": [*_head(activation, wants), _facts(activation), *_justification(activation), note],
        "actions": [_button(choice, token, url) for choice in ("approve", "deny")],
    }


def closed_card(activation: Activation, *, url: str, originator: str) -> dict[str, Any]:
    """Return the card that shows what became of the question; no spent buttons."""
    asked = "asked for more time for" if activation.extends else "asked to activate"
    return {
        **_frame(activation, originator),
        "body": [
            *_head(activation, asked),
            {"type": "TextBlock", "text": escape(outcome(activation)), "wrap": True, "weight": "bolder"},
            _facts(activation),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "About Hourglass", "url": f"{url}/about"}],
    }


def outcome(activation: Activation) -> str:
    """Return in a sentence where the activation stands; names who decided, and when, in UTC."""
    who, at = activation.decided_by_name or "an approver", activation.decided_at
    decided = f" by {who} at {at:%H:%M} UTC" if at else ""
    until = f" until {activation.ends_at:%Y-%m-%d %H:%M} UTC" if activation.ends_at else ""
    return {
        State.PENDING_APPROVAL: "Waiting for a decision.",
        State.SCHEDULED: f"Approved{decided}; it starts later and runs{until}.",
        State.PROVISIONING: f"Approved{decided}; being granted, to run{until}.",
        State.ACTIVE: f"Approved{decided}; active{until}.",
        State.ENDING: "Ending: being removed now.",
        State.REFUSED: "Refused by the rules.",
        State.DENIED: f"Denied{decided}.",
        State.CANCELED: _CLOSED.get(activation.cause, "Closed before it was granted."),
        State.LAPSED: "Lapsed: nobody decided in time.",
        State.FAILED: "It could not be granted.",
        State.ENDED: "Ended; the access is removed.",
    }[activation.state]


def html_head(card: Mapping[str, Any]) -> str:
    """Return the card as it stands in the head of a mail; no text of a person can close the script."""
    text = json.dumps(card).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/adaptivecard+json">{text}</script>'


def status_line(unmet: Unmet) -> str:
    """Return a refusal as one line of ASCII for the CARD-ACTION-STATUS header, without names and times."""
    line = {"HG-DECISION-TAKEN": "This was decided or closed already."}.get(unmet.code, unmet.what)
    return " ".join(line.encode("ascii", "replace").decode().split())[:200] + f" ({unmet.code})"


def _frame(activation: Activation, originator: str) -> dict[str, Any]:
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.0",
        "hideOriginalBody": False,
        "originator": originator,
        "correlationId": activation.id,
    }


def _head(activation: Activation, verb: str) -> list[dict[str, Any]]:
    return [
        {"type": "TextBlock", "text": "Approval wanted" if verb.startswith("wants") else "Approval", "isSubtle": True},
        {
            "type": "TextBlock",
            "text": f"{escape(activation.requester_name)} {verb} {escape(activation.role_name)}",
            "size": "large",
            "weight": "bolder",
            "wrap": True,
        },
    ]


def _facts(activation: Activation) -> dict[str, Any]:
    facts = [("Role", activation.role_name), ("For account", activation.principal_name), *_times(activation)]
    if activation.ticket is not None:
        facts.append(("Ticket", f"{activation.ticket.system} {activation.ticket.number}".strip()))
    if activation.door is Door.FLOW:
        flow = f"flow {activation.through}" if activation.through else "a flow"
        facts.append(("Asked through", f"{flow}; who asked is not proven"))
    return {"type": "FactSet", "facts": [{"title": title, "value": escape(value)} for title, value in facts]}


def _times(activation: Activation) -> list[tuple[str, str]]:
    """Return for how long, and from when; for an extension, until when it is active now, and until when it would be."""
    if activation.extends and activation.ends_at:
        now_until = activation.ends_at - activation.duration
        return [
            ("How much longer", spoken(activation.duration)),
            ("Active until", f"{now_until:%Y-%m-%d %H:%M} UTC"),
            ("Then until", f"{activation.ends_at:%Y-%m-%d %H:%M} UTC"),
        ]
    start = f"{activation.starts_at:%Y-%m-%d %H:%M} UTC" if activation.starts_at else "as soon as it is approved"
    return [("For how long", spoken(activation.duration)), ("Starts", start)]


def _justification(activation: Activation) -> list[dict[str, Any]]:
    if not activation.justification:
        return []
    text = activation.justification
    shown = text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]} ... (all of it is in the mail below)"
    return [{"type": "TextBlock", "text": f"\u201c{escape(shown)}\u201d", "wrap": True}]


def _button(choice: str, token: str, url: str) -> dict[str, Any]:
    """Return a button. What was typed stands last in the body, since Outlook doesn't escape it (docs/decisions/0009)."""
    first = json.dumps({"token": token, "decision": choice})
    return {
        "type": "Action.Http",
        "title": _ACTION_LABELS[choice],
        "method": "POST",
        "url": f"{url}/api/cards/decide",
        "body": f"{first}\n{{{{note.value}}}}",
        "headers": [
            {"name": "Content-Type", "value": "text/plain; charset=utf-8"},
            {"name": "Authorization", "value": ""},
        ],
        "style": "positive" if choice == "approve" else "destructive",
    }
