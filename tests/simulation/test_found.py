"""What the simulation found, each as a short story of its own."""

from datetime import timedelta

import pytest

from access.errors import TryAgain
from access.model import State
from tests.fakes.tenant import FakeTenant

MINUTE = timedelta(minutes=1)
OUTAGE = [TryAgain("the directory (503)", after=timedelta(seconds=5), fault=True)]


def fits(tenant: FakeTenant, minutes: int) -> bool:
    """Whether the bus took no more than a try each five seconds, as often again by the sweep, and a few more."""
    return len(tenant.bus.sent) <= 10 + 30 * minutes and len(tenant.bus.messages) <= 10


@pytest.mark.parametrize("call", ["target_exists", "account", "presence"])
async def test_messages_do_not_breed_while_the_directory_is_out(tenant: FakeTenant, call: str) -> None:
    await tenant.open(approval=None)
    tenant.ask(start="2026-03-02T09:05:00Z")
    await tenant.run()
    await tenant.run_for(4 * MINUTE)
    tenant.directory.faults[call] = OUTAGE * 100_000

    await tenant.run_for(20 * MINUTE)

    assert fits(tenant, 20)
    tenant.directory.faults.clear()
    await tenant.run_for(20 * MINUTE)
    assert (await tenant.activation()).state is State.ACTIVE


async def test_messages_do_not_breed_while_a_removal_fails(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    tenant.directory.faults["remove"] = OUTAGE * 100_000

    await tenant.run_for(timedelta(hours=5))

    assert len(tenant.bus.sent) < 150
    tenant.directory.faults.clear()
    await tenant.run_for(20 * MINUTE)
    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()
