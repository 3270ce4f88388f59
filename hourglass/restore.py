"""`hourglass restore`, `hourglass resume`: a ledger came back from a backup; nothing is changed until a person says go.

A backup doesn't know what happened after it. So both show what this ledger says beside what the directory shows, and what
would come of it; what would come out wrong is marked, for a person to settle first (docs/runbook.md).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from access.adapters.controls import TableControls
from access.drift import is_ours
from access.errors import TryAgain
from access.expiry import due_event
from access.hold import Presence
from access.lifecycle import Work, asks_for
from access.model import Activation, Scope, Stop
from access.ports import Ports
from hourglass.direct import author, confirm, front_door, reason_of
from hourglass.listing import SHORT_ID, is_overdue
from hourglass.outside import Outside
from hourglass.printing import console, print_table, table
from hourglass.saying import shown
from hourglass.stopping import Stop as End
from hourglass.stops import Direct, Yes, put_in_force

_SHOWS = {Presence.HELD: "held", Presence.NOT_HELD: "not held", Presence.GONE: "deleted"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One open activation, what the directory shows of it, and what follows; ``doubtful``: a person should look first."""

    activation: Activation
    shows: str
    follows: str
    _: KW_ONLY
    doubtful: bool


def restore(
    context: typer.Context,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Which backup, and why; whoever is refused reads it.")
    ] = "",
    *,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Read and report only, from now on: nothing is given, removed or mailed until hourglass resume.

    Say it before the app sees the ledger that came back. Said again, it shows the comparison again.
    """
    outside: Outside = context.obj
    why = reason_of(reason)
    if not direct:
        raise front_door("Restoring", "hourglass restore --direct")
    by = author(outside)
    confirm("Withhold every change until hourglass resume?", yes=yes)
    asyncio.run(
        _begin(Stop(scope=Scope(), restoring=True, by=by.by, through=by.through, at=by.at, reason=why), outside)
    )
    _print(asyncio.run(_compare(outside)), outside.now())
    console().print("Nothing is given, removed or mailed until: hourglass resume --reason TEXT", soft_wrap=True)


def resume(
    context: typer.Context,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it may go on; for the audit.")] = "",
    *,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Let a restored ledger go on: what is due is removed, what waits is given and told."""
    outside: Outside = context.obj
    why = reason_of(reason)
    if not direct:
        raise front_door("Resuming", "hourglass resume --direct")
    found = asyncio.run(_withheld(outside))
    if found is None:
        raise End("Nothing is withheld: no restored ledger waits.", remedy="hourglass stops lists what is stopped.")
    compared = asyncio.run(_compare(outside))
    _print(compared, outside.now())
    by = author(outside)
    confirm(f"Let it go on? {found.by} withheld every change: {shown(found.reason)}", yes=yes)

    async def lift() -> None:
        async with outside.tables() as tables:
            await TableControls(tables).lift(found, by, reason=why)

    asyncio.run(lift())
    console().print("Changes go on; what was put off follows within 15 minutes.", soft_wrap=True)


async def _begin(wanted: Stop, outside: Outside) -> None:
    async with outside.tables() as tables:
        await put_in_force(wanted, tables)


async def _withheld(outside: Outside) -> Stop | None:
    async with outside.tables() as tables:
        return await TableControls(tables).prove_only()


async def _compare(outside: Outside) -> list[Compared]:
    """Read everything that is open, and what the directory shows of it; what a person must settle comes first."""
    async with outside.ports() as ports:
        found = [await _one(each, ports, now=outside.now()) async for each in ports.store.open_activations()]
    return sorted(found, key=lambda one: (not one.doubtful, one.activation.requested_at, one.activation.id))


async def _one(activation: Activation, ports: Ports, *, now: datetime) -> Compared:
    hold = await ports.store.hold(activation.principal, activation.target)
    try:
        presence = await ports.directory.presence(activation.principal, activation.target)
    except TryAgain:
        return Compared(activation, "can't be read", "can't be told", doubtful=True)
    follows, doubtful = what_follows(activation, presence, ours=is_ours(hold), now=now)
    return Compared(activation, _SHOWS[presence], follows, doubtful=doubtful)


def what_follows(activation: Activation, presence: Presence, *, ours: bool, now: datetime) -> tuple[str, bool]:
    """Return what comes of an activation once changes go on, and whether a person should look at it first.

    ``ours``: this ledger says that it asked for what is held, and that it was not held before.
    """
    held, due = presence is Presence.HELD, due_event(activation, now=now) is not None
    work = asks_for(activation.state)
    if held and not ours and not activation.held_before:
        return "given after the backup? It stays, as if held before", True
    if work is Work.REMOVAL or (due and work in {Work.END, Work.GIVING}):
        return ("is removed" if ours else "ends, and stays: held before") if held else "is proven gone", False
    if work is Work.END:
        return "goes on until its end" if held else "removed since; not given again", False
    if due:
        return "is closed", False
    going_on = {Work.DECISION: "waits for its decision", Work.START: "starts at its time"}
    return going_on.get(work, "becomes active" if held else "is given"), False


def _print(compared: Sequence[Compared], now: datetime) -> None:
    out = console()
    if not compared:
        out.print("This ledger has nothing open.")
    else:
        rows = table("Recorded", "Directory", "Who holds what", "Once changes go on", "ID")
        for one in compared:
            each = one.activation
            who = Text(shown(each.principal_name or each.principal))
            who.append(f"\n{shown(each.role_name or each.role)}", style="dim")
            follows = f"{'LOOK: ' if one.doubtful else ''}{one.follows}"
            state = f"{each.state}{'\nOVERDUE' if is_overdue(each, now) else ''}"
            rows.add_row(state, one.shows, who, follows, each.id[:SHORT_ID], style="bold red" if one.doubtful else "")
        print_table(rows)
        doubtful = sum(one.doubtful for one in compared)
        out.print(f"{len(compared)} open, {doubtful} to look at.", style="bold red" if doubtful else "dim")
    out.print("What is held that this ledger doesn't know of: hourglass reconcile.", soft_wrap=True)
