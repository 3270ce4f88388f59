"""The two kinds of link: what a client sends on, and what it receives on."""

import asyncio
from collections.abc import Callable
from typing import Protocol
from uuid import UUID, uuid4

from local.service_bus.codec.performatives import (
    SETTLED_BY_SENDER,
    Attach,
    DeliveryState,
    Flow,
    Rejected,
    Transfer,
)
from local.service_bus.codec.values import CodecError
from local.service_bus.network.errors import MessageTooLargeError, ProtocolViolationError, amqp_error
from local.service_bus.network.limits import MAX_MESSAGE_SIZE, SENDER_CREDIT
from local.service_bus.semantics.errors import BrokerError, LinkDetachForcedError
from local.service_bus.semantics.message import Message
from local.service_bus.semantics.queue import Queue


class Sending(Protocol):
    """What a link needs of its session to reach the client."""

    def has_room(self) -> bool:
        """Return whether the client takes more bytes now."""

    def send_delivery(self, handle: int, tag: bytes, raw: bytes, settled_by: "tuple[Queue, UUID] | None") -> None:
        """Send a message; ``settled_by`` says whose lock its settlement ends, None that it is settled."""

    def send_flow(self, *, handle: int, delivery_count: int, credit: int, drain: bool) -> None:
        """Tell the client where the link's credit stands."""

    def send_outcome(self, delivery_id: int, state: DeliveryState) -> None:
        """Tell the client what has become of a delivery that it sent."""

    def send_detach(self, handle: int, error: BrokerError) -> None:
        """End a link."""

    def count_unfinished(self, size: int) -> None:
        """Account for ``size`` more bytes (or fewer) of unfinished messages on the connection."""


class Link:
    """What both kinds have: a handle, and an end. A detached link only waits for the client to say so too."""

    def __init__(self, session: Sending, attach: Attach) -> None:
        self.handle = attach.handle
        self.detached = False
        self._session = session

    def detach(self, error: BrokerError) -> None:
        """End the link from our side; what still comes on it is ignored."""
        if not self.detached:
            self.let_go()
            self._session.send_detach(self.handle, error)

    def let_go(self) -> None:
        """Give back what the link holds."""
        self.detached = True


# What takes a message off an incoming link: it returns the outcome, and the seconds to wait before telling it.
type Intake = Callable[[bytes, int], tuple[DeliveryState, float]]


class IncomingLink(Link):
    """A client sends on it. Puts messages together out of transfers, and acknowledges them."""

    def __init__(self, session: Sending, attach: Attach, intake: Intake) -> None:
        super().__init__(session, attach)
        self._intake = intake
        self._credit = 0
        self._delivery_count = attach.initial_delivery_count or 0
        self._first: Transfer | None = None
        self._buffer = bytearray()
        self._oversized = False

    def grant(self) -> None:
        """Let the client send, again and again."""
        if self._credit <= SENDER_CREDIT // 2:
            self._credit = SENDER_CREDIT
            self._session.send_flow(
                handle=self.handle, delivery_count=self._delivery_count, credit=self._credit, drain=False
            )

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take a part of a message; at the last part, the message.

        Raises:
            ProtocolViolationError: there was no credit, or the first transfer has no delivery id.
        """
        if self._first is None:
            if self._credit <= 0:
                raise ProtocolViolationError("amqp:link:transfer-limit-exceeded", "There is no credit for a transfer.")
            if transfer.delivery_id is None:
                raise ProtocolViolationError("amqp:invalid-field", "The first transfer of a delivery lacks its id.")
            self._first = transfer
            self._oversized = False
        if len(self._buffer) + len(payload) > MAX_MESSAGE_SIZE:
            self._oversized = True
            self._clear()
        elif not self._oversized:
            self._session.count_unfinished(len(payload))
            self._buffer += payload
        if transfer.aborted or not transfer.more:
            self._finish(self._first, aborted=transfer.aborted, settled=bool(transfer.settled))

    def let_go(self) -> None:
        """Give back what the link holds."""
        super().let_go()
        self._clear()

    def _finish(self, first: Transfer, *, aborted: bool, settled: bool) -> None:
        raw, oversized = bytes(self._buffer), self._oversized
        self._first = None
        self._clear()
        self._delivery_count += 1
        self._credit -= 1
        if not aborted:
            try:
                state, delay = self._take(raw, first.message_format or 0, oversized=oversized)
            except LinkDetachForcedError as error:
                self.detach(error)
                return
            if not (settled or first.settled):
                self._acknowledge(first.delivery_id or 0, state, delay)
        self.grant()

    def _take(self, raw: bytes, message_format: int, *, oversized: bool) -> tuple[DeliveryState, float]:
        try:
            if oversized:
                raise MessageTooLargeError(f"The message is larger than the {MAX_MESSAGE_SIZE} bytes that are taken.")
            return self._intake(raw, message_format)
        except LinkDetachForcedError:
            raise
        except BrokerError as error:
            return Rejected(error=amqp_error(error)), 0
        except CodecError as error:
            refusal = ProtocolViolationError("amqp:decode-error", str(error))
            return Rejected(error=amqp_error(refusal)), 0

    def _acknowledge(self, delivery_id: int, state: DeliveryState, delay: float) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self._session.send_outcome, delivery_id, state)
        else:
            self._session.send_outcome(delivery_id, state)

    def _clear(self) -> None:
        self._session.count_unfinished(-len(self._buffer))
        self._buffer.clear()


class OutgoingLink(Link):
    """A client receives on it: from a queue as one of its consumers, or (without a queue) answers to its requests."""

    def __init__(self, session: Sending, attach: Attach, queue: Queue | None) -> None:
        super().__init__(session, attach)
        self._queue = queue
        self._settled = attach.snd_settle_mode == SETTLED_BY_SENDER
        self._credit = 0
        self._delivery_count = 0

    @property
    def settles_on_delivery(self) -> bool:
        """Whether a message is gone once it is delivered (receive-and-delete)."""
        return self._settled

    def wants_message(self) -> bool:
        """Return whether the client has given credit and takes more bytes now."""
        return self._credit > 0 and not self.detached and self._session.has_room()

    def deliver(self, message: Message, *, after: float) -> None:
        """Send a message of the queue, ``after`` seconds from now."""
        self._credit -= 1
        self._delivery_count += 1
        raw, token = message.encoded(), message.lock.token if message.lock else None
        if after:
            asyncio.get_running_loop().call_later(after, self._send, raw, token)
        else:
            self._send(raw, token)

    def _send(self, raw: bytes, token: UUID | None) -> None:
        # When a delayed delivery finds its link gone, its lock expires in time, as in Service Bus.
        if not self.detached:
            settled_by = (self._queue, token) if self._queue and token else None
            self._session.send_delivery(self.handle, (token or uuid4()).bytes_le, raw, settled_by)

    def respond(self, raw: bytes) -> None:
        """Send the answer to a request.

        The SDK gives credit for 10,000 answers and never more, so credit is not waited for.
        """
        self._delivery_count += 1
        self._credit -= 1
        self._session.send_delivery(self.handle, uuid4().bytes_le, raw, None)

    def on_flow(self, flow: Flow) -> None:
        """Take the client's credit, and send what it allows."""
        if flow.link_credit is not None:
            self._credit = (flow.delivery_count or 0) + flow.link_credit - self._delivery_count
        self.pump()
        if flow.drain and self._credit > 0:
            self._delivery_count += self._credit
            self._credit = 0
        if flow.drain or flow.echo:
            self._session.send_flow(
                handle=self.handle, delivery_count=self._delivery_count, credit=max(self._credit, 0), drain=flow.drain
            )

    def pump(self) -> None:
        """Let the queue send what this link wants."""
        if self._queue:
            self._queue.pump()

    def let_go(self) -> None:
        """Leave the queue."""
        super().let_go()
        if self._queue:
            self._queue.remove_consumer(self)
