"""The processor time that our own code takes for an activation: everything in memory, and the same calls without our code."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import timedelta

from access.model import Target
from access.ports import Mail
from bench import plans
from bench.calls import PEEK, Call, renamed
from bench.hosts import Hosts
from bench.outside import CountedMailer, CountedTables, QuotaDirectory, TimedBus
from bench.virtual_time import VirtualClock, run
from bench.world import person, role
from tests.fakes.tenant import ELIGIBLE, GROUP

COUNT = 400
LASTS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Processor:
    """Milliseconds for one activation, from its request to its proven end; the floor is the fakes alone."""

    ours: float
    floor: float


def measure(count: int = COUNT) -> Processor:
    """Have ``count`` people ask at once, and hold what they get for half an hour."""
    ours = run(_lives(count))
    plan = run(plans.whole_life())
    floor = run(_calls(plan, count))
    return Processor(ours / count * 1000, floor / count * 1000)


async def _lives(count: int) -> float:
    hosts = Hosts()
    tenant = hosts.tenants[0]
    for number in range(count):
        asking = person(number)
        tenant.directory.add_account(asking)
        tenant.directory.put_member(ELIGIBLE, asking.id)
    await tenant.open(approval=None)
    async with hosts:
        await asyncio.sleep(1)
        began = time.thread_time()
        for number in range(count):
            tenant.ask(
                message_id=f"m-{number}",
                requestId=f"run-{number}",
                requester=person(number).user_principal_name,
                principal=None,
                duration="PT30M",
            )
        await asyncio.sleep(LASTS.total_seconds() + 300)
        took = time.thread_time() - began
    if hosts.directory.groups[GROUP] or hosts.directory.writes != 2 * count:
        raise RuntimeError("not everybody was given the role and lost it again")
    return took


async def _calls(plan: plans.Plan, count: int) -> float:
    """Make the calls of one life so often, each for another activation; what they are is prepared before."""
    clock = VirtualClock()
    tables, bus, directory, mailer = CountedTables(), TimedBus(clock), QuotaDirectory(clock), CountedMailer()
    directory.add_group(GROUP, "Target")
    everything: list[Call] = []
    for number in range(count):
        asking = person(number)
        directory.add_account(asking)
        names = plan.names(f"{number:032x}", asking.id, role().target)
        everything += [renamed(call, names) for delivery in plan.deliveries for call in delivery.calls]
    began = time.thread_time()
    for call in everything:
        match call.to:
            case "tables":
                await _table(call, tables)
            case "bus" if not call.what.startswith(PEEK):
                await bus.send(call.queue, json.loads(call.body), message_id="m", correlation_id="c")
            case "directory":
                await _ask(call, directory, mailer)
            case _:
                pass
    return time.thread_time() - began


async def _table(call: Call, tables: CountedTables) -> None:
    if call.operations:
        await tables.write(call.table, call.operations)
    elif call.end:
        async for _ in tables.query(call.table, call.partition, start=call.key, end=call.end):
            pass
    else:
        await tables.get(call.table, call.partition, call.key)


async def _ask(call: Call, directory: QuotaDirectory, mailer: CountedMailer) -> None:
    one, *rest = call.arguments or ("",)
    target = Target(role().target.source, rest[0]) if rest else role().target
    match call.what:
        case "account":
            await directory.account(one)
        case "linked_accounts":
            await directory.linked_accounts(one)
        case "groups_among":
            await directory.groups_among(one, rest)
        case "target_exists":
            await directory.target_exists(target)
        case "presence":
            await directory.presence(one, target)
        case "assign":
            await directory.assign(one, target, deadline=float("inf"))
        case "remove":
            await directory.remove(one, target, deadline=float("inf"))
        case _:
            said = json.loads(call.body)
            await mailer.send(Mail(to=said["to"], subject="", html=said["html"]), deadline=float("inf"))
