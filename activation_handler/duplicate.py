"""A request comes again: put off by us, until its answer can't wait any more; or repeated, without a second effect.

What is left to send leaves, and work goes on (protocol 3).
"""

from datetime import datetime

from access import ids
from access.errors import Code, Unusable
from access.expiry import queue_for
from access.lifecycle import is_busy
from access.model import Activation
from access.ports import Ports
from access.wire import Envelope, Nudge, RequestCommand

TRIES = 5
"""Deliveries, put off in between, before what can't be checked is refused instead of waited for (law 9)."""


async def go_on(
    known: Activation, content: str, command: RequestCommand, envelope: Envelope, now: datetime, ports: Ports
) -> None:
    """Go on with the activation that a request made or changed before, when it said ``content``.

    Raises:
        Unusable: it has the same id, and says something else.
    """
    if content != command.content:
        raise Unusable(Code.ID_REUSED, f"the id of this request was used before, with other content ({known.id})")
    await ports.store.flush(known.id, now=now)
    if is_busy(known.state):
        await ports.bus.send(
            queue_for(known, now=now),
            Nudge(known.id).body(),
            message_id=ids.digest("again", known.id, envelope.identity, str(known.version)),
            correlation_id=known.correlation_id,
        )
