"""Is the sweep alive? Whoever asks learns that one thing, and nothing of what is inside."""

from access.expiry import is_fresh
from access.ports import Ports


async def sweep_is_fresh(*, ports: Ports) -> bool:
    """Whether the last finished sweep is so young that the next one is not missed.

    Raises:
        TryAgain: it can't be read now; then nothing is known, and nothing is to be called well (law 9).
    """
    beat = await ports.pulse.last_beat()
    return is_fresh(beat.ended if beat else None, now=ports.clock.now())
