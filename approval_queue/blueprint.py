"""Queue `approvals` -> `ask_approvers`; POST `api/cards/decide` -> `answer_card`; GET `about` -> a page about cards."""

import json

import azure.functions as func

from access.adapters import wiring
from access.adapters.log import correlated

worker = func.Blueprint()
web = func.Blueprint()

_ABOUT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Hourglass</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}</style>
<h1>Hourglass</h1><p>Privileged access, for a while. Approvals are decided with the buttons of the card in the mail
that you received; nothing can be decided on this page.</p></html>"""


@worker.function_name("approvals")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="approvals", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def approvals(message: func.ServiceBusMessage) -> None:
    """Find out who may decide, and have them told."""
    from access.adapters.triggers import nudged
    from approval_queue.ask_approvers import ask_approvers

    await nudged(message, "approvals", wiring.ports(), ask_approvers)


@web.function_name("cards_decide")
@web.route(route="api/cards/decide", methods=[func.HttpMethod.POST], auth_level=func.AuthLevel.ANONYMOUS)
async def cards_decide(req: func.HttpRequest) -> func.HttpResponse:
    """Take a decision from a card; its two tokens are checked by the use case, so the host asks for no key."""
    from approval_queue.answer_card import answer_card

    headers = {name.lower(): value for name, value in req.headers.items()}
    with correlated(headers.get("card-correlation-id", "")):
        answer = await answer_card(req.get_body(), headers, ports=wiring.ports())
    told = {"CARD-ACTION-STATUS": answer.line, "Cache-Control": "no-store"}
    if answer.card:
        told["CARD-UPDATE-IN-BODY"] = "true"
    body = json.dumps(answer.card) if answer.card else ""
    return func.HttpResponse(body, status_code=answer.status, headers=told, mimetype="application/json")


@web.function_name("about")
@web.route(route="about", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
async def about(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
    """Say what Hourglass is, to whoever follows the link of a decided card. Reads nothing, changes nothing."""
    return func.HttpResponse(_ABOUT, mimetype="text/html")
