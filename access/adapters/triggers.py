"""What every queue trigger does around its use case: read, decide what an error means, settle.

Returning completes the message. A message that can never succeed is set aside, and completed. What must wait is sent
again by us for later, with a due row beside it, and completed: an abandoned message comes back at once, and ten
deliveries are gone in two seconds (protocol 6). Anything else raises: the host abandons, and five deliveries end in the
dead-letter queue.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from access import ids
from access.adapters.log import correlated
from access.body import read_body
from access.errors import Conflict, TryAgain, Unusable
from access.expiry import BACK_OFF_LIMIT
from access.ports import Ports
from access.wire import ATTEMPT, IDENTITY, Envelope, read_nudge

log = logging.getLogger(__name__)

NUDGED = frozenset({"provisioning", "expirations"})
"""Queues whose messages name an activation that has work left: they get a due row beside the message."""

_PAUSE_LIMITS = {"ticks": timedelta(minutes=1)}
"""Where waiting longer would be worse than trying: after an outage, the sweep is to go on at once."""

ALONE_LIMIT = timedelta(minutes=1)
"""How seldom a message comes back at most while no due row can stand for it: many of them must not make an outage worse."""

_CONFLICT_PAUSE = timedelta(seconds=2)


def envelope_of(message: Any, queue: str) -> Envelope:
    """Return what the broker says about a message."""
    enqueued = message.enqueued_time_utc
    properties: Mapping[str, Any] = message.application_properties or {}
    return Envelope(
        queue=queue,
        message_id=message.message_id or None,
        sequence_number=message.sequence_number,
        enqueued_at=enqueued.isoformat() if enqueued else "",
        correlation_id=message.correlation_id or None,
        properties={str(key): str(value) for key, value in properties.items()},
    )


async def nudged(message: Any, queue: str, ports: Ports, use_case: Callable[..., Awaitable[None]]) -> None:
    """Have ``use_case(activation_id, ports=ports)`` look at the activation that a nudge names."""

    async def work(raw: bytes, _: Envelope) -> None:
        await use_case(read_nudge(read_body(raw)[0]).activation, ports=ports)

    await settle(message, queue, ports, work)


async def settle(message: Any, queue: str, ports: Ports, work: Callable[[bytes, Envelope], Awaitable[None]]) -> None:
    """Do ``work`` for a message, and turn what it raises into what the broker is to do."""
    raw, envelope = message.get_body(), envelope_of(message, queue)
    with correlated(envelope.correlation_id or envelope.identity):
        try:
            try:
                await work(raw, envelope)
            except Unusable as broken:
                await _set_aside(raw, envelope, broken, ports)
        except Conflict:
            await _put_off(raw, envelope, TryAgain("a row that changed meanwhile", after=_CONFLICT_PAUSE), ports)
        except TryAgain as later:
            await _put_off(raw, envelope, later, ports)


async def _set_aside(raw: bytes, envelope: Envelope, broken: Unusable, ports: Ports) -> None:
    await ports.quarantine.set_aside(
        queue=envelope.queue,
        identity=envelope.identity,
        code=broken.code,
        what=broken.what,
        body=raw,
        properties=envelope.properties,
        now=ports.clock.now(),
        enqueued_at=datetime.fromisoformat(envelope.enqueued_at) if envelope.enqueued_at else None,
        correlation_id=envelope.correlation_id or "",
    )


async def _put_off(raw: bytes, envelope: Envelope, later: TryAgain, ports: Ports) -> None:
    """Send the message again for later, its bytes untouched; for work on an activation, write a due row too.

    Where such work is tried again before that anyway, by another message, this one is done.
    """
    attempt = envelope.attempt + 1
    after = max(later.after, timedelta(seconds=1))
    # A fault that lasts is met ever more slowly; a wait for something known, such as a lease, is as long as it says.
    if later.fault and envelope.queue not in NUDGED:
        after = min(after * 2 ** min(attempt - 1, 8), _PAUSE_LIMITS.get(envelope.queue, BACK_OFF_LIMIT))
    at = ports.clock.now() + after
    level = logging.WARNING if later.fault else logging.INFO
    extra = {"queue": envelope.queue, "what": later.what, "seconds": after.total_seconds(), "attempt": attempt}
    log.log(level, "message.put_off", extra=extra)
    if envelope.queue in NUDGED:
        try:
            if not await _tried_again(raw, envelope.queue, at, ports):
                return
        except (TryAgain, Conflict):
            # Abandoned, it would be dead-lettered in seconds; so it goes on alone, ever slower, until the tables are back.
            at = ports.clock.now() + min(after * 2 ** min(attempt - 1, 8), max(after, ALONE_LIMIT))
    await ports.bus.send_again(
        envelope.queue,
        raw,
        properties={**envelope.properties, IDENTITY: envelope.identity, ATTEMPT: str(attempt)},
        message_id=ids.digest("put-off", envelope.queue, envelope.identity, str(attempt)),
        correlation_id=envelope.correlation_id or "",
        at=at,
    )


async def _tried_again(raw: bytes, queue: str, at: datetime, ports: Ports) -> bool:
    """Write the due row of the next try, unless an earlier one stands.

    Raises:
        TryAgain: the tables can't be reached.
    """
    try:
        named = read_nudge(read_body(raw)[0]).activation
    except Unusable:
        return True  # it names none: it waits to be set aside
    return await ports.store.put_off(named, queue, at, now=ports.clock.now())
