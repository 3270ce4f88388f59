"""Figures of the local tenant, with the real SDKs: revocation lag, throughput and cold start, each beside its floor.

Azurite answers some 200 calls a second, whoever asks: it is the limit of both, which is why there is a floor.
"""

import asyncio
import json
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path

import httpx
from azure.data.tables.aio import TableServiceClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from access.adapters import keys
from access.adapters.ledger import Ledger
from access.events import Event
from access.ids import activation_id, digest
from access.model import Door, Timing
from bench import plans, seeding
from bench.calls import Names
from bench.hosts import AT_ONCE
from bench.plans import Plan
from bench.replay import Order, Replayed, in_process
from bench.seeding import Held
from bench.upload import upload
from bench.world import FLOOR_CALLS, person, processor_seconds, role, seed, tenant
from local.tenant.tenant import Tenant
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA

PATIENCE = 600.0
REQUESTS = "activation-requests"
STARTS, TRANSACTION, POLL = 3, 100, 0.2
WARM_UP = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Beside:
    """Spans in seconds, ours and the floor's, and the processor time of each for one activation, in milliseconds."""

    ours: tuple[float, ...]
    floor: tuple[float, ...]
    processor: float
    floor_processor: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Memberships a second with so many hosts, and what as many processes of the SDKs alone come to."""

    hosts: int
    ours: float
    floor: float
    processor: float
    floor_processor: float


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of a host's process to its first decision on record: the fastest of some."""

    ours: float
    floor: float


async def lag(folder: Path, count: int) -> Beside:
    """Have ``count`` activations end in one second, on one warm host."""
    plan = await asyncio.to_thread(plans.of_ending)
    due_at = _in_whole_seconds(60 + count * 0.03)
    held = [Held(number, due_at) for number in range(count)]
    warm = [Held(count + number, due_at - WARM_UP) for number in range(AT_ONCE)]
    async with tenant(folder, seed(folder, people=0, held=[*held, *warm])) as started:
        await _write(started, [*held, *warm])
        await started.start("host")
        left = (due_at - datetime.now(UTC)).total_seconds()
        if left < WARM_UP.total_seconds():
            raise RuntimeError(f"the rows were written too late: {left:.0f} s before the end")
        await asyncio.sleep(left)
        used = -_used(started, "host")
        ended = await _instants(started, [one.activation for one in held], Event.REMOVAL_PROVEN)
        await _mails(started, len(held) + len(warm))
        used += _used(started, "host")
        await started.stop("host")

        await _give_again(started, held)
        at = _in_whole_seconds(10 + count * 0.01)
        names = [plan.names(one.activation, one.principal, one.target) for one in held]
        await _schedule(started, plan, names, at)
        floor = await in_process(Order(plan, tuple(names), started.settings, Event.REMOVAL_PROVEN))
    return Beside(
        tuple(instant - due_at.timestamp() for instant in ended),
        tuple(instant - at.timestamp() for instant in floor.done.values()),
        used / count * 1000,
        floor.processor / count * 1000,
    )


async def throughput(folder: Path, count: int) -> tuple[Rate, ...]:
    """Have ``count`` people ask at once, with one host and with two; then the floor with as many processes."""
    plan, measured, people = await asyncio.to_thread(plans.of_request), [], _People()
    async with tenant(folder, seed(folder, people=4 * count + 3 * AT_ONCE, held=())) as started:
        for hosts in (("host",), ("host", "second")):
            await started.start(hosts[-1])
            await _ask(started, people.next(AT_ONCE * len(hosts)))
            await _mails(started, people.taken)
            used = -_used(started, *hosts)
            asking = people.next(count)
            began = time.time()
            await _ask(started, asking)
            done = await _instants(started, [_id(started, number) for number in asking], Event.PROVISIONED)
            await _mails(started, people.taken)
            measured.append((count / (max(done) - began), (used + _used(started, *hosts)) / count * 1000))
        for name in ("second", "host"):
            await started.stop(name)
        rates = []
        for processes, (rate, used) in enumerate(measured, start=1):
            played, at = await _floor_of_requests(started, plan, people.next(count), processes)
            last = max(instant for one in played for instant in one.done.values())
            floor_used = sum(one.processor for one in played) / count * 1000
            rates.append(Rate(processes, rate, count / (last - at.timestamp()), used, floor_used))
    return tuple(rates)


async def cold_start(folder: Path) -> Start:
    """Start a host with a request already waiting, and a host whose one function makes the same calls by the SDKs alone."""
    plan, people = await asyncio.to_thread(plans.of_request), _People()
    ours, floor = [], []
    async with tenant(folder, seed(folder, people=2 * STARTS, held=())) as started:
        for _ in range(STARTS):
            (number,) = people.next(1)
            await _ask(started, [number])
            ours.append(await _first(started, "host", _id(started, number)))
            (number,) = people.next(1)
            names = _names(started, plan, number)
            (folder / FLOOR_CALLS).write_bytes(pickle.dumps(plan.first(names)))
            await _ask(started, [number])
            floor.append(await _first(started, "floor", names.other(plan.activation)))
    return Start(min(ours), min(floor))


@dataclass(slots=True)
class _People:
    """Hands out people who have not asked yet, by number."""

    taken: int = 0

    def next(self, count: int) -> range:
        first = self.taken
        self.taken += count
        return range(first, self.taken)


def _in_whole_seconds(seconds: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def _used(started: Tenant, *names: str) -> float:
    return sum(processor_seconds(started.process(name)) for name in names)


async def _first(started: Tenant, host: str, activation: str) -> float:
    """Start a host, and return the seconds until it has put an activation on record; then stop it."""
    began = time.time()
    await started.start(host)
    try:
        (at,) = await _instants(started, [activation], Event.ACCEPTED)
    finally:
        await started.stop(host)
    return at - began


# Ours


async def _write(started: Tenant, held: Sequence[Held]) -> None:
    """Write rows and messages as the ledger does, by the hundred."""
    tables, clock = FakeTables(), FakeClock(datetime.now(UTC))
    bus, timing = FakeBus(clock), Timing()
    store = Ledger(tables, bus, timing)
    for one in held:
        await seeding.write(one, ADA.id, store, timing=timing)
    seeding.forget_first_looks(tables)
    wanted = {"activations", "holds", "due"}
    async with TableServiceClient.from_connection_string(started.settings["LEDGER"]) as service:
        await upload(
            service,
            [(table, row) for (table, _), rows in tables.rows.items() for row in rows.values() if table in wanted],
        )
    later = [message for message in bus.sent if message.queue == "expirations"]
    await _send(
        started,
        "expirations",
        [ServiceBusMessage(one.body, message_id=one.message_id, scheduled_enqueue_time_utc=one.at) for one in later],
    )


async def _ask(started: Tenant, numbers: Sequence[int]) -> None:
    bodies = [
        {
            "version": 1,
            "action": "activate",
            "requestId": f"run-{number}",
            "requester": person(number).user_principal_name,
            "role": role().key,
            "justification": "Restore the finance share: INC0012345",
        }
        for number in numbers
    ]
    await _send(started, REQUESTS, [ServiceBusMessage(json.dumps(body).encode()) for body in bodies])


def _id(started: Tenant, number: int) -> str:
    return activation_id(
        tenant=started.settings["TENANT_ID"],
        principal=person(number).user_principal_name,
        door=Door.FLOW,
        source=REQUESTS,
        request=f"run-{number}",
    )


async def _instants(started: Tenant, activations: Sequence[str], event: Event) -> list[float]:
    """Wait until each activation has had an event, and return when it was written, by the clock of the tables."""
    limit, found = time.monotonic() + PATIENCE, []
    start, end = keys.EVENTS
    asked = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"
    async with TableServiceClient.from_connection_string(started.settings["LEDGER"]) as service:
        client = service.get_table_client("activations")
        await service.create_table_if_not_exists("activations")
        for activation in reversed(activations):
            at = None
            while at is None:
                values = {"partition": activation, "start": start, "end": end}
                async for row in client.query_entities(asked, parameters=values):
                    if row["event"] == event:
                        at = row.metadata["timestamp"]
                if at is None:
                    if time.monotonic() > limit:
                        raise RuntimeError(f"{activation} has had no {event} in {PATIENCE:.0f} s")
                    await asyncio.sleep(POLL)
            found.append(at.timestamp())
    return found


async def _mails(started: Tenant, count: int) -> None:
    """Wait until so many mails were sent: then nothing is left to do."""
    limit = time.monotonic() + PATIENCE
    async with httpx.AsyncClient(trust_env=False, base_url=_directory(started)) as http:
        while len((await http.get("/admin/mail")).json()) < count:
            if time.monotonic() > limit:
                raise RuntimeError(f"there were less than {count} mails in {PATIENCE:.0f} s")
            await asyncio.sleep(1)


# The floor


async def _give_again(started: Tenant, held: Sequence[Held]) -> None:
    async with httpx.AsyncClient(trust_env=False, base_url=_directory(started)) as http:
        for one in held:
            (await http.put(f"/admin/groups/{one.target.id}/members/{one.principal}")).raise_for_status()


def _names(started: Tenant, plan: Plan, number: int) -> Names:
    template, asking = person(seeding.TEMPLATE), person(number)
    activation = digest("floor", started.settings["TENANT_ID"], str(number))
    return plan.names(
        activation,
        asking.id,
        role().target,
        **{
            template.user_principal_name: asking.user_principal_name,
            str(template.employee_id): str(asking.employee_id),
        },
    )


async def _schedule(started: Tenant, plan: Plan, names: Sequence[Names], at: datetime) -> None:
    """Send the first message of each for one instant: then all are there at once, and the processes are warm."""
    bodies = [json.dumps({"activation": other.other(plan.activation)}).encode() for other in names]
    await _send(
        started, plan.deliveries[0].queue, [ServiceBusMessage(body, scheduled_enqueue_time_utc=at) for body in bodies]
    )


async def _floor_of_requests(
    started: Tenant, plan: Plan, numbers: Sequence[int], processes: int
) -> tuple[list[Replayed], datetime]:
    """Play the requests of some people, shared among processes that take what comes."""
    names, at = [_names(started, plan, number) for number in numbers], _in_whole_seconds(10 + len(numbers) * 0.01)
    await _schedule(started, plan, names, at)
    order = Order(plan, tuple(names), started.settings, Event.PROVISIONED)
    return await asyncio.gather(*(in_process(order) for _ in range(processes))), at


async def _send(started: Tenant, queue: str, messages: Sequence[ServiceBusMessage]) -> None:
    async with (
        ServiceBusClient.from_connection_string(started.settings["ServiceBus"]) as client,
        client.get_queue_sender(queue) as sender,
    ):
        for some in batched(messages, TRANSACTION, strict=False):
            await sender.send_messages(list(some))


def _directory(started: Tenant) -> str:
    return f"http://127.0.0.1:{started.ports.directory}"
