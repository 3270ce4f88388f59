"""Every minute, queue `ticks` -> `sweep`; queue `expirations` -> `end_due`; every hour -> `reconcile`.

POST `api/sweep` -> a tick; GET `api/health/*`.
"""

import asyncio
import json
import logging

import azure.functions as func

from access.adapters import wiring

log = logging.getLogger(__name__)

worker = func.Blueprint()
web = func.Blueprint()

_NO_STORE = {"Cache-Control": "no-store"}
_HEALTH_LIMIT = 10.0
"""Seconds that the question whether the sweep is alive may take."""


@worker.function_name("sweep_timer")
@worker.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False, use_monitor=True)
async def sweep_timer(timer: func.TimerRequest) -> None:
    """Look at what is due; what a message missed is found here."""
    from expiry_timer.sweep import Starter, sweep

    if timer.past_due:
        log.warning("sweep.past_due")
    await sweep(Starter.TIMER, ports=wiring.ports())


@worker.function_name("reconcile_timer")
@worker.timer_trigger(arg_name="timer", schedule="0 17 * * * *", run_on_startup=False, use_monitor=True)
async def reconcile_timer(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding's name
    """Compare the directory with the record, both ways, and report what differs."""
    from expiry_timer.reconcile import reconcile

    await reconcile(ports=wiring.ports())


@worker.function_name("ticks")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="ticks", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def ticks(message: func.ServiceBusMessage) -> None:
    """Look at what is due, also where the timer stands still. What the message says doesn't matter."""
    from access.adapters.triggers import settle
    from access.wire import Envelope
    from expiry_timer.sweep import Starter, sweep

    ports = wiring.ports()

    async def work(_: bytes, __: Envelope) -> None:
        await sweep(Starter.TICK, ports=ports)

    await settle(message, "ticks", ports, work)


@worker.function_name("expirations")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="expirations", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def expirations(message: func.ServiceBusMessage) -> None:
    """End an activation that is due, or go on until its end is proven."""
    from access.adapters.triggers import nudged
    from expiry_timer.end_due import end_due

    await nudged(message, "expirations", wiring.ports(), end_due)


@web.function_name("call_for_sweep")
@web.route(route="api/sweep", methods=[func.HttpMethod.POST], auth_level=func.AuthLevel.FUNCTION)
async def call_for_sweep(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
    """Have the worker sweep now; this part itself may change nothing."""
    from access.errors import TryAgain
    from expiry_timer import tick

    try:
        await tick.call_for_sweep(ports=wiring.ports())
    except TryAgain:
        return func.HttpResponse(status_code=503, headers=_NO_STORE)
    return func.HttpResponse(status_code=202, headers=_NO_STORE)


@web.function_name("health_live")
@web.route(route="api/health/live", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
async def health_live(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
    """Answer as long as the process does."""
    return _told(await _sweep_is_fresh(), stale=200)


@web.function_name("health_ready")
@web.route(route="api/health/ready", methods=[func.HttpMethod.GET], auth_level=func.AuthLevel.ANONYMOUS)
async def health_ready(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
    """Answer well only while the sweep is alive."""
    return _told(await _sweep_is_fresh(), stale=503)


async def _sweep_is_fresh() -> bool:
    """Whether the sweep is alive; what can't be found out, settings that are wrong included, is no."""
    from expiry_timer.health import sweep_is_fresh

    try:
        async with asyncio.timeout(_HEALTH_LIMIT):
            return await sweep_is_fresh(ports=wiring.ports())
    except Exception:  # a stranger is told nothing of what went wrong
        log.exception("health.unread")
        return False


def _told(fresh: bool, *, stale: int) -> func.HttpResponse:  # noqa: FBT001 - the answer
    body = json.dumps({"sweep": "fresh" if fresh else "stale"})
    status = 200 if fresh else stale
    return func.HttpResponse(body, status_code=status, headers=_NO_STORE, mimetype="application/json")
