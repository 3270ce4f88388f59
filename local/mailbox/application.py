"""The mailbox as one ASGI application: pages for people, and a JSON twin for scripts."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from local.mailbox.inbox import Inboxes, InboxMail, Refused
from local.mailbox.tenant_client import Person

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / "node_modules"
_RENDERER = "adaptivecards/dist/adaptivecards.min.js"
# Mail bodies are shown in a frame that inherits this: nothing is loaded from elsewhere, and no script of theirs runs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'self'; form-action 'none'"
)
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)

type Endpoint = Callable[[Request], Awaitable[Response]]


class Mailbox:
    """The pages and the API."""

    def __init__(self, inboxes: Inboxes, node_modules: Path) -> None:
        self._inboxes = inboxes
        self._renderer = node_modules / _RENDERER

    def routes(self) -> list[Route | Mount]:
        """Return what to serve."""
        return [
            Route("/", _answering(self.choose_person)),
            Route("/api/mail", _answering(self.list_mail)),
            Route("/api/open", _answering(self.open), methods=["POST"]),
            Route("/api/press", _answering(self.press), methods=["POST"]),
            Route("/renderer.js", _answering(self.serve_renderer)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/{address}", _answering(self.show_inbox)),
            Route("/{address}/messages", _answering(self.show_messages)),
        ]

    async def choose_person(self, _request: Request) -> Response:
        """Show whose inbox there is to open."""
        return _page("people.html", people=await self._inboxes.tenant.people())

    async def show_inbox(self, request: Request) -> Response:
        """Show one inbox, and the mail that was chosen in it."""
        person = await self._person(request.path_params["address"])
        mails = await self._inboxes.mails(person.address)
        chosen = next((mail for mail in mails if mail.id == request.query_params.get("mail")), None)
        return _page(
            "inbox.html",
            person=person,
            mails=mails,
            chosen=chosen,
            chosen_id=chosen.id if chosen else None,
            card=_for_script(chosen.card_to_show) if chosen else None,
            renderer_missing=not self._renderer.is_file(),
        )

    async def show_messages(self, request: Request) -> Response:
        """Show the list alone, for the page that keeps itself up to date."""
        person = await self._person(request.path_params["address"])
        mails, chosen_id = await self._inboxes.mails(person.address), request.query_params.get("mail")
        return _page("messages.html", person=person, mails=mails, chosen_id=chosen_id)

    async def list_mail(self, request: Request) -> Response:
        """Answer the mails of a mailbox as JSON."""
        person = await self._person(request.query_params.get("address", ""))
        mails = await self._inboxes.mails(person.address)
        return JSONResponse([mail.to_json() for mail in mails])

    async def open(self, request: Request) -> Response:
        """Open a mail: mark it read, let its card bring itself up to date."""
        order = await _order(request)
        mail, outcome = await self._inboxes.open(str(order.get("address")), str(order.get("mailId")))
        refresh = outcome.to_json() if outcome else None
        return JSONResponse({**_shown(mail), "refresh": refresh})

    async def press(self, request: Request) -> Response:
        """Press a button: ``{"address", "mailId", "action": title or number, "inputs": {}}``."""
        order = await _order(request)
        inputs = order.get("inputs") or {}
        if not isinstance(inputs, dict):
            raise Refused(400, "inputs must be an object.")
        mail, outcome = await self._inboxes.press(
            str(order.get("address")),
            str(order.get("mailId")),
            order.get("action", ""),
            {name: str(value) for name, value in inputs.items()},
            request_id=order.get("actionRequestId"),
        )
        return JSONResponse({**outcome.to_json(), "succeeded": outcome.succeeded, **_shown(mail)})

    async def serve_renderer(self, _request: Request) -> Response:
        """Serve Microsoft's renderer from node_modules."""
        if not self._renderer.is_file():
            raise Refused(404, "The card renderer is missing: run `npm ci`.")
        return FileResponse(self._renderer, media_type="text/javascript")

    async def _person(self, address: str) -> Person:
        person = await self._inboxes.tenant.person(address)
        if person is None:
            raise Refused(404, f"Nobody has the mailbox {address}.")
        return person


def build(inboxes: Inboxes, node_modules: Path = NODE_MODULES) -> Starlette:
    """Return the application for these inboxes."""

    @contextlib.asynccontextmanager
    async def closing(_app: Starlette) -> AsyncIterator[None]:
        yield
        await inboxes.close()

    return Starlette(
        lifespan=closing,
        routes=Mailbox(inboxes, node_modules).routes(),
        # Without this a page on the internet whose name resolves to 127.0.0.1 could press buttons here.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _answering(handler: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        wants_json = request.url.path.startswith("/api/")
        try:
            return await handler(request)
        except Refused as refusal:
            status, message = refusal.status, str(refusal)
        except httpx.HTTPError:
            status, message = 502, "The local directory does not answer. Is it running?"
        if wants_json:
            return JSONResponse({"error": message}, status)
        return _page("problem.html", status, message=message)

    return endpoint


def _page(template: str, status: int = 200, **values: Any) -> Response:
    html = _ENVIRONMENT.get_template(template).render(**values)
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})


def _shown(mail: InboxMail) -> dict[str, Any]:
    return {"card": mail.card_to_show, "hideOriginalBody": mail.hides_body}


def _for_script(card: dict[str, Any] | None) -> str | None:
    """Return JSON that cannot end the script element it stands in."""
    return None if card is None else json.dumps(card).replace("<", "\\u003c")


async def _order(request: Request) -> dict[str, Any]:
    # Another site can send a form or text here without asking, but not JSON.
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415, "Send JSON.")
    try:
        order = await request.json()
    except ValueError:
        order = None
    if not isinstance(order, dict):
        raise Refused(400, "Send a JSON object.")
    return order
