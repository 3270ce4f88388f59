"""How the network says no."""

from local.service_bus.codec.performatives import AmqpError
from local.service_bus.semantics.errors import BrokerError


class ProtocolViolationError(Exception):
    """The peer broke the protocol: its connection is closed with this error."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class UnauthorizedError(BrokerError):
    """No valid token covers this address."""

    condition = "amqp:unauthorized-access"
    status = 401


class BadRequestError(BrokerError):
    """A request to ``$management`` lacks something, or has the wrong type."""

    condition = "com.microsoft:argument-error"
    status = 400


class UnknownOperationError(BrokerError):
    """``$management`` doesn't know the operation."""

    condition = "amqp:not-implemented"
    status = 501


class MessageTooLargeError(BrokerError):
    """The message is larger than the link takes."""

    condition = "amqp:link:message-size-exceeded"
    status = 400


def amqp_error(error: BrokerError | ProtocolViolationError) -> AmqpError:
    """Return the error as it goes over the wire."""
    return AmqpError(condition=error.condition, description=str(error))
