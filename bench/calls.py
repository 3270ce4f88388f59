"""Every call at the seams to the outside, as a value: what was called, to be counted, and to be made again as a floor."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from access.adapters.tables import Delete, Insert, Operation, Put, Replace, Row

SWEEP, TICKS = "sweep", "ticks"
"""What sweeps: the timer, and the queue of the ticks."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``to`` tables, bus or directory; ``what`` names it without ids, so that equal calls count together.

    The rest is what it takes to make it again; ``found`` are the rows that a get or a query came back with.
    """

    to: str
    what: str
    table: str = ""
    partition: str = ""
    key: str = ""
    end: str = ""
    operations: tuple[Operation, ...] = ()
    found: tuple[Row, ...] = ()
    queue: str = ""
    body: bytes = b""
    arguments: tuple[str, ...] = ()


@dataclass(slots=True)
class Delivery:
    """What was done for one message, one press of a button, or one sweep."""

    queue: str
    calls: list[Call] = field(default_factory=list)


_delivery: ContextVar[Delivery | None] = ContextVar("delivery", default=None)


def begin(delivery: Delivery | None) -> None:
    """Have what this task calls from now on be recorded in ``delivery``."""
    _delivery.set(delivery)


def note(make: Callable[[], Call]) -> None:
    """Record a call, where somebody records."""
    delivery = _delivery.get()
    if delivery is not None:
        delivery.calls.append(make())


def written(table: str, operations: Sequence[Operation]) -> str:
    """Name a transaction by what it does to which kinds of row: ``due: insert now, insert alarm``."""
    return f"write {table}: " + ", ".join(_counted([_step(table, operation) for operation in operations]))


def read(what: str, table: str, key: str) -> str:
    """Name a read: ``get activations: activation``."""
    return f"{what} {table}: {_kind(table, key, None)}"


def _step(table: str, operation: Operation) -> str:
    match operation:
        case Delete(_, key):
            return f"delete {_kind(table, key, None)}"
        case Insert(row):
            return f"insert {_kind(table, row.key, row)}"
        case Replace(row):
            return f"replace {_kind(table, row.key, row)}"
        case Put(row):
            return f"put {_kind(table, row.key, row)}"


def _kind(table: str, key: str, row: Row | None) -> str:
    """Return the kind of a row by its key; ids and instants say nothing about what it is for."""
    if table == "due":
        return str(row.values["kind"]) if row is not None else "due row"
    if table in {"activations", "holds"}:
        return key.partition("-")[0]
    return "row"


def _counted(steps: Sequence[str]) -> list[str]:
    """Return each step once, in order; several of a kind are one step in the plural."""
    return [step if steps.count(step) == 1 else f"{step} (several)" for step in dict.fromkeys(steps)]
