"""A directory, a mailbox, a sample actionable mail, and a tiny app that answers presses."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.directory.serving import RunningServer
from local.directory.testing import RunningDirectory
from local.mailbox.testing import RunningMailbox

BO = "bo@contoso.example"
SENDER = "hourglass@contoso.example"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What the app will say to the next press."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(slots=True, kw_only=True)
class Press:
    """A press as the app saw it."""

    path: str
    headers: httpx.Headers
    body: str


class App:
    """Stands in for the app under test: notes what it is sent, says what it was told to say."""

    def __init__(self) -> None:
        self.presses: list[Press] = []
        self.answers: list[Answer] = []
        self._delay = 0.0
        self._server = RunningServer(
            lambda _url, _connections: Starlette(routes=[Route("/{rest:path}", self._answer, methods=["POST"])])
        )

    @property
    def url(self) -> str:
        return self._server.url

    def will_answer(self, status: int = 200, body: str = "", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(Answer(status=status, headers=named, body=body))

    def forget(self) -> None:
        self.presses.clear()
        self.answers.clear()
        self._delay = 0.0

    def answers_after(self, seconds: float) -> None:
        self._delay = seconds

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.__exit__()

    async def _answer(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.presses.append(Press(path=request.url.path, headers=httpx.Headers(dict(request.headers)), body=body))
        await asyncio.sleep(self._delay)
        answer = self.answers.pop(0) if self.answers else Answer()
        return Response(answer.body, answer.status, answer.headers)


@pytest.fixture(scope="session")
def directory_server() -> Iterator[RunningDirectory]:
    with RunningDirectory() as running:
        yield running


@pytest.fixture
def directory(directory_server: RunningDirectory) -> RunningDirectory:
    directory_server.admin.post("/reset")
    return directory_server


@pytest.fixture(scope="session")
def app_server() -> Iterator[App]:
    with App() as running:
        yield running


@pytest.fixture
def app(app_server: App) -> App:
    app_server.forget()
    return app_server


@pytest.fixture(scope="session")
def mailbox_server(directory_server: RunningDirectory, app_server: App) -> Iterator[RunningMailbox]:
    with RunningMailbox(directory_server.url, app=app_server.url) as running:
        yield running


@pytest.fixture
def mailbox(mailbox_server: RunningMailbox, directory: RunningDirectory, app: App) -> RunningMailbox:
    """The mailbox of a directory that is back at its seed; what it keeps is by mail, and no mail has an old id."""
    return mailbox_server


def approval_card(app: str, **changes: Any) -> dict[str, Any]:
    """A card as an approver gets it."""

    def decide(title: str, decision: str, **more: Any) -> dict[str, Any]:
        body = f'{{"decision": "{decision}", "reason": "{{{{reason.value}}}}", "minutes": "{{{{minutes.value}}}}"}}'
        return {"type": "Action.Http", "title": title, "method": "POST", "url": f"{app}/decide", "body": body, **more}

    return {
        "type": "AdaptiveCard",
        "version": "1.0",
        "originator": "00000000-0000-4000-8000-00000000000a",
        "correlationId": "activation-1",
        "hideOriginalBody": True,
        "body": [
            {
                "type": "TextBlock",
                "text": "Ada Adair asks for Backup Operators",
                "size": "large",
                "weight": "bolder",
                "wrap": True,
            },
            {"type": "TextBlock", "text": "Restore of the **payroll** database", "wrap": True, "spacing": "small"},
            {
                "type": "FactSet",
                "facts": [
                    {"title": "Account", "value": "ada.admin@contoso.example"},
                    {"title": "From", "value": "today 14:00, for 2 hours"},
                    {"title": "Ticket", "value": "INC-1042"},
                    {"title": "Asked through", "value": "the signed-in page: who asked is proven"},
                ],
            },
            {
                "type": "Input.ChoiceSet",
                "id": "minutes",
                "label": "Give it for",
                "value": "120",
                "choices": [{"title": "2 hours, as asked", "value": "120"}, {"title": "1 hour", "value": "60"}],
            },
            {
                "type": "Input.Text",
                "id": "reason",
                "label": "Your reason",
                "placeholder": "Why you approve or deny",
                "isMultiline": True,
                "isRequired": True,
                "errorMessage": "Say why: it goes into the audit.",
            },
        ],
        "actions": [
            decide("Approve", "approve", style="positive"),
            decide("Deny", "deny", style="destructive"),
            {"type": "Action.OpenUrl", "title": "Open the page", "url": f"{app}/page"},
        ],
        **changes,
    }


def decided_card(app: str) -> dict[str, Any]:
    """The card after somebody decided."""
    return {
        "type": "AdaptiveCard",
        "version": "1.0",
        "hideOriginalBody": True,
        "body": [
            {"type": "TextBlock", "text": "Approved", "size": "large", "weight": "bolder", "color": "good"},
            {"type": "TextBlock", "text": "Bo Berg approved Backup Operators for Ada Adair.", "wrap": True},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open the page", "url": f"{app}/page"}],
    }


def actionable_mail(card: dict[str, Any]) -> str:
    """A mail with a card, and a body for those who do not see the card."""
    script = f'<script type="application/adaptivecard+json">{json.dumps(card)}</script>'
    return (
        f"<html><head><title>Decide</title>{script}</head>"
        "<body style='font-family: sans-serif'><h1>Ada Adair asks for Backup Operators</h1>"
        "<p>Decide on <a href='https://example.com/'>the page</a>.</p></body></html>"
    )


def send(directory: RunningDirectory, html: str, *, to: str = BO, subject: str = "Decide: Backup Operators") -> str:
    """Put a mail into a mailbox; return its id."""
    mail = directory.state.mail.deliver(sender=SENDER, to=[to], copies=[], subject=subject, body=("html", html))
    return mail.id
