"""Bugs, planted one at a time, to see whether the simulation has eyes: each leaves access behind, or takes it from somebody."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from access import hold as holding
from access.adapters.ledger import Ledger
from access.adapters.tables import Insert, Operation, Tables
from access.hold import Hold, Outcome, Presence, Write
from access.ports import Ports
from expiry_timer import release as releasing


class _LateDueRows:
    """Tables that write due rows at the next write of anything else, and not before."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._waiting: list[Insert] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if table == "due" and isinstance(operations[0], Insert):
            self._waiting += [operation for operation in operations if isinstance(operation, Insert)]
            return [""] * len(operations)
        etags = await self._tables.write(table, operations)
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._tables.write("due", waiting)
        return etags


@contextmanager
def due_rows_after_the_transaction() -> Iterator[None]:
    """The due rows of a commit are written after its transaction: a worker that dies in between leaves no alarm."""
    commit = Ledger.commit

    async def late(self: Ledger, change: Any, *, now: Any) -> Any:
        own = Ledger.__new__(Ledger)
        own.__dict__.update(self.__dict__)
        own._tables = _LateDueRows(self._tables)
        return await commit(own, change, now=now)

    with patch.object(Ledger, "commit", late):
        yield


@contextmanager
def ending_left_without_proof() -> Iterator[None]:
    """The end is recorded when the directory said yes to the removal, or said nothing of a late grant: without a proof."""

    async def remove(hold: Hold, ports: Ports) -> tuple[Outcome, dict[str, object]]:
        hold, _ = await releasing._ask_removal(hold, ports)
        now = ports.clock.now()
        free = holding.prove(replace(hold, until=None), Presence.NOT_HELD, read_began=now, timing=ports.timing)
        assert isinstance(free, Write)
        await ports.store.write_hold(free.hold)
        return Outcome.PROVEN_GONE, {}

    with patch.object(releasing, "_remove", remove):
        yield


@contextmanager
def the_other_holders_not_counted() -> Iterator[None]:
    """A release forgets that somebody else needs the same assignment."""
    release = holding.release

    def alone(hold: Hold, activation: str, *, finished: frozenset[str], now: Any) -> holding.Release:
        return release(hold, activation, finished=finished | hold.live.keys(), now=now)

    with patch.object(holding, "release", alone):
        yield


PLANTED: dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
    "due rows after the transaction": ("law 1", due_rows_after_the_transaction),
    "ending left without a proof": ("law 2", ending_left_without_proof),
    "the other holders not counted": ("law 4", the_other_holders_not_counted),
}
"""Each bug, with the law that it breaks."""
