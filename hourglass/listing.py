"""`hourglass list`: who holds what until when, the most urgent first."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from access.lifecycle import Work, asks_for, is_busy, is_final
from access.model import Action, Activation, State
from hourglass.outside import Outside
from hourglass.printing import console, print_json, print_table, table
from hourglass.record import Records
from hourglass.saying import instant, left, shown

SHORT_ID = 8
_AT_ONCE = 20
"""Reads under way at the same time."""


def list_held(
    context: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="With those that have ended a moment ago.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for scripts.")] = False,
) -> None:
    """List who holds what until when, what is waiting, and what is ending.

    Nothing is held without a due row, so this is complete; it costs what is live, not what exists.
    """
    outside: Outside = context.obj
    found, now = asyncio.run(_read(outside)), outside.now()
    wanted = [each for each in found if everything or not is_final(each.state)]
    wanted.sort(key=lambda each: (is_final(each.state), _next_at(each) or each.requested_at, each.id))
    if as_json:
        print_json([{**asdict(each), "overdue": is_overdue(each, now)} for each in wanted])
    else:
        print_held(wanted, now)


async def _read(outside: Outside) -> list[Activation]:
    async with outside.tables() as tables:
        records = Records(tables)
        live, found = await records.live(), list[Activation]()
        for start in range(0, len(live), _AT_ONCE):
            read = await asyncio.gather(*(records.activation(each) for each in live[start : start + _AT_ONCE]))
            found += [each for each in read if each is not None]
        return found


def is_overdue(activation: Activation, now: datetime) -> bool:
    """Whether it should have ended by ``now``, at its end or because somebody ended it, and has not been proven gone."""
    holds = asks_for(activation.state) in {Work.GIVING, Work.END, Work.REMOVAL}
    due = _next_at(activation)
    return holds and due is not None and now >= due


def _next_at(activation: Activation) -> datetime | None:
    """Return the instant of what happens to it next, if nobody does anything."""
    match asks_for(activation.state):
        case Work.DECISION:
            return activation.lapses_at
        case Work.START:
            return activation.starts_at
        case Work.REMOVAL:
            return activation.ending_since or activation.ends_at
        case _:
            return activation.ends_at


def print_held(activations: Sequence[Activation], now: datetime) -> None:
    """Print who holds what until when, in the order given, and the sums."""
    out = console()
    if not activations:
        out.print("Nobody holds anything, and nothing is waiting.")
        return
    rows = table("State", "Who holds what", "Until (UTC)", "ID")
    for each in activations:
        who = Text(shown(each.principal_name or each.principal))
        who.append(f"\n{shown(each.role_name or each.role)}", style="dim")
        rows.add_row(_state(each, now), who, _until(each, now), each.id[:SHORT_ID], style=_style(each, now))
    print_table(rows)
    held = sum(asks_for(each.state) in {Work.END, Work.REMOVAL} for each in activations)
    overdue = sum(is_overdue(each, now) for each in activations)
    out.print(f"{held} held, {overdue} overdue, {len(activations)} in all.", style="bold red" if overdue else "dim")


def _state(activation: Activation, now: datetime) -> str:
    """Return the state; of a command that was refused, also which one it was."""
    if is_overdue(activation, now):
        return f"{activation.state}\nOVERDUE"
    refused = activation.state is State.REFUSED and activation.action is not Action.ACTIVATE
    return f"{activation.state}\n{activation.action}" if refused else str(activation.state)


def _until(activation: Activation, now: datetime) -> str:
    at = None if is_final(activation.state) else _next_at(activation)
    if at is None:
        return ""
    verb = {Work.DECISION: "lapses ", Work.START: "starts "}.get(asks_for(activation.state), "")
    return f"{instant(at)}\n{verb}{left(at, now)}"


def _style(activation: Activation, now: datetime) -> str:
    if is_overdue(activation, now):
        return "bold red"
    if is_busy(activation.state):
        return "yellow"
    return "" if asks_for(activation.state) is Work.END else "dim"
