"""Every minute -> `sweep`; queue `expirations` -> `end_due`."""

import logging

import azure.functions as func

from access.adapters import wiring

log = logging.getLogger(__name__)

worker = func.Blueprint()


@worker.function_name("sweep_timer")
@worker.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False, use_monitor=True)
async def sweep_timer(timer: func.TimerRequest) -> None:
    """Look at what is due; what a message missed is found here."""
    from expiry_timer.sweep import sweep

    if timer.past_due:
        log.warning("sweep.past_due")
    await sweep(ports=wiring.ports())


@worker.function_name("expirations")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="expirations", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def expirations(message: func.ServiceBusMessage) -> None:
    """End an activation that is due, or go on until its end is proven."""
    from access.adapters.triggers import nudged
    from expiry_timer.end_due import end_due

    await nudged(message, "expirations", wiring.ports(), end_due)
