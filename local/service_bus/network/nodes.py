"""What an address stands for: an entity, its ``$management``, or ``$cbs``."""

from typing import Any

from local.service_bus.codec.message import encode_response, parse_message, parse_transfer
from local.service_bus.codec.performatives import ROLE_SENDER, Accepted, Attach, DeliveryState
from local.service_bus.codec.values import Described, Int
from local.service_bus.network import management
from local.service_bus.network.access import Access, path_of
from local.service_bus.network.errors import UnauthorizedError
from local.service_bus.network.links import IncomingLink, Link, OutgoingLink, Sending
from local.service_bus.semantics.broker import Broker
from local.service_bus.semantics.errors import NotAllowedError
from local.service_bus.semantics.faults import Moment

TOKEN_NODE = "$cbs"
MANAGEMENT_SUFFIX = "/$management"
SESSION_FILTER = "com.microsoft:session-filter"
FILTER_FIELD = 7  # its place among the fields of a source


class Nodes:
    """Makes the links of one session. It remembers where the answers to requests go."""

    def __init__(self, session: Sending, broker: Broker, access: Access) -> None:
        self._session = session
        self._broker = broker
        self._access = access
        self._response_links: dict[str, OutgoingLink] = {}  # by lower-case address of the node

    def link(self, attach: Attach) -> Link:
        """Return the link that a client asks for.

        Raises:
            BrokerError: the address stands for nothing, for nothing of this kind, or is not open to this client.
        """
        client_sends = attach.role is ROLE_SENDER
        path = _address(attach.target if client_sends else attach.source)
        node = path.lower()
        if node == TOKEN_NODE:
            return self._token_request_link(attach) if client_sends else self._response_link(attach, node)
        if node.endswith(MANAGEMENT_SUFFIX):
            entity_path = path[: -len(MANAGEMENT_SUFFIX)]
            self._access.require(entity_path)
            self._broker.entity(entity_path)
            return (
                self._management_request_link(attach, entity_path)
                if client_sends
                else self._response_link(attach, node)
            )
        self._access.require(path)
        return self._publishing_link(attach, path) if client_sends else self._consuming_link(attach, path)

    def _publishing_link(self, attach: Attach, path: str) -> IncomingLink:
        self._broker.destination(path)

        def publish(raw: bytes, message_format: int) -> tuple[DeliveryState, float]:
            self._broker.publish(path, parse_transfer(raw, message_format))
            return Accepted(), self._broker.faults.take_delay(path, Moment.SEND)

        return IncomingLink(self._session, attach, publish)

    def _consuming_link(self, attach: Attach, path: str) -> OutgoingLink:
        queue = self._broker.queue(path)
        if _asks_for_session(attach.source):
            raise NotAllowedError(f"'{path}' has no sessions.")
        link = OutgoingLink(self._session, attach, queue)
        queue.add_consumer(link)
        return link

    def _response_link(self, attach: Attach, node: str) -> OutgoingLink:
        link = self._response_links[node] = OutgoingLink(self._session, attach, None)
        return link

    def _token_request_link(self, attach: Attach) -> IncomingLink:
        def take_token(raw: bytes, _format: int) -> tuple[DeliveryState, float]:
            request = parse_message(raw)
            status, description = 202, "Accepted"
            try:
                self._access.put_token(request.value())
            except UnauthorizedError as error:
                status, description = error.status, str(error)
            result = {"status-code": Int(status), "status-description": description}
            answer = encode_response(correlation_id=request.message_id, application_properties=result, value=None)
            return self._respond(TOKEN_NODE, answer)

        return IncomingLink(self._session, attach, take_token)

    def _management_request_link(self, attach: Attach, entity_path: str) -> IncomingLink:
        def manage(raw: bytes, _format: int) -> tuple[DeliveryState, float]:
            answer = management.answer(self._broker, entity_path, parse_message(raw))
            return self._respond((entity_path + MANAGEMENT_SUFFIX).lower(), answer)

        return IncomingLink(self._session, attach, manage)

    def _respond(self, node: str, answer: bytes) -> tuple[DeliveryState, float]:
        link = self._response_links.get(node)
        if link is None or link.detached:
            raise NotAllowedError(f"Nobody receives the answers of '{node}' in this session.")
        link.respond(answer)
        return Accepted(), 0


def _address(terminus: Any) -> str:
    fields = terminus.value if isinstance(terminus, Described) else None
    address = fields[0] if isinstance(fields, list) and fields else None
    if not isinstance(address, str):
        raise NotAllowedError("A link needs the address of a queue, topic or subscription.")
    return path_of(address)


def _asks_for_session(source: Described | None) -> bool:
    fields = source.value if source else []
    filters = fields[FILTER_FIELD] if len(fields) > FILTER_FIELD else None
    return isinstance(filters, dict) and SESSION_FILTER in filters
