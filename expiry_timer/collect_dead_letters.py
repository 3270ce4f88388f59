"""Dead letters go into quarantine, with their bytes and the broker's reason: set aside first, then taken out (law 8)."""

import logging
from datetime import datetime

from access.errors import Code, TryAgain
from access.ports import DeadLetter, Ports
from access.wire import QUEUES, clean

log = logging.getLogger(__name__)

LETTERS = 50
"""Dead letters of one queue that one sweep collects; the next one goes on."""

REASON_LIMIT = 300


async def collect_dead_letters(*, stop_at: float, ports: Ports) -> int:
    """Return how many were collected, until ``stop_at`` on the monotonic clock; the others stay where they are."""
    try:
        letters = await ports.bus.dead_letters(QUEUES, limit=LETTERS)
    except TryAgain as fault:
        log.warning("dead_letters.unread", extra={"what": fault.what})
        return 0
    collected = 0
    for letter in letters:
        if ports.clock.monotonic() >= stop_at:
            break
        try:
            await _set_aside(letter, ports)
            await letter.done()
            collected += 1
        except TryAgain as fault:
            log.warning("dead_letter.kept", extra={"queue": letter.envelope.queue, "what": fault.what})
        except Exception:  # one that can't be set aside must not keep the others
            log.exception("dead_letter.broken", extra={"queue": letter.envelope.queue})
    return collected


async def _set_aside(letter: DeadLetter, ports: Ports) -> None:
    envelope = letter.envelope
    await ports.quarantine.set_aside(
        queue=envelope.queue,
        identity=envelope.identity,
        code=Code.DEAD_LETTERED,
        what=f"the broker gave it up: {clean(letter.reason)[:REASON_LIMIT] or 'it does not say why'}",
        body=letter.body,
        properties=envelope.properties,
        now=ports.clock.now(),
        enqueued_at=datetime.fromisoformat(envelope.enqueued_at) if envelope.enqueued_at else None,
        correlation_id=envelope.correlation_id or "",
    )
