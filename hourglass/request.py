"""`hourglass request`: puts a message on the queue, exactly as a flow does. What comes of it is decided elsewhere."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from access import ids
from access.body import read_body
from access.errors import Unusable
from access.model import Action, Door
from access.wire import Envelope, read_duration, read_request
from hourglass.outside import Outside
from hourglass.printing import console, error_console, fields, print_table
from hourglass.stopping import ExitCode, Stop

QUEUE = "activation-requests"
MESSAGE_ID_LIMIT = 128
"""Characters that Service Bus takes for the id of a message."""

FLOW = "hourglass request"
"""Who says that it was asked, where a flow would give its own name."""


def request(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="The key of the role, as the roles file has it.")] = "",
    requester: Annotated[str, typer.Option(help="Who asks: user principal name or object id.")] = "",
    principal: Annotated[str, typer.Option(help="The account that is to receive it; left out: who asks.")] = "",
    duration: Annotated[str, typer.Option("--for", help="How long, such as PT2H; left out: the role's default.")] = "",
    justification: Annotated[str, typer.Option(help="Why.")] = "",
    ticket: Annotated[str, typer.Option(metavar="SYSTEM:NUMBER", help="Linked work in another system.")] = "",
    start: Annotated[str, typer.Option(metavar="ISO", help="When it begins; left out: now.")] = "",
    request_id: Annotated[str, typer.Option(help="Your own id: the same id twice is one request.")] = "",
    *,
    validate: Annotated[bool, typer.Option("--validate", help="Ask only what would be decided.")] = False,
    json_body: Annotated[
        Path | None,
        typer.Option(metavar="FILE|-", help="Send exactly these bytes instead; - is the standard input."),
    ] = None,
) -> None:
    """Ask for a role: put a message on the queue that flows use.

    What is asked is decided by the app; this says where the answer can be seen.
    """
    outside: Outside = context.obj
    stated = {
        "role": role,
        "requester": requester,
        "principal": principal,
        "duration": duration,
        "justification": justification,
        "start": start,
        "ticket": ticket_of(ticket),
    }
    if json_body is not None:
        if validate or any(stated.values()):
            raise Stop("--json-body stands alone; only --request-id goes with it.", code=ExitCode.WRONG_USE)
        body = _bytes_of(json_body)
        message_id = own_id(request_id) or fresh_id(body, outside)
    else:
        _check(role, requester, duration)
        said = {key: value for key, value in stated.items() if value}
        asked: dict[str, Any] = {"version": 1, "action": "validate" if validate else "activate", **said, "flow": FLOW}
        message_id = own_id(request_id) or fresh_id(json.dumps(asked).encode(), outside)
        body = json.dumps({**asked, "requestId": message_id}, ensure_ascii=False).encode()
    outside.send(QUEUE, body, message_id=message_id)
    say_what_comes(body, message_id, outside)


def ticket_of(text: str) -> dict[str, str] | str:
    """Return a ticket as a message has it: with its system where one is named."""
    system, colon, number = text.partition(":")
    return {"system": system.strip(), "number": number.strip()} if colon else text


def _check(role: str, requester: str, duration: str) -> None:
    """Say what is missing before anything is sent; what is asked for is judged by the app alone."""
    missing = [name for name, value in (("--role", role), ("--requester", requester)) if not value]
    if missing:
        example = "hourglass request --role backup-operators --requester ada@contoso.example --for PT1H"
        raise Stop(f"{' and '.join(missing)} missing.", remedy=f"For example: {example}", code=ExitCode.WRONG_USE)
    span = read_duration(duration)
    if duration and (span is None or span <= timedelta()):
        remedy = "Write an ISO 8601 duration such as PT2H or PT90M, or a number of hours."
        raise Stop(f'--for "{duration}" is not a length of time.', remedy=remedy, code=ExitCode.WRONG_USE)


def _bytes_of(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Stop(f"{path} can't be read: {error.strerror}.", code=ExitCode.WRONG_USE) from error


def own_id(text: str) -> str:
    """Return the id that somebody gave; it is the message's too, which the broker limits.

    Raises:
        Stop: it is longer than that.
    """
    if len(text) > MESSAGE_ID_LIMIT:
        what = f"--request-id has {len(text)} characters; use at most {MESSAGE_ID_LIMIT}."
        raise Stop(what, code=ExitCode.WRONG_USE)
    return text


def fresh_id(content: bytes, outside: Outside) -> str:
    """Return an id for this attempt: the same text twice within one second is one request (law 8)."""
    return ids.digest("command", outside.now().isoformat(), content.hex())


def say_what_comes(body: bytes, message_id: str, outside: Outside) -> None:
    """Say under which ids a message that was sent is known, and how to see its outcome."""
    out = console()
    out.print(f"Sent to the queue {QUEUE}.")
    try:
        content, repairs = read_body(body)
        envelope = Envelope(queue=QUEUE, message_id=message_id)
        command = read_request(content, envelope, door=Door.FLOW, repairs=repairs)
    except Unusable as unusable:
        print_table(fields(("message", message_id)))
        error_console().print(f"It will be set aside: {unusable.what} ({unusable.code}).", soft_wrap=True)
        return
    if command.action is Action.VALIDATE:
        print_table(fields(("message", message_id)))
        out.print("Nothing will be given; the answer goes to the requester by mail.")
        return
    activation = ids.activation_id(
        tenant=outside.tenant,
        principal=command.principal,
        door=command.door,
        source=command.source,
        request=command.request_id,
    )
    if command.action is Action.ACTIVATE:
        print_table(fields(("message", message_id), ("activation", activation)))
        out.print(f"See what comes of it: hourglass show {activation} --wait", soft_wrap=True)
        return
    print_table(fields(("message", message_id), ("activation", command.activation), ("record", activation)))
    seen_by = f"hourglass show {command.activation} --wait" if command.activation else "hourglass list"
    out.print(f"See what comes of it: {seen_by}", soft_wrap=True)
    out.print(f"What is refused, or waits for approval, has the record: hourglass show {activation}", soft_wrap=True)
