"""Queue `activation-requests` -> `request_activation`; queue `provisioning` -> `give`."""

import azure.functions as func

from access.adapters import wiring
from access.adapters.triggers import settle
from access.model import Door
from access.wire import Envelope, read_body, read_nudge
from activation_handler.give import give
from activation_handler.request_activation import request_activation

worker = func.Blueprint()


@worker.function_name("activation_requests")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="activation-requests", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def activation_requests(message: func.ServiceBusMessage) -> None:
    """Decide about a request that a flow put on the queue."""
    ports = wiring.ports()

    async def work(raw: bytes, envelope: Envelope) -> None:
        await request_activation(raw, envelope, door=Door.FLOW, ports=ports)

    await settle(message, "activation-requests", ports, work)


@worker.function_name("provisioning")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="provisioning", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def provisioning(message: func.ServiceBusMessage) -> None:
    """Give what was accepted, approved, or whose start is due."""
    ports = wiring.ports()

    async def work(raw: bytes, _: Envelope) -> None:
        await give(read_nudge(read_body(raw)[0]).activation, ports=ports)

    await settle(message, "provisioning", ports, work)
