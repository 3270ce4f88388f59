"""A request message arrives: read it, and hand it to the use case of its action."""

from access.body import read_body
from access.model import Action, Door
from access.ports import Ports
from access.wire import Envelope, read_request
from activation_handler.cancel import cancel
from activation_handler.extend import extend
from activation_handler.give_back import give_back
from activation_handler.request_activation import request_activation


async def take_request(raw: bytes, envelope: Envelope, *, door: Door, ports: Ports) -> None:
    """Do what one message asks for, or record why not.

    Raises:
        Unusable: it can never succeed, and nobody can be told.
        TryAgain: something can't be looked up yet; nothing was recorded.
    """
    body, repairs = read_body(raw)
    command = read_request(body, envelope, door=door, repairs=repairs)
    match command.action:
        case Action.ACTIVATE | Action.VALIDATE:
            await request_activation(command, envelope, ports=ports)
        case Action.DEACTIVATE:
            await give_back(command, envelope, ports=ports)
        case Action.CANCEL:
            await cancel(command, envelope, ports=ports)
        case Action.EXTEND:
            await extend(command, envelope, ports=ports)
