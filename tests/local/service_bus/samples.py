"""What the broker's tests share: a topology, messages, a clock that stands still, and a receiver without a socket."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from local.service_bus.codec.message import Content, Section, encode_section, parse_message
from local.service_bus.codec.values import Symbol, Timestamp, UByte, UInt
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import BrokerError
from local.service_bus.semantics.message import Message
from local.service_bus.semantics.topology import Topology
from local.service_bus.testing import RunningBroker

LOCK = 60.0  # seconds
ONE_DAY = 86_400.0  # seconds
NOON = 1_800_000_000.0  # seconds since 1970


def queue(name: str, **properties: Any) -> dict[str, Any]:
    given = {"LockDuration": "PT1M", "MaxDeliveryCount": 3, **properties}
    return {"Name": name, "Properties": given}


def config(*, queues: list[dict[str, Any]], topics: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues, "Topics": topics or []}]}}


TOPOLOGY = Topology.of(
    config(
        queues=[
            queue("requests", DefaultMessageTimeToLive="P1D", DeadLetteringOnMessageExpiration=True),
            queue("notices", DefaultMessageTimeToLive="P1D"),
            queue("forever"),
        ],
        topics=[
            {
                "Name": "events",
                "Properties": {"DefaultMessageTimeToLive": "PT1H"},
                "Subscriptions": [queue("flows"), queue("audit", DefaultMessageTimeToLive="PT5M")],
            },
            {"Name": "unread", "Properties": {}, "Subscriptions": []},
        ],
    )
)


def encoded_message(
    body: bytes = b"Ada asks",
    *,
    message_id: str | None = None,
    time_to_live: float | None = None,
    scheduled_at: float | None = None,
    application_properties: dict[str, Any] | None = None,
) -> bytes:
    parts = []
    if time_to_live is not None:
        parts.append(encode_section(Section.HEADER, [True, UByte(4), UInt(round(time_to_live * 1000))]))
    if scheduled_at is not None:
        annotations = {Symbol("x-opt-scheduled-enqueue-time"): Timestamp(round(scheduled_at * 1000))}
        parts.append(encode_section(Section.MESSAGE_ANNOTATIONS, annotations))
    if message_id is not None:
        parts.append(encode_section(Section.PROPERTIES, [message_id]))
    if application_properties is not None:
        parts.append(encode_section(Section.APPLICATION_PROPERTIES, application_properties))
    parts.append(encode_section(Section.DATA, body))
    return b"".join(parts)


def content(body: bytes = b"Ada asks", **given: Any) -> Content:
    return parse_message(encoded_message(body, **given))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def pass_time(broker: Broker, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    broker.run_due()


class Receiver:
    """A consumer that keeps what it gets, as long as its credit lasts."""

    def __init__(self, broker: Broker, path: str, *, credit: int = 100, settles_on_delivery: bool = False) -> None:
        self.credit = credit
        self.settles_on_delivery = settles_on_delivery
        self.received: list[Message] = []
        self.delays: list[float] = []
        self.detached_because: BrokerError | None = None
        self._queue = broker.queue(path)
        self._queue.add_consumer(self)
        self._queue.pump()

    def wants_message(self) -> bool:
        return self.credit > 0

    def deliver(self, message: Message, *, after: float) -> None:
        self.credit -= 1
        self.received.append(message)
        self.delays.append(after)

    def detach(self, error: BrokerError) -> None:
        self.detached_because = error

    def leave(self) -> None:
        self._queue.remove_consumer(self)

    def bodies(self) -> list[bytes]:
        return [message.content.body() for message in self.received]


def token_of(message: Message) -> UUID:
    assert message.lock is not None
    return message.lock.token


# The SDK's links are made without its keep-alive thread, which sleeps for up to a second when a link closes.
QUICK: dict[str, Any] = {"keep_alive": 0}


def publish(running: RunningBroker, *bodies: bytes, path: str = "requests", **given: Any) -> None:
    running.call(lambda broker: broker.publish(path, [content(body, **given) for body in bodies]))


def held(running: RunningBroker, path: str) -> list[tuple[bytes, str]]:
    """Return the bodies and states of all messages at a path."""
    return running.call(
        lambda broker: [(message.content.body(), message.state.name) for message in broker.entity(path).peek(0, 1000)]
    )


def dead_letter_reasons(running: RunningBroker, path: str) -> list[tuple[str | None, str | None]]:
    def reasons(broker: Broker) -> list[tuple[str | None, str | None]]:
        letters = broker.queue(f"{path}/$DeadLetterQueue").peek(0, 1000)
        return [(each.dead_letter.reason, each.dead_letter.description) for each in letters if each.dead_letter]

    return running.call(reasons)


def in_an_hour(running: RunningBroker) -> datetime:
    """Return an instant that is an hour away by the broker's clock."""
    return datetime.fromtimestamp(running.call(lambda broker: broker.clock()) + 3600, UTC)
