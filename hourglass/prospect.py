"""What would come of a message, were it put on its queue now: for whoever thinks of a replay. Changes nothing.

It is read as the functions read it, by the same code; what it says may be over a moment later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from access import ids
from access.adapters import keys
from access.adapters.quarantine import SetAside
from access.adapters.tables import Tables
from access.body import read_body
from access.errors import Unusable
from access.expiry import due_event
from access.lifecycle import Work, asks_for, is_final
from access.model import Action, Activation, Door
from access.wire import Envelope, RequestCommand, read_nudge, read_request, read_telling
from hourglass.record import Records

_DOORS = {"activation-requests": Door.FLOW, "signed-in-requests": Door.SIGNED_IN}
_WORK = {
    Work.DECISION: "approvers who were not asked yet would be asked",
    Work.START: "nothing would happen before its start",
    Work.GIVING: "giving would go on",
    Work.END: "nothing would happen before its end",
    Work.REMOVAL: "the removal would go on",
    Work.NOTHING: "nothing would happen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """Whether the body reads now, what would come of it, and which activation it names, in which state."""

    reads: bool
    says: str
    activation: str = ""
    state: str = ""


async def prospect(entry: SetAside, raw: bytes, *, tables: Tables, tenant: str, now: datetime) -> Prospect:
    """Say what would come of a message, at ``now``."""
    if entry.queue == "ticks":
        return Prospect(reads=True, says="A sweep would start, as each minute. There is no need to.")
    try:
        body, _ = read_body(raw)
        if entry.queue in _DOORS:
            return await _of_request(entry, body, tables, tenant, now)
        if entry.queue == "notifications":
            return await _of_telling(body, tables)
        return await _of_nudge(body, tables, now)
    except Unusable as unusable:
        return Prospect(reads=False, says=f"It would be set aside again: {unusable.what} ({unusable.code}).")


async def _of_request(entry: SetAside, body: Mapping[str, Any], tables: Tables, tenant: str, now: datetime) -> Prospect:
    envelope = Envelope(queue=entry.queue, message_id=entry.identity)
    command = read_request(body, envelope, door=_DOORS[entry.queue], repairs=())
    if command.action is Action.VALIDATE:
        return Prospect(reads=True, says="Nothing would be given; who asks would be told what would be decided.")
    own = ids.activation_id(
        tenant=tenant,
        principal=command.principal,
        door=command.door,
        source=command.source,
        request=command.request_id,
    )
    known = await Records(tables).activation(own)
    if known is not None:
        return _again(known, known.content, command, now)
    if command.action is Action.ACTIVATE:
        return Prospect(reads=True, says="It is not on record: it would be decided now.")
    if not command.activation:
        says = f"It would be carried out now, unless it was already ({command.action}); it names a role, and no activation."
        return Prospect(reads=True, says=says)
    named = await Records(tables).activation(command.activation)
    if named is None:
        return Prospect(reads=True, says="It names no activation that is on record; its sender would be told.")
    done = await tables.get("activations", named.id, keys.command(own))
    if done is not None:
        return _again(named, str(done.values.get("content", "")), command, now)
    return _about(named, f"It would be carried out now, where the state allows it ({command.action}).")


def _again(activation: Activation, content: str, command: RequestCommand, now: datetime) -> Prospect:
    """Return what comes of a request that had its effect, when it said ``content``."""
    if content != command.content:
        says = "It would be set aside again: its id was used before, with other content."
        return replace(_about(activation, says), reads=False)
    return _about(activation, f"It had its effect already; {_ahead(activation, now)}.")


async def _of_nudge(body: Mapping[str, Any], tables: Tables, now: datetime) -> Prospect:
    named = read_nudge(body).activation
    known = await Records(tables).activation(named)
    if known is None:
        return Prospect(reads=True, says="Nothing would happen: there is no such activation.", activation=named)
    return _about(known, f"{_ahead(known, now).capitalize()}.")


async def _of_telling(body: Mapping[str, Any], tables: Tables) -> Prospect:
    telling = read_telling(body)
    told = await tables.get("activations", telling.activation, keys.told(telling.identity))
    gone_out = told is not None and "sent" in told.values
    says = "Nothing would happen: this mail has gone out." if gone_out else f"A mail would be sent: {telling.what}."
    known = await Records(tables).activation(telling.activation)
    return _about(known, says) if known else Prospect(reads=True, says=says, activation=telling.activation)


def _ahead(activation: Activation, now: datetime) -> str:
    due = due_event(activation, now=now)
    return f"what is due would happen: {due}" if due else _WORK[asks_for(activation.state)]


def _about(activation: Activation, says: str) -> Prospect:
    closed = " (final)" if is_final(activation.state) else ""
    return Prospect(reads=True, says=says, activation=activation.id, state=f"{activation.state}{closed}")
