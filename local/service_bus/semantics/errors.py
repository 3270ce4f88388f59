"""The refusals of the broker, each with the AMQP condition and the status code that clients know it by."""

from typing import ClassVar


class BrokerError(Exception):
    """The broker refuses. ``condition`` goes into AMQP errors, ``status`` into answers of ``$management``."""

    condition: ClassVar[str]
    status: ClassVar[int]


class EntityNotFoundError(BrokerError):
    """No queue, topic or subscription has this path."""

    condition = "amqp:not-found"
    status = 404

    def __init__(self, path: str) -> None:
        super().__init__(f"The messaging entity '{path}' could not be found.")


class NotAllowedError(BrokerError):
    """The entity exists but doesn't do this."""

    condition = "amqp:not-allowed"
    status = 400


class MessageLockLostError(BrokerError):
    """The lock has expired, or the message is already settled."""

    condition = "com.microsoft:message-lock-lost"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "The lock supplied is invalid. Either the lock expired, or the message has already been removed."
        )


class MessageNotFoundError(BrokerError):
    """No message with this sequence number is in the state that was asked for."""

    condition = "com.microsoft:message-not-found"
    status = 404

    def __init__(self, sequence_number: int) -> None:
        super().__init__(f"There is no such message: sequence number {sequence_number}.")


class ServerBusyError(BrokerError):
    """A scripted fault: come back later."""

    condition = "com.microsoft:server-busy"
    status = 503

    def __init__(self) -> None:
        super().__init__("The broker is busy: a scripted fault.")


class LinkDetachForcedError(BrokerError):
    """A scripted fault: the link is detached."""

    condition = "amqp:link:detach-forced"
    status = 500

    def __init__(self) -> None:
        super().__init__("The broker has detached the link: a scripted fault.")
