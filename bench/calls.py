"""Every call at the seams to the outside, as a value: what was called, to be counted, and to be made again as a floor."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from access.adapters.tables import Delete, Insert, Operation, Put, Replace, Row

PEEK = "peek dead letters"
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


@dataclass(frozen=True, slots=True)
class Names:
    """What stands in a recorded call, and what is to stand there instead; and the shard of the other activation."""

    instead: Mapping[str, str]
    shard: str

    def other(self, text: str) -> str:
        """Return a text for the other ids."""
        for one, another in self.instead.items():
            text = text.replace(one, another)
        return text


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


def renamed(call: Call, names: Names) -> Call:
    """Return a call for other ids."""
    return replace(
        call,
        partition=_partition(call.table, call.partition, names),
        key=names.other(call.key),
        operations=tuple(_renamed(call.table, operation, names) for operation in call.operations),
        body=names.other(call.body.decode()).encode(),
        arguments=tuple(names.other(argument) for argument in call.arguments),
    )


def _renamed(table: str, operation: Operation, names: Names) -> Operation:
    match operation:
        case Delete(partition, key):
            return Delete(_partition(table, partition, names), names.other(key))
        case Insert(row) | Replace(row) | Put(row):
            return Put(renamed_row(table, row, names))


def renamed_row(table: str, row: Row, names: Names) -> Row:
    """Return a row for other ids."""
    values = {key: names.other(value) if isinstance(value, str) else value for key, value in row.values.items()}
    return Row(partition=_partition(table, row.partition, names), key=names.other(row.key), values=values)


def _partition(table: str, partition: str, names: Names) -> str:
    """Return the partition of another activation: its shard in ``due``, and at the end of the day's in ``audit``."""
    match table:
        case "due":
            return names.shard
        case "audit":
            return f"{partition[:-2]}{names.shard}"
        case _:
            return names.other(partition)
