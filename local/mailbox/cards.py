"""Reading an actionable message: the card in the head of a mail, its actions, its inputs."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

CARD_TYPE = "application/adaptivecard+json"
ACTION_MARK = "press-"

type Card = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMail:
    """A mail as a mail client understands it.

    ``problem`` says why there is a card that will not be shown. ``preview`` is the beginning of the text.
    """

    card: Card | None
    problem: str | None
    preview: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAction:
    """A button that calls the app: what it is, and the inputs that go with it."""

    index: int
    title: str
    action: dict[str, Any]
    inputs: Sequence[Mapping[str, Any]]

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the value of each input: what the person gave, else what the card says."""
        return {
            str(one["id"]): str(given.get(str(one["id"]), one.get("value") or "")) for one in self.inputs if "id" in one
        }

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """Return the ids of the inputs that are required, empty, and used by this action: the renderer marks the same."""
        sent = json.dumps([self.action.get(part) for part in ("url", "body", "headers")])
        return [
            str(one["id"])
            for one in self.inputs
            if one.get("isRequired") and f"{{{{{one['id']}.value}}}}" in sent and not values[str(one["id"])].strip()
        ]


def read_mail(html: str) -> ReadMail:
    """Find the card in the head of a mail, and the beginning of its text."""
    parser = _MailParser()
    parser.feed(html)
    parser.close()
    preview = " ".join("".join(parser.text).split())[:140]
    if parser.card_source is None:
        problem = "The card is not in the head of the mail, where Outlook looks for it." if parser.misplaced else None
        return ReadMail(card=None, problem=problem, preview=preview)
    try:
        card = json.loads(parser.card_source)
    except ValueError as error:
        return ReadMail(card=None, problem=f"The card is not JSON: {error}.", preview=preview)
    if problem := _unfit(card):
        return ReadMail(card=None, problem=problem, preview=preview)
    return ReadMail(card=card, problem=None, preview=preview)


def parse_card(text: str) -> Card | None:
    """Return the card in the body of an answer, or ``None`` where there is none."""
    try:
        card = json.loads(text)
    except ValueError:
        return None
    return None if _unfit(card) else card


def http_actions(card: Card) -> list[HttpAction]:
    """Return the buttons that call the app, in the order in which they stand in the card."""
    visible = {name: part for name, part in card.items() if name != "autoInvokeAction"}
    inputs = list(_elements(visible, "Input."))
    return [
        HttpAction(index=index, title=str(action.get("title", "")), action=action, inputs=inputs)
        for index, action in enumerate(_elements(visible, "Action.Http"))
    ]


def marked(card: Card) -> Card:
    """Return a copy in which each of these buttons is called by its number, so that a page can say which was pressed."""
    copied = copy.deepcopy(card)
    for one in http_actions(copied):
        one.action["id"] = f"{ACTION_MARK}{one.index}"
    return copied


def _unfit(card: Any) -> str | None:
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        return "The card is not of type AdaptiveCard."
    if any(_elements(card, "Action.Submit")):
        return "The card has an Action.Submit, which Outlook does not support: use Action.Http."
    return None


def _elements(thing: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Yield everything in a card whose type begins so, in the order in which it stands there."""
    if isinstance(thing, list):
        for one in thing:
            yield from _elements(one, kind)
    elif isinstance(thing, dict):
        if str(thing.get("type", "")).startswith(kind):
            yield thing
        for value in thing.values():
            yield from _elements(value, kind)


class _MailParser(HTMLParser):
    """Collects the card's source and the text a person would read."""

    _SILENT = ("script", "style", "title")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.card_source: str | None = None
        self.misplaced = False
        self.text: list[str] = []
        self._open: str | None = None
        self._in_card = False
        self._body_began = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._body_began = self._body_began or tag == "body"
        if tag in self._SILENT:
            self._open = tag
        else:
            self.text.append(" ")
        if tag == "script" and (dict(attrs).get("type") or "").lower() == CARD_TYPE:
            self._in_card = not self._body_began and self.card_source is None
            self.misplaced = self.misplaced or self._body_began
            if self._in_card:
                self.card_source = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open, self._in_card = None, False

    def handle_data(self, data: str) -> None:
        if self._in_card:
            self.card_source = (self.card_source or "") + data
        elif self._open is None:
            self.text.append(data)
