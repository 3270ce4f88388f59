"""`hourglass deactivate`, `cancel` and `extend`: put a message about an activation on the queue, exactly as a flow does.

Whether it is done is decided by the app; this says where the answer can be seen.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import typer

from access.ids import is_activation_id
from access.model import Action
from access.wire import read_duration
from hourglass.outside import Outside
from hourglass.request import FLOW, QUEUE, fresh_id, own_id, say_what_comes, ticket_of
from hourglass.stopping import ExitCode, Stop

Id = Annotated[str, typer.Argument(metavar="[ID]", help="The whole id of the activation; left out: by --role.")]
Requester = Annotated[str, typer.Option(help="Who asks: user principal name or object id.")]
Role = Annotated[str, typer.Option(help="The key of the role, where no id is given.")]
Principal = Annotated[str, typer.Option(help="The account that has it, with --role; left out: who asks.")]
Justification = Annotated[str, typer.Option(help="Why.")]
RequestId = Annotated[str, typer.Option(help="Your own id: the same id twice is one command.")]


def deactivate(
    context: typer.Context,
    activation: Id = "",
    requester: Requester = "",
    role: Role = "",
    principal: Principal = "",
    justification: Justification = "",
    request_id: RequestId = "",
) -> None:
    """Give an activation back before its end: put a message on the queue that flows use."""
    said = {"activation": activation, "role": role, "principal": principal, "justification": justification}
    _send(context.obj, Action.DEACTIVATE, requester, said, request_id)


def cancel(
    context: typer.Context,
    activation: Id = "",
    requester: Requester = "",
    role: Role = "",
    principal: Principal = "",
    justification: Justification = "",
    request_id: RequestId = "",
) -> None:
    """Take back a request that waits, or is being given: put a message on the queue that flows use."""
    said = {"activation": activation, "role": role, "principal": principal, "justification": justification}
    _send(context.obj, Action.CANCEL, requester, said, request_id)


def extend(
    context: typer.Context,
    activation: Id = "",
    requester: Requester = "",
    role: Role = "",
    principal: Principal = "",
    duration: Annotated[str, typer.Option("--for", help="How much longer than now's end, such as PT1H.")] = "",
    justification: Justification = "",
    ticket: Annotated[str, typer.Option(metavar="SYSTEM:NUMBER", help="Linked work in another system.")] = "",
    request_id: RequestId = "",
) -> None:
    """Have an activation last longer: put a message on the queue that flows use."""
    span = read_duration(duration)
    if span is None or span <= timedelta():
        what = f'--for "{duration}" is not a length of time.' if duration else "--for missing."
        raise Stop(what, remedy="Say how much longer, such as --for PT1H.", code=ExitCode.WRONG_USE)
    said = {
        "activation": activation,
        "role": role,
        "principal": principal,
        "duration": duration,
        "justification": justification,
        "ticket": ticket_of(ticket),
    }
    _send(context.obj, Action.EXTEND, requester, said, request_id)


def _send(
    outside: Outside, action: Action, requester: str, said: Mapping[str, str | dict[str, str]], request_id: str
) -> None:
    activation = str(said["activation"]).strip().lower()
    example = f"hourglass {action} ID --requester ada@contoso.example"
    if not requester:
        raise Stop("--requester missing.", remedy=f"For example: {example}", code=ExitCode.WRONG_USE)
    if bool(activation) == bool(said["role"]):
        what = "Name the activation by its id, or by --role; one of them."
        raise Stop(what, remedy=f"For example: {example}", code=ExitCode.WRONG_USE)
    if activation and not is_activation_id(activation):
        remedy = "Ids are 32 digits, 0 to f; hourglass list --json has them whole."
        raise Stop("This is no whole id of an activation.", remedy=remedy, code=ExitCode.WRONG_USE)
    stated = {**said, "activation": activation, "requester": requester}
    asked = {"version": 1, "action": action, **{key: value for key, value in stated.items() if value}, "flow": FLOW}
    message_id = own_id(request_id) or fresh_id(json.dumps(asked).encode(), outside)
    body = json.dumps({**asked, "requestId": message_id}, ensure_ascii=False).encode()
    outside.send(QUEUE, body, message_id=message_id)
    say_what_comes(body, message_id, outside)
