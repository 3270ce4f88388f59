"""Queue `activation-requests` -> `take_request`; queue `provisioning` -> `give`."""

import azure.functions as func

from access.adapters import wiring

worker = func.Blueprint()


@worker.function_name("activation_requests")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="activation-requests", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def activation_requests(message: func.ServiceBusMessage) -> None:
    """Do what a flow asks for by a message on the queue, or record why not."""
    from access.adapters.triggers import settle
    from access.model import Door
    from access.wire import Envelope
    from activation_handler.take_request import take_request

    ports = wiring.ports()

    async def work(raw: bytes, envelope: Envelope) -> None:
        await take_request(raw, envelope, door=Door.FLOW, ports=ports)

    await settle(message, "activation-requests", ports, work)


@worker.function_name("provisioning")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="provisioning", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def provisioning(message: func.ServiceBusMessage) -> None:
    """Give what was accepted, approved, or whose start is due."""
    from access.adapters.triggers import nudged
    from activation_handler.give import give

    await nudged(message, "provisioning", wiring.ports(), give)
