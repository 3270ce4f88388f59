"""Brokers to test: one without sockets whose clock stands still, and one that the SDK can talk to."""

from collections.abc import Iterator

import pytest

from local.service_bus.semantics.broker import Broker
from local.service_bus.testing import RunningBroker

from .samples import TOPOLOGY, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock) -> Broker:
    return Broker(TOPOLOGY, clock=clock)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningBroker]:
    with RunningBroker(topology=TOPOLOGY) as running:
        yield running


@pytest.fixture
def clean(running: RunningBroker) -> None:
    """A broker that holds no message and knows no fault."""

    def clean(broker: Broker) -> None:
        broker.faults.clear()
        for entity in broker.entities():
            entity.purge()

    running.call(clean)
