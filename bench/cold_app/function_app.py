"""The floor of a cold start: an app whose one function makes the calls that it is told, by the SDKs alone."""

import azure.functions as func

app = func.FunctionApp()


@app.function_name("floor")
@app.service_bus_queue_trigger(
    arg_name="message", queue_name="activation-requests", connection="ServiceBus", data_type=func.DataType.BINARY
)
async def floor(message: func.ServiceBusMessage) -> None:  # noqa: ARG001 - what to do does not stand in it
    """Make the calls of one first decision."""
    import os  # noqa: PLC0415 - as the real app: indexing loads nothing
    import pickle  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from bench.floor import Floor  # noqa: PLC0415

    calls = pickle.loads(Path(os.environ["FLOOR_CALLS"]).read_bytes())  # noqa: ASYNC240, S301 - our own, and small
    async with Floor.open(os.environ) as sdks:
        for call in calls:
            await sdks.make_one(call)
