"""Queue `notifications` -> `notify`."""

import azure.functions as func

from access.adapters import wiring

worker = func.Blueprint()


@worker.function_name("notifications")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="notifications", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def notifications(message: func.ServiceBusMessage) -> None:
    """Send one mail to one person, once."""
    from access.adapters.triggers import settle
    from access.body import read_body
    from access.wire import Envelope, read_telling
    from notifier.notify import notify

    ports = wiring.ports()

    async def work(raw: bytes, _: Envelope) -> None:
        await notify(read_telling(read_body(raw)[0]), ports=ports)

    await settle(message, "notifications", ports, work)
