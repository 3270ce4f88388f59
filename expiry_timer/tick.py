"""The tick: a message that starts the sweep once a minute, for ever, also where the host's timer stands still.

Every sweep sees to the next tick, whatever started it. It never breeds: the tick that is to come is on record, and only
who replaces one that has come sends another.
"""

import logging

from access import ids
from access.errors import TryAgain
from access.expiry import TICK_CLAIM, next_tick_at
from access.ports import Ports
from access.wire import VERSION

QUEUE = "ticks"

log = logging.getLogger(__name__)


async def renew_tick(*, ports: Ports) -> None:
    """Send the next tick, unless it is on its way.

    Raises:
        TryAgain: nobody knows that it is: a tick that came must come again, or a worker that died would end the chain.
    """
    now = ports.clock.now()
    at = next_tick_at(now)
    try:
        claim = await ports.pulse.claim_tick(at, now=now)
    except TryAgain as fault:  # the claim may have been written all the same
        raise TryAgain(fault.what, after=max(fault.after, TICK_CLAIM), fault=fault.fault) from fault
    if claim is None:
        return
    try:
        await ports.bus.send(QUEUE, {"version": VERSION}, message_id=_id("next", at), correlation_id="", at=at)
    except TryAgain:
        await ports.pulse.disclaim_tick()
        raise
    await ports.pulse.tick_sent(claim, at, now=now)


async def call_for_sweep(*, ports: Ports) -> None:
    """Have the worker sweep now. It starts work and authorises nothing (law 11); one that has just swept, rests.

    Raises:
        TryAgain: the message may not have been taken.
    """
    now = ports.clock.now()
    await ports.bus.send(QUEUE, {"version": VERSION}, message_id=_id("called for", now), correlation_id="")
    log.info("sweep.called_for")


def _id(why: str, at: object) -> str:
    return ids.digest("tick", why, str(at))
