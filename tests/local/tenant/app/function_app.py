"""A function app that touches every part of the local tenant."""

import asyncio
import json
import logging
import os

import azure.functions as func
from azure.identity import ManagedIdentityCredential

app = func.FunctionApp()
log = logging.getLogger(__name__)


@app.route(route="say", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@app.service_bus_queue_output(arg_name="note", queue_name="notifications", connection="ServiceBus")
async def say(req: func.HttpRequest, note: func.Out[str]) -> func.HttpResponse:
    note.set(req.get_body().decode())
    return func.HttpResponse(os.environ["PART"])


@app.service_bus_queue_trigger(arg_name="message", queue_name="notifications", connection="ServiceBus")
async def hear(message: func.ServiceBusMessage) -> None:
    log.info(json.dumps({"event": "heard", "body": message.get_body().decode()}))


@app.route(route="token", auth_level=func.AuthLevel.ANONYMOUS)
async def token(req: func.HttpRequest) -> func.HttpResponse:
    credential = ManagedIdentityCredential()
    found = await asyncio.to_thread(credential.get_token, "https://graph.microsoft.com/.default")
    return func.HttpResponse(found.token)


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
async def tick(timer: func.TimerRequest) -> None:
    log.info(json.dumps({"event": "ticked"}))
