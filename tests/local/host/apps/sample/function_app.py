"""A function app with one function of each kind, for the tests of the host."""

import asyncio
import json
import logging
import typing

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)


@app.service_bus_queue_trigger(arg_name="message", queue_name="text", connection="Bus")
async def text(message: func.ServiceBusMessage) -> None:
    log.info(
        json.dumps(
            {
                "event": "text",
                "body": message.get_body().decode(),
                "message_id": message.message_id,
                "correlation_id": message.correlation_id,
                "subject": message.subject,
                "content_type": message.content_type,
                "reply_to": message.reply_to,
                "to": message.to,
                "delivery_count": message.delivery_count,
                "sequence_number": message.sequence_number,
                "enqueued": message.enqueued_time_utc is not None,
                "properties": message.application_properties,
            }
        )
    )


@app.service_bus_queue_trigger(arg_name="message", queue_name="raw", connection="Bus", data_type="binary")
@app.service_bus_queue_output(arg_name="copy", queue_name="copies", connection="Bus")
async def raw(message: func.ServiceBusMessage, copy: func.Out[bytes]) -> None:
    copy.set(message.get_body())


@app.service_bus_topic_trigger(arg_name="message", topic_name="news", subscription_name="reader", connection="Bus")
def subscribed(message: func.ServiceBusMessage) -> None:
    log.info(json.dumps({"event": "news", "body": message.get_body().decode()}))


@app.service_bus_queue_trigger(arg_name="message", queue_name="broken", connection="Bus")
async def failing(message: func.ServiceBusMessage) -> None:
    log.info(json.dumps({"event": "failing", "delivery_count": message.delivery_count}))
    raise RuntimeError("always")


@app.service_bus_queue_trigger(arg_name="message", queue_name="slow", connection="Bus")
async def slow(message: func.ServiceBusMessage) -> None:
    log.info(json.dumps({"event": "slow.started"}))
    await asyncio.sleep(float(message.get_body()))
    log.info(json.dumps({"event": "slow.ended"}))


@app.service_bus_queue_trigger(
    arg_name="messages", queue_name="batch", connection="Bus", data_type="binary", cardinality="many"
)
async def batch(messages: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - the worker refuses list[...]
    log.info(json.dumps({"event": "batch", "bodies": [m.get_body().decode() for m in messages]}))


@app.timer_trigger(arg_name="timer", schedule="%TICK%")
async def tick(timer: func.TimerRequest) -> None:
    log.info(json.dumps({"event": "tick", "past_due": timer.past_due}))


@app.route(route="people/{id:guid}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def people(req: func.HttpRequest) -> func.HttpResponse:
    answer = {
        "id": req.route_params["id"],
        "method": req.method,
        "body": req.get_body().decode(),
        "query": dict(req.params),
        "x-sample": req.headers.get("x-sample"),
        "names": sorted(req.headers),
    }
    response = func.HttpResponse(json.dumps(answer), mimetype="application/json", headers={"X-Answer": "yes"})
    response.headers.add("Set-Cookie", "seen=1; Path=/; HttpOnly; SameSite=Lax")
    return response


@app.route(route="kept", auth_level=func.AuthLevel.FUNCTION)
async def kept(req: func.HttpRequest) -> str:
    return "open"


@app.route(route="raises", auth_level=func.AuthLevel.ANONYMOUS)
async def raises(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("not for the caller's eyes")


@app.route(route="late", auth_level=func.AuthLevel.ANONYMOUS)
async def late(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(600)
    return func.HttpResponse("too late")


@app.route(route="{*rest}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def rest(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"rest:{req.route_params.get('rest', '')}")
