"""Plays a plan as fast as the SDKs go, in a process of its own: messages are received, their calls made, and completed.

As many at once as in a host. ``python -m bench.replay`` reads an ``Order`` on standard input, and prints what came of it.
"""

import asyncio
import json
import pickle
import sys
import time
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import asdict, dataclass, field

from azure.servicebus import ServiceBusReceivedMessage

from bench.calls import Delivery, Names, renamed
from bench.floor import Floor
from bench.hosts import AT_ONCE, ROOT
from bench.plans import Plan, commits

_WAIT = 1.0
"""Seconds that a receive waits for a message, as the local host does."""

_FIRST_WITHIN, _NEXT_WITHIN = 120.0, 8.0
"""Seconds after which a queue is taken to be empty for good: others may take from it too."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to play: a plan, for whom, and after which event of an activation it is done."""

    plan: Plan
    others: tuple[Names, ...]
    settings: Mapping[str, str]
    until: str


@dataclass(slots=True)
class Replayed:
    """When what counts was done, by activation, and the processor time that this process took for all of it."""

    done: dict[str, float] = field(default_factory=dict)
    processor: float = 0.0


async def in_process(order: Order) -> Replayed:
    """Play it in a process of its own, so that what it costs can be told from what else goes on here."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.replay"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(pickle.dumps(order))
    if process.returncode:
        raise RuntimeError("the floor could not be played; see above")
    return Replayed(**json.loads(output))


async def replay(order: Order) -> Replayed:
    """Do what the plan says for each of the others, once their first messages come."""
    plan, by_activation = order.plan, {names.other(order.plan.activation): names for names in order.others}
    replayed = Replayed()

    async def do(delivery: Delivery, activation: str) -> None:
        for call in delivery.calls:
            await floor.make_one(renamed(call, by_activation[activation]))
            if commits(call, order.until):
                replayed.done[activation] = time.time()

    async with Floor.open(order.settings) as floor:
        began = time.process_time()
        await asyncio.gather(*(_serve(floor, delivery, do, by_activation) for delivery in plan.deliveries))
        replayed.processor = time.process_time() - began
    return replayed


async def _serve(
    floor: Floor, delivery: Delivery, do: Callable[[Delivery, str], Awaitable[None]], known: Container[str]
) -> None:
    """Handle what comes on this queue, until nothing has come for a while; what is nobody's we know is completed."""
    async with floor.bus.get_queue_receiver(delivery.queue) as receiver:
        settling, working = asyncio.Lock(), set[asyncio.Task[None]]()
        over_at = time.monotonic() + _FIRST_WITHIN

        async def handle(message: ServiceBusReceivedMessage) -> None:
            activation = str(json.loads(b"".join(message.body)).get("activation"))
            if activation in known:
                await do(delivery, activation)
            async with settling:
                await receiver.complete_message(message)

        while time.monotonic() < over_at:
            for message in await receiver.receive_messages(1, max_wait_time=_WAIT):
                over_at = time.monotonic() + _NEXT_WITHIN
                working.add(asyncio.create_task(handle(message)))
            if len(working) == AT_ONCE:
                await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in working if task.done()]:
                working.remove(task)
                task.result()
        await asyncio.gather(*working)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(replay(pickle.load(sys.stdin.buffer))))))  # noqa: S301 - from our own parent
