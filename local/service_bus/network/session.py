"""A session: its links, its deliveries in both directions, and their settlement."""

from collections import OrderedDict, deque
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from local.service_bus.codec.performatives import (
    ROLE_RECEIVER,
    ROLE_SENDER,
    Accepted,
    Attach,
    Begin,
    Composite,
    DeliveryState,
    Detach,
    Disposition,
    Flow,
    Modified,
    Received,
    Rejected,
    Released,
    Transfer,
)
from local.service_bus.network.access import Access
from local.service_bus.network.errors import ProtocolViolationError, amqp_error
from local.service_bus.network.limits import MAX_HANDLE, MAX_MESSAGE_SIZE, MAX_UNSETTLED, WINDOW
from local.service_bus.network.links import IncomingLink, Link, OutgoingLink
from local.service_bus.network.nodes import Nodes
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import BrokerError, MessageLockLostError
from local.service_bus.semantics.message import DeadLetter
from local.service_bus.semantics.queue import Abandon, Complete, Defer, Outcome, Queue, Release

FRAME_OVERHEAD = 128  # bytes: more than a frame's header and a transfer with our tags ever take


class Wire(Protocol):
    """What a session needs of its connection."""

    broker: Broker
    access: Access
    peer_max_frame_size: int

    def has_room(self) -> bool:
        """Return whether the client takes more bytes now."""

    def send(self, channel: int, body: Composite, payload: bytes = b"") -> None:
        """Send one frame."""

    def count_unfinished(self, size: int) -> None:
        """Account for bytes of unfinished messages."""


class _Delivery(NamedTuple):
    queue: Queue
    token: UUID


class Session:
    """One channel of a connection."""

    def __init__(self, wire: Wire, channel: int, begin: Begin) -> None:
        self._wire = wire
        self._channel = channel
        self._links: dict[int, Link] = {}
        self._nodes = Nodes(self, wire.broker, wire.access)
        self._unsettled: OrderedDict[int, _Delivery] = OrderedDict()
        self._next_delivery_id = 0
        self._next_incoming_id = begin.next_outgoing_id
        self._next_outgoing_id = 0
        self._peer_window = begin.incoming_window
        self._blocked: deque[tuple[Transfer, bytes]] = deque()  # what the client's window has no room for
        wire.send(
            channel,
            Begin(
                remote_channel=channel,
                next_outgoing_id=0,
                incoming_window=WINDOW,
                outgoing_window=WINDOW,
                handle_max=MAX_HANDLE,
            ),
        )

    # From the client

    def on_attach(self, attach: Attach) -> None:
        """Start a link, or refuse it.

        Raises:
            ProtocolViolationError: the handle is out of range or in use.
        """
        occupant = self._links.get(attach.handle)
        if attach.handle > MAX_HANDLE or (occupant and not occupant.detached):
            raise ProtocolViolationError("amqp:session:handle-in-use", f"The handle {attach.handle} can't be used.")
        try:
            link = self._nodes.link(attach)
        except BrokerError as error:
            refused = self._links[attach.handle] = Link(self, attach)
            self._echo(attach, accepted=False)
            refused.detach(error)
            return
        self._links[attach.handle] = link
        self._echo(attach, accepted=True)
        if isinstance(link, IncomingLink):
            link.grant()

    def on_flow(self, flow: Flow) -> None:
        """Take the client's window and, for a link, its credit."""
        acknowledged = 0 if flow.next_incoming_id is None else flow.next_incoming_id
        self._peer_window = acknowledged + flow.incoming_window - self._next_outgoing_id
        self._send_blocked()
        if flow.handle is not None:
            link = self._link_of(flow.handle)
            if isinstance(link, OutgoingLink) and not link.detached:
                link.on_flow(flow)
        elif flow.echo:
            self._wire.send(self._channel, self._flow())
        self.pump()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take a part of a message."""
        self._next_incoming_id += 1
        link = self._link_of(transfer.handle)
        if link.detached:
            return
        if not isinstance(link, IncomingLink):
            raise ProtocolViolationError("amqp:not-allowed", "A transfer on a link that only receives.")
        link.on_transfer(transfer, payload)

    def on_disposition(self, disposition: Disposition) -> None:
        """Settle deliveries as the client has decided, and tell it how that went."""
        if disposition.role is not ROLE_RECEIVER or isinstance(disposition.state, Received):
            return
        if disposition.state is None and not disposition.settled:
            return
        last = disposition.first if disposition.last is None else disposition.last
        for delivery_id in self._issued(disposition.first, last):
            delivery = self._unsettled.pop(delivery_id, None)
            answer = _settle(delivery, disposition.state)
            if not disposition.settled:
                self._wire.send(
                    self._channel,
                    Disposition(role=ROLE_SENDER, first=delivery_id, last=delivery_id, settled=True, state=answer),
                )

    def on_detach(self, detach: Detach) -> None:
        """End a link."""
        link = self._links.pop(detach.handle, None)
        if link and not link.detached:
            link.let_go()
            self._wire.send(self._channel, Detach(handle=detach.handle, closed=True))

    def let_go(self) -> None:
        """Give back what the session holds."""
        for link in self._links.values():
            link.let_go()
        self._links.clear()

    def pump(self) -> None:
        """Send what the queues have for this session's links."""
        for link in list(self._links.values()):
            if isinstance(link, OutgoingLink):
                link.pump()

    # For links

    def has_room(self) -> bool:
        """Return whether the client takes more bytes now."""
        return not self._blocked and self._wire.has_room()

    def count_unfinished(self, size: int) -> None:
        """Account for bytes of unfinished messages."""
        self._wire.count_unfinished(size)

    def send_delivery(self, handle: int, tag: bytes, raw: bytes, settled_by: tuple[Queue, UUID] | None) -> None:
        """Send a message in as many transfers as the client's frames need."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id += 1
        if settled_by:
            self._unsettled[delivery_id] = _Delivery(*settled_by)
            if len(self._unsettled) > MAX_UNSETTLED:
                self._unsettled.popitem(last=False)
        room = self._wire.peer_max_frame_size - FRAME_OVERHEAD
        for start in range(0, len(raw), room):
            transfer = Transfer(
                handle=handle,
                delivery_id=delivery_id,
                delivery_tag=tag,
                message_format=0,
                settled=settled_by is None,
                more=start + room < len(raw),
            )
            self._blocked.append((transfer, raw[start : start + room]))
        self._send_blocked()

    def send_flow(self, *, handle: int, delivery_count: int, credit: int, drain: bool) -> None:
        """Tell the client where a link's credit stands."""
        flow = self._flow()
        flow.handle, flow.delivery_count, flow.link_credit, flow.drain = handle, delivery_count, credit, drain
        self._wire.send(self._channel, flow)

    def send_outcome(self, delivery_id: int, state: DeliveryState) -> None:
        """Tell the client what has become of a delivery that it sent."""
        self._wire.send(
            self._channel,
            Disposition(role=ROLE_RECEIVER, first=delivery_id, last=delivery_id, settled=True, state=state),
        )

    def send_detach(self, handle: int, error: BrokerError) -> None:
        """End a link."""
        self._wire.send(self._channel, Detach(handle=handle, closed=True, error=amqp_error(error)))

    # Inside

    def _link_of(self, handle: int) -> Link:
        link = self._links.get(handle)
        if link is None:
            raise ProtocolViolationError("amqp:session:unattached-handle", f"No link has the handle {handle}.")
        return link

    def _echo(self, attach: Attach, *, accepted: bool) -> None:
        """Answer an attach; without source and target it is a refusal, and a detach follows."""
        self._wire.send(
            self._channel,
            Attach(
                name=attach.name,
                handle=attach.handle,
                role=not attach.role,
                snd_settle_mode=attach.snd_settle_mode,
                rcv_settle_mode=attach.rcv_settle_mode,
                source=attach.source if accepted else None,
                target=attach.target if accepted else None,
                initial_delivery_count=0 if attach.role is ROLE_RECEIVER else None,
                max_message_size=MAX_MESSAGE_SIZE,
            ),
        )

    def _issued(self, first: int, last: int) -> list[int]:
        """Return the deliveries of a range: those that wait for settlement and, alone, one that no longer does."""
        if first == last:
            return [first] if first < self._next_delivery_id else []
        return [delivery_id for delivery_id in self._unsettled if first <= delivery_id <= last]

    def _flow(self) -> Flow:
        return Flow(
            next_incoming_id=self._next_incoming_id,
            incoming_window=WINDOW,
            next_outgoing_id=self._next_outgoing_id,
            outgoing_window=WINDOW,
        )

    def _send_blocked(self) -> None:
        while self._blocked and self._peer_window > 0:
            self._peer_window -= 1
            self._next_outgoing_id += 1
            self._wire.send(self._channel, *self._blocked.popleft())


def _settle(delivery: _Delivery | None, state: DeliveryState | None) -> DeliveryState:
    """Do what the client has decided; return what it is told."""
    try:
        if delivery is None:
            raise MessageLockLostError
        delivery.queue.settle(delivery.token, _outcome(state))
    except BrokerError as error:
        return Rejected(error=amqp_error(error))
    if isinstance(state, Rejected):
        return Rejected()  # with an error, the client would take it for a refusal
    return state or Released()


def _outcome(state: DeliveryState | None) -> Outcome:
    match state:
        case Accepted():
            return Complete()
        case Modified():
            return Defer() if state.undeliverable_here else Abandon()
        case Rejected():
            error = state.error
            info = (error and error.info) or {}
            description = info.get("DeadLetterErrorDescription") or (error and error.description)
            return DeadLetter(_text(info.get("DeadLetterReason")), _text(description))
        case _:
            return Release()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
