"""The parts of ``make bench``: each measures one thing, and says what it is held to."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import cards, imports, lag, lives, local, processor, sweeping
from bench.figures import Figure
from bench.lives import SERVES
from bench.prices import Prices
from bench.quantiles import Quantiles

TWICE = 2
"""Processes that measure side by side: on virtual time they don't notice each other."""


@dataclass(slots=True)
class Found:
    """What a part came to: its figures, what is to be drawn, and which sentence each call of a life serves."""

    figures: list[Figure] = field(default_factory=list)
    drawn: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    served: list[tuple[str, str, str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: the whole of it, or so little that only the benchmark itself is tried."""

    share: float = 1.0
    due: int = 1_000
    requests: int = 120
    tables: tuple[int, ...] = sweeping.SIZES


SMALL = Sizes(share=0.02, due=30, requests=16, tables=(1_000, 2_000))


def removal_lag(sizes: Sizes) -> Found:
    """Measure how late removals are in memory."""
    found = Found()
    cases = [case.smaller(sizes.share) for case in lag.CASES]
    with ProcessPoolExecutor(TWICE) as processes:
        for measured in processes.map(lag.measure, cases):
            found.figures += _lag_figures(measured)
            if measured.case in {cases[-3], *cases[:3]}:
                found.drawn.setdefault("quota" if measured.case.quota else "memory", []).extend(_lines(measured))
    return found


def _lines(measured: lag.Lag) -> list[dict[str, Any]]:
    ours = {"name": measured.case.name, "floor": False, "spans": measured.spans}
    best = {"name": "the best that the quota allows", "floor": True, "spans": measured.floor}
    return [ours, best] if measured.case.quota else [ours]


def _lag_figures(measured: lag.Lag) -> list[Figure]:
    case = measured.case
    bounded = case.quota is not None or case.lose_scheduled
    figures = _quantiles(
        "Revocation lag, in memory", case.name, measured.quantiles, measured.floor_quantiles if bounded else None
    )
    if not case.is_plain:
        return list(figures.values())
    if case.quota is None:
        figures["p99"] = figures["p99"].within(5.0, "within 5 s")
    elif measured.floor_quantiles.worst:
        figures["worst"] = figures["worst"].within_floor(1.2)
    return list(figures.values())


def _quantiles(group: str, name: str, ours: Quantiles, floor: Quantiles | None) -> dict[str, Figure]:
    beside = asdict(floor) if floor else {}
    return {
        which: Figure(group=group, name=f"{name}: {which}", value=value, unit="s", floor=beside.get(which))
        for which, value in asdict(ours).items()
    }


def operations(_: Sizes) -> Found:
    """Count what one activation costs over its life."""
    found, prices = Found(), Prices.read()
    for life in lives.measure():
        calls = {to: life.total(to) for to in ("tables", "bus", "directory")}
        cost = prices.of_a_million({**calls, "bus": calls["bus"] + 2 * life.receives})
        group = f"Calls of one life, {life.name}"
        found.figures += [
            Figure(group=group, name="transactions of the tables", value=calls["tables"]),
            Figure(group=group, name="messages sent", value=calls["bus"]),
            Figure(group=group, name="messages received and completed", value=life.receives),
            Figure(group=group, name="calls to Graph", value=calls["directory"]),
            Figure(
                group=group, name=f"a million lives at list prices of {prices.as_of}", value=cost, unit=prices.currency
            ),
        ]
        found.served += [
            (life.name, str(times), to, what, SERVES[what]) for (to, what), times in sorted(life.count.items())
        ]
    return found


def own_time(_: Sizes) -> Found:
    """Measure the processor time of our own code."""
    took = processor.measure()
    figure = Figure(
        group="Processor time, in memory",
        name="one life: our code, without that of the fakes",
        value=took.ours - took.floor,
        unit="ms",
    )
    return Found([figure.within(15.0, "under 15 ms")])


def sweep(sizes: Sizes) -> Found:
    """Time sweeps while the tables grow."""
    with _folder() as folder:
        swept = asyncio.run(sweeping.measure(folder, sizes.tables))
    found, smallest = Found(), {one.due: one for one in reversed(swept)}
    for one in swept:
        name = f"{one.size:,} activations, {one.due} due"
        flat = one.calls == smallest[one.due].calls
        found.figures += [
            Figure(
                group="Sweep",
                name=f"{name}: tables",
                value=f"{one.queries} queries, {one.tables} calls in all",
                target="flat" if one.due else f"flat, at most {sweeping.QUERIES} queries",
                met=flat and (one.due > 0 or one.queries <= sweeping.QUERIES),
            ),
            Figure(group="Sweep", name=f"{name}: time", value=one.seconds, unit="s", floor=one.floor).within_floor(1.5),
        ]
    for due in smallest:
        rows = [one for one in swept if one.due == due]
        for floor, name in ((False, f"{due} due"), (True, f"{due} due, the SDKs alone")):
            seconds = [one.floor if floor else one.seconds for one in rows]
            line = {"name": name, "floor": floor, "sizes": [one.size for one in rows], "seconds": seconds}
            found.drawn.setdefault("sweeps", []).append(line)
    return found


def local_lag(sizes: Sizes) -> Found:
    """Measure how late removals are on the local tenant."""
    with _folder() as folder:
        beside = asyncio.run(local.lag(folder, sizes.due))
    name = f"{sizes.due:,} due"
    ours, floor = Quantiles.of(beside.ours), Quantiles.of(beside.floor)
    figures = [one.within_floor(1.5) for one in _quantiles("Revocation lag, local tenant", name, ours, floor).values()]
    figures.append(_processor("an end", beside.processor, beside.floor_processor))
    lines = [
        {"name": name, "floor": False, "spans": beside.ours},
        {"name": "the same calls by the SDKs alone", "floor": True, "spans": beside.floor},
    ]
    return Found(figures, {"local": lines})


def throughput(sizes: Sizes) -> Found:
    """Measure how many requests a second become memberships."""
    found = Found()
    with _folder() as folder:
        rates = asyncio.run(local.throughput(folder, sizes.requests))
    for rate in rates:
        hosts = f"{rate.hosts} host{'s' if rate.hosts > 1 else ''}"
        found.figures += [
            Figure(
                group="Throughput",
                name=f"{hosts}: memberships",
                value=rate.ours,
                unit="/s",
                floor=rate.floor,
                target="at least the floor's / 1.5",
                met=rate.ours >= rate.floor / 1.5,
            ),
            _processor(f"a membership, {hosts}", rate.processor, rate.floor_processor),
        ]
    return found


def cold_start(_: Sizes) -> Found:
    """Measure how long the first request waits for a host that is not there yet."""
    with _folder() as folder:
        start = asyncio.run(local.cold_start(folder))
    figure = Figure(
        group="Cold start", name="process start to first decision", value=start.ours, unit="s", floor=start.floor
    )
    return Found([figure.within_floor(1.5)])


def indexing(_: Sizes) -> Found:
    """Measure what a host pays before it knows the functions."""
    measured = imports.measure()
    name = "`import function_app`; the floor is `import azure.functions`"
    took = Figure(group="Indexing", name=name, value=measured.ours, unit="s", floor=measured.floor)
    heavy = Figure(
        group="Indexing",
        name="of the heavy SDKs loaded by it",
        value=", ".join(measured.heavy) or "none",
        target="none",
        met=not measured.heavy,
    )
    return Found([took.within_floor(1.5), heavy])


def decisions(_: Sizes) -> Found:
    """Measure how long a person waits after pressing a button."""
    with _folder() as folder:
        pressed = asyncio.run(cards.measure(folder))
    half, most = (
        Figure(group="Card", name=f"decision, {name}", value=pressed.percentile(share) * 1000, unit="ms")
        for name, share in (("p50", 0.5), ("p95", 0.95))
    )
    memory = [
        Figure(group="Card", name=f"memory of {name}", value=size, unit="MiB").within(200, "under 200 MiB")
        for name, size in pressed.memory.items()
    ]
    return Found([half.within(300, "under 300 ms"), most, *memory])


PARTS: dict[str, Callable[[Sizes], Found]] = {
    "calls": operations,
    "processor": own_time,
    "lag": removal_lag,
    "local-lag": local_lag,
    "throughput": throughput,
    "sweep": sweep,
    "cold-start": cold_start,
    "indexing": indexing,
    "card": decisions,
}


def _processor(what: str, ours: float, floor: float) -> Figure:
    return Figure(
        group="Processor time, local tenant",
        name=f"{what}, of the host and its SDKs",
        value=ours,
        unit="ms",
        floor=floor,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hourglass-bench-") as folder:
        yield Path(folder)
