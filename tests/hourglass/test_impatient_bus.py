"""A person at the terminal waits for no queue: after one fault the sends that follow fail at once, for a while."""

from datetime import timedelta

import pytest

from access.errors import TryAgain
from hourglass.impatient_bus import PAUSE, ImpatientBus
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock


class CountingBus(FakeBus):
    """Counts what is tried."""

    tries = 0

    async def send(self, *arguments: object, **more: object) -> None:
        self.tries += 1
        await super().send(*arguments, **more)  # type: ignore[arg-type] # as they came


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> CountingBus:
    return CountingBus(clock)


async def send(bus: ImpatientBus, message_id: str) -> None:
    await bus.send("notifications", {"version": 1}, message_id=message_id, correlation_id="run-1")


async def test_what_can_be_sent_is_sent_as_it_is(bus: CountingBus, clock: FakeClock) -> None:
    at = clock.now() + timedelta(minutes=1)

    await ImpatientBus(bus, clock).send("expirations", {"version": 1}, message_id="m-1", correlation_id="run-1", at=at)

    (sent,) = bus.sent
    assert (sent.queue, sent.body, sent.message_id, sent.correlation_id, sent.at) == (
        "expirations",
        b'{"version": 1}',
        "m-1",
        "run-1",
        at,
    )


async def test_after_a_fault_nothing_is_tried_for_a_while_and_then_again(bus: CountingBus, clock: FakeClock) -> None:
    impatient = ImpatientBus(bus, clock)
    bus.down = True
    for number in range(3):
        with pytest.raises(TryAgain) as raised:
            await send(impatient, f"m-{number}")
        assert raised.value.fault
    assert bus.tries == 1

    bus.down = False
    clock.advance(PAUSE)
    await send(impatient, "m-3")

    assert [message.message_id for message in bus.sent] == ["m-3"]
