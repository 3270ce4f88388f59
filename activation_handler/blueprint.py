"""Queue `activation-requests` -> `request_activation`; queue `provisioning` -> `give`."""

import azure.functions as func

from access.adapters import wiring

worker = func.Blueprint()


@worker.function_name("activation_requests")
@worker.service_bus_queue_trigger(
    arg_name="message", queue_name="activation-requests", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def activation_requests(message: func.ServiceBusMessage) -> None:
    """Decide about a request that a flow put on the queue."""
    from access.adapters.triggers import settle
    from access.model import Door
    from access.wire import Envelope
    from activation_handler.request_activation import request_activation

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
    from access.adapters.triggers import nudged
    from activation_handler.give import give

    await nudged(message, "provisioning", wiring.ports(), give)
