"""What a floor is to do: the calls of one activation, message by message, recorded in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from access import ids
from access.adapters import keys
from access.adapters.ledger import Ledger
from access.model import Target
from bench import seeding
from bench.calls import SWEEP, TICKS, Call, Delivery, Names, renamed
from bench.hosts import Hosts
from bench.seeding import Held
from bench.virtual_time import run
from bench.world import person, role
from tests.fakes.tenant import ADA, ELIGIBLE


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls by the queue of the message they were made for; ``ids`` stand in them, and are replaced for each other one."""

    deliveries: tuple[Delivery, ...]
    activation: str
    principal: str
    target: Target

    def first(self, names: Names) -> list[Call]:
        """Return what is done for the first message, for other ids."""
        return [renamed(call, names) for call in self.deliveries[0].calls]

    def names(self, activation: str, principal: str, target: Target, **more: str) -> Names:
        """Return what to put instead of the ids of the plan."""
        instead = {
            self.activation: activation,
            self.principal: principal,
            ids.hold_id(self.principal, self.target): ids.hold_id(principal, target),
            self.target.id: target.id,
            **more,
        }
        return Names(instead, keys.shard(activation))


def commits(call: Call, event: str) -> bool:
    """Whether this call is the commit of an event."""
    rows = (getattr(operation, "row", None) for operation in call.operations)
    return any(row is not None and row.values.get("event") == event for row in rows)


def of_ending() -> Plan:
    """Return what the end of an activation takes: the removal, its proof, and the mail."""
    return run(_ending())


def of_request() -> Plan:
    """Return what it takes from a request to a membership, and the mail."""
    return run(_request())


async def _ending() -> Plan:
    async with Hosts(keep=True) as hosts:
        held = Held(seeding.TEMPLATE, hosts.clock.now() + seeding.HELD_FOR)
        hosts.directory.add_group(held.target.id, "Target", held.principal)
        timing = hosts.tenants[0].ports.timing
        await seeding.write(held, ADA.id, Ledger(hosts.tables, hosts.bus, timing), timing=timing)
        await asyncio.sleep(seeding.HELD_FOR.total_seconds() + 20)
        return Plan(_handled(hosts.deliveries), held.activation, held.principal, held.target)


async def _request() -> Plan:
    return await _asked(timedelta(seconds=20))


async def whole_life() -> Plan:
    """Return what is done for somebody who asks for half an hour of a role that is given at once, until it is proven gone."""
    return await _asked(timedelta(minutes=35))


async def _asked(watched: timedelta) -> Plan:
    async with Hosts(keep=True) as hosts:
        tenant, asking = hosts.tenants[0], person(seeding.TEMPLATE)
        tenant.directory.add_account(asking)
        tenant.directory.put_member(ELIGIBLE, asking.id)
        await tenant.open(approval=None, default_duration=timedelta(hours=4))
        tenant.ask(requester=asking.user_principal_name, principal=None, duration="PT30M")
        await asyncio.sleep(watched.total_seconds())
        activation = await tenant.activation()
        return Plan(_handled(hosts.deliveries), activation.id, asking.id, role().target)


def _handled(deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    return tuple(delivery for delivery in deliveries if delivery.queue not in {SWEEP, TICKS})
