"""One run: people ask while rounds of trouble go by; then everything settles, and the verdict is given."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import httpx

from access.adapters import keys
from access.adapters.build import build_credential, build_tables
from access.adapters.settings import read
from access.adapters.tables import Tables
from access.errors import TryAgain
from access.lifecycle import is_final
from access.model import Due
from hourglass.record import Record, Records
from local.demo.world import World
from tests.chaos.people import People
from tests.chaos.plan import Plan, Round, Victim
from tests.chaos.scene import GROUPS, Scene
from tests.chaos.verdict import Found, broken_laws, duplicates, is_explained

type Say = Callable[[str], None]

_LOOK_AGAIN = 2.0
_SWEEP_EVERY = 6.0
_SAID_EVERY = 30.0
_CALM_START = 6.0
"""Seconds before the first round, so that the first ones are given before anything goes wrong."""


def say(line: str) -> None:
    """Write a line of progress at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a run was like, and what it broke."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    weathers: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    sent_twice: int = 0
    given_back: int = 0
    states: Counter[str] = field(default_factory=Counter)
    provisioned: int = 0
    mails: int = 0
    mails_twice: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)
    settled_after: float | None = None
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the summary for people."""
        lag = "nothing was removed"
        if len(self.lags) > 1:
            cuts = quantiles(self.lags, n=100, method="inclusive")
            lag = f"p50 {cuts[49]:.0f} s, p95 {cuts[94]:.0f} s, worst {max(self.lags):.0f} s after the end"
        settled = "never" if self.settled_after is None else f"{self.settled_after:.0f} s after the last round"
        return [
            f"killed      {_counted(self.kills)}",
            f"directory   {_counted(self.weathers)} (rounds)",
            f"requests    {self.requests}, {self.sent_twice} of them sent twice; {self.given_back} given back",
            f"outcomes    {_counted(self.states)}; {self.provisioned} were given",
            f"mails       {self.mails}, {self.mails_twice} of them twice",
            f"set aside   {_counted(self.set_aside)} (dead letters of work that was done)",
            f"proven gone {lag}",
            f"settled     {settled}; {self.seconds:.0f} s in all",
        ]


class Run:
    """Plays one plan."""

    def __init__(self, plan: Plan, folder: Path, say: Say) -> None:
        self._plan, self._say = plan, say
        self._scene = Scene(folder, plan.size, plan.held_before())
        self._began, self._born = time.monotonic(), _now()
        self._troubles: list[tuple[datetime, datetime]] = []
        self.summary = Summary(seed=plan.seed)

    async def play(self) -> Summary:
        """Play it to its end, and return what it was like."""
        scene, summary = self._scene, self.summary
        async with scene.up(), _world(scene) as world, _tables(scene) as tables:
            self._tell(f"up: two hosts, storage, broker, directory; {self._plan.size.people} people begin to ask")
            people = People(world, self._plan)
            people.begin()
            try:
                await asyncio.sleep(_CALM_START)
                for one in self._plan.rounds():
                    await self._play(one)
                self._tell("the weather clears; nobody asks any more")
                await scene.end_of_trouble()
                await people.stop_asking()
                await self._settle(people, tables)
            finally:
                await people.leave()
            found = await self._found(people, tables)
            self._sum_up(people, found)
            summary.broken = broken_laws(found)
        summary.seconds = time.monotonic() - self._began
        return summary

    async def _play(self, one: Round) -> None:
        scene, summary, began = self._scene, self.summary, _now()
        await scene.let_it(one.weather)
        await scene.trouble(one.broker_faults)
        await asyncio.sleep(one.quiet)
        killed = _now()
        await scene.kill(*one.names)
        if Victim.DEPLOY in one.victims:
            scene.deploy()
        await asyncio.sleep(one.down)
        await scene.start(*one.names)
        summary.kills.update(victim.value for victim in one.victims)
        summary.weathers.update([one.weather.value])
        self._troubles.append((began, _now()))
        what = " and ".join(victim.value if victim is not Victim.HOST else "a host" for victim in one.victims)
        trouble = "; ".join(f"{queue}: {', '.join(kinds)}" for queue, kinds in one.broker_faults.items())
        down = (_now() - killed).total_seconds()
        self._tell(f"round {one.number:2}  killed {what}, down {down:.0f} s; {one.weather}; {trouble}")

    async def _settle(self, people: People, tables: Tables) -> None:
        """Wait until nothing is left to do; sweeps are asked for meanwhile, as whoever watches from outside does."""
        began, swept = time.monotonic(), 0.0
        while (spent := time.monotonic() - began) < self._plan.size.settles_within:
            if spent - swept >= _SWEEP_EVERY:
                swept = spent
                await self._scene.sweep()
            try:
                left = await self._left(people, tables)
            except (TryAgain, httpx.HTTPError) as trouble:
                left = str(trouble)
            if not left:
                self.summary.settled_after = spent
                return
            if spent % _SAID_EVERY < _LOOK_AGAIN:
                self._tell(f"settling: {left}")
            await asyncio.sleep(_LOOK_AGAIN)
        self._tell(f"not settled after {self._plan.size.settles_within} s: {await self._left(people, tables)}")

    async def _left(self, people: People, tables: Tables) -> str:
        """Say what is left to do; empty: nothing."""
        queues = await self._scene.queues()
        waiting = {name: count for name, entity in queues.items() if (count := _undone(entity))}
        if waiting:
            return ", ".join(f"{count} in {name}" for name, count in waiting.items())
        records = Records(tables)
        found = [record for key in await records.live() if (record := await records.record(key)) is not None]
        still = sum(not is_final(record.activation.state) for record in found)
        rows = sum(not _is_explained(due, record) for record in found for due in record.due)
        unrecorded = [one for one in people.asked if await records.activation(one) is None] if not still else []
        left = {"activations": still, "due rows": rows, "requests": len(unrecorded)}
        return ", ".join(f"{count} {name}" for name, count in left.items() if count)

    async def _found(self, people: People, tables: Tables) -> Found:
        records, scene, asked = Records(tables), self._scene, people.asked
        read = {activation: await records.record(activation) for activation in asked}
        known = {key: record for key, record in read.items() if record is not None}
        self.summary.lags = [lag for record in known.values() for lag in _lags(record)]
        queues = await scene.queues()
        days = {keys.day(at) for at in (self._born, _now())}
        return Found(
            asked=asked,
            requests=people.requests,
            given_back=people.given_back,
            refusals=frozenset([wish for wish in people.given_back if await records.activation(wish)]),
            activations={key: record.activation for key, record in known.items()},
            events={key: [event.event for event in record.events] for key, record in known.items()},
            broken_chains={key: record.chain_broken for key, record in known.items() if record.chain_broken},
            audited=await _audited(tables, days),
            outbox={key: [row.key for row in record.outbox] for key, record in known.items()},
            due=[due for record in known.values() for due in record.due],
            members={group: await scene.members(group) for group in GROUPS},
            theirs=scene.theirs,
            at=_now(),
            mails=await scene.mails(),
            dead={name: entity["dead"] for name, entity in queues.items()},
            waiting={name: _undone(entity) for name, entity in queues.items()},
            set_aside=await _set_aside(tables, days),
            troubles=self._troubles,
        )

    def _sum_up(self, people: People, found: Found) -> None:
        summary = self.summary
        summary.requests, summary.sent_twice = len(found.asked), people.sent_twice
        summary.given_back = len(found.given_back)
        summary.states.update(activation.state.value for activation in found.activations.values())
        summary.provisioned = sum("activation.provisioned" in events for events in found.events.values())
        summary.mails, summary.mails_twice = len(found.mails), duplicates(found)
        summary.set_aside.update(str(row["queue"]) for row in found.set_aside)

    def _tell(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.0f} s  {what}")


@asynccontextmanager
async def _world(scene: Scene) -> AsyncIterator[World]:
    async with World(scene.tenant.settings, directory=scene.directory, mailbox=scene.mailbox) as world:
        yield world


@asynccontextmanager
async def _tables(scene: Scene) -> AsyncIterator[Tables]:
    settings = read(scene.tenant.settings)
    credential = build_credential(settings)
    tables = build_tables(settings, credential)
    try:
        yield tables
    finally:
        await tables.close()
        await credential.close()


def _undone(entity: Mapping[str, int]) -> int:
    return sum(entity[condition] for condition in ("ready", "locked", "scheduled"))


def _is_explained(due: Due, record: Record) -> bool:
    return is_explained(due, record.activation, outbox_empty=not record.outbox, now=_now())


def _lags(record: Record) -> list[float]:
    """Return how late a removal was proven, where it was due by the clock."""
    proven = [event.details for event in record.events if event.event == "removal.proven"]
    return [float(one["lag_seconds"]) for one in proven if one["outcome"] == "proven_gone" and one["lag_seconds"]]


async def _audited(tables: Tables, days: set[str]) -> Counter[str]:
    """Count the copies of events in the audit, by activation."""
    found: Counter[str] = Counter()
    for partition in (f"{day}-{shard}" for day in days for shard in keys.shards()):
        async for row in tables.query("audit", partition, start="0", end=keys.END):
            found[str(row.values.get("activation", ""))] += 1
    return found


async def _set_aside(tables: Tables, days: set[str]) -> list[Mapping[str, object]]:
    found: list[Mapping[str, object]] = []
    for day in days:
        found += [row.values async for row in tables.query("quarantine", day, start="0", end=keys.END)]
    return found


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items())) or "none"


def _now() -> datetime:
    return datetime.now(UTC)
