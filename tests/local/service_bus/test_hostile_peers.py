"""What peers may do wrong: it ends their own connection with an AMQP error, and nobody else's."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.service_bus.codec.frames import EMPTY_FRAME, Protocol, encode_frame
from local.service_bus.codec.message import Section, encode_section
from local.service_bus.codec.performatives import (
    ROLE_RECEIVER,
    ROLE_SENDER,
    Accepted,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    Flow,
    Open,
    Rejected,
    Transfer,
)
from local.service_bus.network.limits import MAX_FRAME_SIZE, MAX_MESSAGE_SIZE, MAX_UNFINISHED
from local.service_bus.storage import Storage
from local.service_bus.testing import RunningBroker

from .peer import attach, connect, session, transfer
from .samples import TOPOLOGY, encoded_message, held, publish

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("clean")]

PATIENCE = 5.0  # seconds
IDLE_TIMEOUT = 0.3  # seconds


@pytest.fixture(scope="module")
def running() -> Iterator[RunningBroker]:
    with RunningBroker(topology=TOPOLOGY, idle_timeout=2) as running:
        yield running


def credit(amount: int, *, drain: bool = False) -> Flow:
    return Flow(
        next_incoming_id=0,
        incoming_window=1000,
        next_outgoing_id=0,
        outgoing_window=1000,
        handle=0,
        delivery_count=0,
        link_credit=amount,
        drain=drain,
    )


async def still_serves(running: RunningBroker) -> None:
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_SENDER), transfer(encoded_message(b"Ada asks")))
        assert isinstance((await peer.hear(Disposition)).state, Accepted)


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        pytest.param(b"\xff\xff\xff\xff\x02\x00\x00\x00", "amqp:connection:framing-error", id="an oversized frame"),
        pytest.param(b"\x00\x00\x00\x04\x02\x00\x00\x00", "amqp:connection:framing-error", id="an undersized frame"),
        pytest.param(b"\x00\x00\x00\x0c\x02\x00\x00\x00\xff\xff\xff\xff", "amqp:decode-error", id="garbage"),
        pytest.param(encode_frame(0, Accepted()), "amqp:not-allowed", id="an outcome where a performative belongs"),
        pytest.param(encode_frame(9, credit(1)), "amqp:not-allowed", id="a channel without a session"),
        pytest.param(encode_frame(0, credit(1)), "amqp:session:unattached-handle", id="a handle without a link"),
        pytest.param(encode_frame(0, Open(container_id="Eve")), "amqp:not-allowed", id="a second open"),
        pytest.param(
            encode_frame(64, Begin(next_outgoing_id=0, incoming_window=1, outgoing_window=1)),
            "amqp:not-allowed",
            id="a channel beyond the limit",
        ),
        pytest.param(
            encode_frame(0, attach(handle=256, role=ROLE_SENDER)), "amqp:session:handle-in-use", id="a handle too high"
        ),
    ],
)
async def test_a_malformed_frame_closes_its_own_connection_with_an_error(
    running: RunningBroker, said: bytes, condition: str
) -> None:
    async with session(running.port) as bystander, session(running.port) as peer:
        peer.say(said)

        close = await peer.hear(Close)
        assert close.error is not None
        assert close.error.condition == condition
        assert await peer.is_shut()
        bystander.say(attach(role=ROLE_SENDER), transfer(encoded_message(b"Ada asks")))
        assert isinstance((await bystander.hear(Disposition)).state, Accepted)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x02\x01\x00\x00", b"\x00" * 8])
async def test_another_protocol_is_turned_away(running: RunningBroker, said: bytes) -> None:
    async with connect(running.port) as peer:
        peer.say(said)

        assert await peer.is_shut()
    await still_serves(running)


async def test_an_unknown_sasl_mechanism_is_turned_away(running: RunningBroker) -> None:
    init = b"\x00\x53\x41\xc0\x07\x01\xa3\x04GUES"
    async with connect(running.port) as peer:
        peer.say(Protocol.SASL.header, (8 + len(init)).to_bytes(4) + b"\x02\x01\x00\x00" + init)

        assert await peer.is_shut()


async def test_a_message_of_several_transfers_is_put_together(running: RunningBroker) -> None:
    raw = encoded_message(b"x" * 150_000)
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_SENDER))
        for start in range(0, len(raw), 60_000):
            peer.say(transfer(raw[start : start + 60_000], more=start + 60_000 < len(raw)))

        assert isinstance((await peer.hear(Disposition)).state, Accepted)
    assert held(running, "requests") == [(b"x" * 150_000, "ACTIVE")]


async def test_an_endless_message_is_refused_and_the_link_goes_on(running: RunningBroker) -> None:
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_SENDER))
        for _ in range(2 * MAX_MESSAGE_SIZE // 60_000):
            peer.say(transfer(b"x" * 60_000, more=True))
        peer.say(transfer(b"the end"))

        state = (await peer.hear(Disposition)).state
        assert isinstance(state, Rejected)
        assert state.error is not None
        assert state.error.condition == "amqp:link:message-size-exceeded"
        peer.say(transfer(encoded_message(), delivery_id=1))
        assert isinstance((await peer.hear(Disposition)).state, Accepted)


async def test_many_unfinished_messages_close_the_connection(running: RunningBroker) -> None:
    async with session(running.port) as peer:
        for handle in range(MAX_UNFINISHED // MAX_MESSAGE_SIZE + 2):
            peer.say(attach(handle=handle, role=ROLE_SENDER))
            for _ in range(MAX_MESSAGE_SIZE // 60_000):
                peer.say(transfer(b"x" * 60_000, delivery_id=handle, handle=handle, more=True))

        close = await peer.hear(Close)
        assert close.error is not None
        assert close.error.condition == "amqp:resource-limit-exceeded"


async def test_what_is_not_a_message_is_refused_and_the_link_goes_on(running: RunningBroker) -> None:
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_SENDER), transfer(b"not a message"))

        state = (await peer.hear(Disposition)).state
        assert isinstance(state, Rejected)
        assert state.error is not None
        assert state.error.condition == "amqp:decode-error"
        peer.say(transfer(encoded_message(), delivery_id=1))
        assert isinstance((await peer.hear(Disposition)).state, Accepted)


async def test_a_receiver_that_does_not_read_is_not_sent_more_than_its_share(running: RunningBroker) -> None:
    publish(running, *[b"x" * 200_000] * 60)
    async with session(running.port, max_frame_size=MAX_FRAME_SIZE) as peer:
        peer.say(attach(role=ROLE_RECEIVER), credit(1000))
        await peer.hear(Transfer)

        locked = running.call(lambda broker: sum(bool(m.lock) for m in broker.queue("requests").messages.values()))

        # What fits into our buffer and the system's: the rest waits in the queue, not in memory a second time.
        assert locked < 60
        received = 1
        while received < 60:
            received += not (await peer.hear(Transfer)).more


async def test_a_window_that_is_closed_is_waited_for(running: RunningBroker) -> None:
    publish(running, b"1", b"2")
    async with connect(running.port) as peer:
        peer.say(Protocol.AMQP.header, Open(container_id="Dee"))
        peer.say(Begin(next_outgoing_id=0, incoming_window=1, outgoing_window=1), attach(role=ROLE_RECEIVER))
        narrow = credit(10)
        narrow.incoming_window = 1
        peer.say(narrow)
        await peer.hear_header()
        assert (await peer.hear(Transfer)).delivery_id == 0

        narrow.next_incoming_id = 1
        narrow.delivery_count, narrow.link_credit = 1, 9
        peer.say(narrow)

        assert (await peer.hear(Transfer)).delivery_id == 1


async def test_a_drained_link_has_no_credit_left(running: RunningBroker) -> None:
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_RECEIVER), credit(10, drain=True))

        flow = await peer.hear(Flow)

        assert (flow.delivery_count, flow.link_credit, flow.drain) == (10, 0, True)


async def test_settling_what_is_not_there_answers_lock_lost(running: RunningBroker) -> None:
    publish(running, b"Ada asks")
    async with session(running.port) as peer:
        peer.say(attach(role=ROLE_RECEIVER), credit(1))
        await peer.hear(Transfer)
        settle = Disposition(role=ROLE_RECEIVER, first=0, state=Accepted())

        peer.say(settle)
        assert isinstance((await peer.hear(Disposition)).state, Accepted)
        peer.say(settle)
        state = (await peer.hear(Disposition)).state

        assert isinstance(state, Rejected)
        assert state.error is not None
        assert state.error.condition == "com.microsoft:message-lock-lost"
        peer.say(Disposition(role=ROLE_RECEIVER, first=0, last=2**32 - 1, state=Accepted()))
        peer.say(Detach(handle=0, closed=True))
        assert (await peer.hear(Detach)).error is None


async def test_a_silent_peer_is_taken_for_dead_and_one_that_says_nothing_in_frames_is_not() -> None:
    with RunningBroker(topology=TOPOLOGY, idle_timeout=IDLE_TIMEOUT) as running:
        async with session(running.port) as silent, session(running.port) as alive:
            closing = asyncio.create_task(silent.hear(Close))
            while not closing.done():
                alive.say(EMPTY_FRAME)
                await asyncio.wait({closing}, timeout=IDLE_TIMEOUT / 4)

            error = closing.result().error
            assert error is not None
            assert error.condition == "amqp:connection:forced"
            alive.say(attach(role=ROLE_SENDER), transfer(encoded_message()))
            assert isinstance((await alive.hear(Disposition)).state, Accepted)


async def test_a_client_with_a_time_out_hears_empty_frames(running: RunningBroker) -> None:
    async with connect(running.port) as peer:
        peer.say(Protocol.AMQP.header, Open(container_id="Dee", idle_time_out=200))
        await peer.hear_header()
        size = int.from_bytes(await peer.hear_raw(4))
        await peer.hear_raw(size - 4)

        assert await peer.hear_raw(2 * len(EMPTY_FRAME)) == EMPTY_FRAME * 2


async def test_what_can_not_be_kept_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def send_and_listen(running: RunningBroker) -> None:
        async with session(running.port) as peer:
            monkeypatch.setattr(Storage, "commit", fail)
            peer.say(attach(role=ROLE_SENDER), transfer(encoded_message()))
            with pytest.raises((ConnectionError, AssertionError)):
                await peer.hear(Disposition)

    with pytest.raises(sqlite3.OperationalError, match="full"), RunningBroker(topology=TOPOLOGY, data=tmp_path) as full:
        await send_and_listen(full)


async def test_a_request_to_management_that_makes_no_sense_is_answered(running: RunningBroker) -> None:
    request = (
        encode_section(Section.PROPERTIES, ["request-1"])
        + encode_section(Section.APPLICATION_PROPERTIES, {"operation": "com.microsoft:peek-message"})
        + encode_section(Section.VALUE, {"message-count": "many"})
    )
    async with session(running.port) as peer:
        peer.say(attach(handle=0, role=ROLE_SENDER, path="requests/$management"), transfer(request))
        assert isinstance((await peer.hear(Disposition)).state, Rejected)
        peer.say(attach(handle=1, role=ROLE_RECEIVER, path="requests/$management"))
        await peer.hear(Attach)

        peer.say(transfer(request, delivery_id=1))

        assert (await peer.hear(Transfer)).settled
