"""Only one of several hosts may run a timer: the holder of a lease, renewed while it lives, taken over when it dies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from local.host.log import host_log


class LeaseStore(Protocol):
    """Where a lease is kept; every method raises when the store can't be reached."""

    async def acquire(self, seconds: int) -> str | None:
        """Take the lease; return its id, or ``None`` when someone else holds it."""
        ...

    async def renew(self, lease_id: str) -> bool:
        """Keep the lease for its length again; ``False`` when it is no longer ours."""
        ...

    async def release(self, lease_id: str) -> None:
        """Give the lease back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """How long a lease lasts, how often it is renewed, and how often others ask for it; seconds."""

    length: int = 15
    renew_every: float = 5.0
    ask_every: float = 3.0

    def still_held(self, *, renewed_at: float, now: float) -> bool:
        """Return whether a lease renewed at one reading of the clock is surely held at another.

        Unsure is no: the holder gives up one renewal early, before someone else could have taken over.
        """
        return now < renewed_at + self.length - min(self.renew_every, self.length / 3)


class SoleHolder:
    """Does a piece of work for as long as this host holds the lease."""

    def __init__(self, name: str, store: LeaseStore, terms: LeaseTerms) -> None:
        self._name = name
        self._store = store
        self._terms = terms
        self._renewed_at = 0.0

    async def run(self, work: Callable[[], Awaitable[None]], *, finish: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, work while it is held, and wait again, until cancelled.

        When cancelled, the lease is kept until ``finish`` returns, and then given back.
        """
        while True:
            lease_id = await self._acquire()
            if lease_id is None:
                await asyncio.sleep(self._terms.ask_every)
                continue
            host_log.info("Lease of '%s' acquired", self._name)
            working = asyncio.ensure_future(work())
            try:
                await self._keep(lease_id, until=working)
                host_log.warning("Lease of '%s' lost", self._name)
            except asyncio.CancelledError:
                working.cancel()
                await self._keep(lease_id, until=asyncio.ensure_future(finish()))
                await self._give_back(lease_id)
                raise
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)

    async def _keep(self, lease_id: str, *, until: asyncio.Future[None]) -> None:
        """Renew the lease; return when the work is done or the lease is lost."""
        while self._terms.still_held(renewed_at=self._renewed_at, now=_clock()):
            done, _ = await asyncio.wait([until], timeout=self._terms.renew_every)
            if done:
                return until.result()
            asked_at = _clock()
            try:
                if not await self._store.renew(lease_id):
                    return None
                self._renewed_at = asked_at
            except Exception as error:  # noqa: BLE001 - the lease lasts a while without the store
                host_log.warning("Lease of '%s' not renewed: %s", self._name, error)
        return None

    async def _acquire(self) -> str | None:
        # The instant before asking: the lease began no earlier.
        self._renewed_at = _clock()
        try:
            return await self._store.acquire(self._terms.length)
        except Exception as error:  # noqa: BLE001 - the store may come back
            host_log.warning("Lease of '%s' can't be asked for: %s", self._name, error)
            return None

    async def _give_back(self, lease_id: str) -> None:
        try:
            await self._store.release(lease_id)
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            host_log.warning("Lease of '%s' not given back: %s", self._name, error)


def _clock() -> float:
    return asyncio.get_running_loop().time()
