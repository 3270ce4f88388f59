"""The sweep: whatever is due is sent to whoever does it. It costs what is due, and one bad row never stops it."""

import logging
from dataclasses import dataclass

from access import ids
from access.errors import TryAgain
from access.expiry import Drop, Keep, Nudge, judge
from access.model import Due
from access.ports import Ports
from access.wire import Nudge as NudgeMessage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Swept:
    """What one sweep did, in rows."""

    due: int = 0
    sent: int = 0
    dropped: int = 0
    failed: int = 0


async def sweep(*, ports: Ports) -> Swept:
    """Judge every due row by its activation, most overdue first."""
    now = ports.clock.now()
    swept = Swept()
    async for due in ports.store.due(now=now):
        swept.due += 1
        try:
            await _look_at(due, swept, ports)
        except TryAgain as fault:
            swept.failed += 1
            log.warning("sweep.row_failed", extra={"activation_id": due.activation, "what": fault.what})
        except Exception:  # a row that can't be judged must not keep the others from their end
            swept.failed += 1
            log.exception("sweep.row_broken", extra={"activation_id": due.activation})
    log.info(
        "sweep.done", extra={"due": swept.due, "sent": swept.sent, "dropped": swept.dropped, "failed": swept.failed}
    )
    return swept


async def _look_at(due: Due, swept: Swept, ports: Ports) -> None:
    now = ports.clock.now()
    activation = await ports.store.activation(due.activation)
    empty = activation is None or activation.version > due.version or await ports.store.outbox_empty(due.activation)
    match judge(due, activation, outbox_empty=empty, now=now):
        case Drop():
            await ports.store.drop(due)
            swept.dropped += 1
        case Keep():
            return
        case Nudge(queue, again_at, drop):
            await _send(due, queue, activation.correlation_id if activation else "", ports)
            swept.sent += 1
            if again_at is not None:
                await ports.store.rearm(due, again_at)
            elif drop:
                await ports.store.drop(due)


async def _send(due: Due, queue: str, correlation_id: str, ports: Ports) -> None:
    """Send one nudge; its id says which look at which row this was, so that a resend is the same message."""
    minute = ports.clock.now().strftime("%Y%m%dT%H%M")
    await ports.bus.send(
        queue,
        NudgeMessage(due.activation).body(),
        message_id=ids.digest("sweep", due.key, str(due.tries), minute),
        correlation_id=correlation_id,
    )
