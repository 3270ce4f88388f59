"""`hourglass show`: one activation and all about it, for the person who is asked "what happened?"."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from access.expiry import ALARM_ROW, NOW_ROW, RETRY_ROW
from access.lifecycle import is_busy, is_final
from access.model import Action, Door
from access.policy import spoken
from hourglass.outside import Outside
from hourglass.printing import console, fields, print_json, print_table, table
from hourglass.record import Record, Records
from hourglass.saying import instant, left, shown
from hourglass.stopping import ExitCode, Stop

ID_LENGTH = 32
SHORTEST = 4
POLL_SECONDS = 1.0

_ROWS = {NOW_ROW: "look", ALARM_ROW: "alarm", RETRY_ROW: "retry"}
"""What a due row is for, in a word."""


def show(
    context: typer.Context,
    activation: Annotated[str, typer.Argument(metavar="ID", help="The id; of a live one, its first digits will do.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it all as JSON, for scripts.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is there and nothing is under way.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that --wait waits at most.")] = 120.0,
) -> None:
    """Show an activation: its events, who was asked, what is left to send, what is due, who holds the target."""
    outside: Outside = context.obj
    record = asyncio.run(_read(outside, activation.strip().lower(), timeout if wait else 0.0))
    if as_json:
        print_json(_as_json(record))
    else:
        _print(record, outside.now())
    if record.chain_broken:
        raise typer.Exit(ExitCode.REFUSED)


async def _read(outside: Outside, text: str, patience: float) -> Record:
    waited = 0.0
    async with outside.tables() as tables:
        records = Records(tables)
        while True:
            record = await records.record(await whole(records, text))
            if record is not None and (not patience or not is_busy(record.activation.state)):
                return record
            if waited >= patience:
                break
            await outside.pause(POLL_SECONDS)
            waited += POLL_SECONDS
    if record is not None:
        raise Stop(f"It is still {record.activation.state} after {patience:.0f} s.", remedy="Wait longer: --timeout.")
    raise Stop(
        f"There is no activation {shown(text)}.",
        remedy="A new request takes a moment: --wait waits for it. hourglass list shows what is live.",
    )


async def whole(records: Records, text: str) -> str:
    """Return the id that ``text`` begins; an id that can't be one is looked for among those that are live."""
    if not text or not set(text) <= set("0123456789abcdef") or len(text) > ID_LENGTH:
        raise Stop(f'"{shown(text)}" is no id: ids are 32 digits, 0 to f.', code=ExitCode.WRONG_USE)
    if len(text) == ID_LENGTH:
        return text
    if len(text) < SHORTEST:
        raise Stop(f"Write at least {SHORTEST} digits of the id.", code=ExitCode.WRONG_USE)
    fitting = [each for each in await records.live() if each.startswith(text)]
    if len(fitting) > 1:
        raise Stop(f"{len(fitting)} ids begin with {text}.", remedy="Write more of it.", code=ExitCode.WRONG_USE)
    if not fitting:
        remedy = "What has ended for good is found by its whole id only."
        raise Stop(f"Nothing live begins with {text}.", remedy=remedy)
    return fitting[0]


def _print(record: Record, now: datetime) -> None:
    out, activation = console(), record.activation
    heading = Text(f"{shown(activation.role_name or activation.role)} for {shown(activation.principal_name)}: ")
    heading.append(str(activation.state), style="bold")
    out.print(heading)
    print_table(_facts(record, now))
    if activation.unmet:
        rows = table("Unmet demand", "What to do")
        for demand in activation.unmet:
            rows.add_row(Text(shown(demand.what)).append(f"\n{demand.code}", style="dim"), shown(demand.remedy))
        out.print()
        print_table(rows)
    _print_events(out, record)
    if record.asked:
        rows = table("Asked", "Address", "Card", "When (UTC)")
        for asked in record.asked:
            rows.add_row(
                shown(asked.name), shown(asked.address), "yes" if asked.card else "no", instant(asked.asked_at)
            )
        out.print()
        print_table(rows)
    out.print()
    print_table(_around(record, now))


def _facts(record: Record, now: datetime) -> Table:
    activation, names = record.activation, _names(record)
    proven = "" if activation.door is Door.SIGNED_IN else " (who asked is not proven)"
    through = f", through {activation.through}{proven}" if activation.through else proven
    ticket = activation.ticket
    decided, over = "", is_final(activation.state)
    if activation.decided_at:
        decided = f"{activation.decision} by {activation.decided_by_name} at {instant(activation.decided_at)}"
    return fields(
        ("id", activation.id),
        ("asks to", "" if activation.action is Action.ACTIVATE else activation.action),
        ("extends", activation.extends or ""),
        ("asked by", f"{activation.requester_name or activation.requester}{through}"),
        ("asked at", f"{instant(activation.requested_at)} UTC"),
        ("for", spoken(activation.duration) if activation.duration else ""),
        ("starts", _when(activation.starts_at, now)),
        ("ends", "" if over else _when(activation.ends_at, now)),
        ("was to end", f"{instant(activation.ends_at)} UTC" if over and activation.ends_at else ""),
        ("lapses", "" if activation.decided_at or over else _when(activation.lapses_at, now)),
        ("why", activation.justification),
        ("ticket", f"{ticket.system} {ticket.number}".strip() if ticket else ""),
        ("decision", decided),
        ("note", activation.decision_note),
        ("cause", activation.cause or ""),
        ("ended by", names.get(activation.ended_by or "", activation.ended_by or "")),
        ("because", activation.end_reason),
    )


def _when(at: datetime | None, now: datetime) -> str:
    return f"{instant(at)} UTC ({left(at, now)})" if at else ""


def _print_events(out: Console, record: Record) -> None:
    names = _names(record)
    rows = table("When (UTC)", "What", "Who")
    for event in record.events:
        what = Text(event.event)
        if details := _details(event.details, names):
            what.append(f"\n{details}", style="dim")
        rows.add_row(instant(event.at), what, shown(names.get(event.by, event.by)))
    out.print()
    print_table(rows)
    if record.chain_broken:
        out.print(f"THE CHAIN OF EVENTS IS BROKEN: {record.chain_broken}.", style="bold red")
    else:
        count = len(record.events)
        out.print(f"The chain of {count} event{'' if count == 1 else 's'} holds.", style="dim")


def _names(record: Record) -> Mapping[str, str]:
    activation = record.activation
    named = {activation.requester: activation.requester_name, activation.principal: activation.principal_name}
    if activation.decided_by:
        named[activation.decided_by] = activation.decided_by_name
    return {
        **{asked.account: asked.name for asked in record.asked},
        **{key: name for key, name in named.items() if name},
    }


def _details(details: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the details that say something; accounts by their names, where those are on record."""

    def said(value: Any) -> str:
        return shown(", ".join(map(said, value)) if isinstance(value, list) else names.get(str(value), str(value)))

    told = ((key, value) for key, value in details.items() if value not in (None, "", [], {}, False))
    return "; ".join(f"{key}: {said(value)}" for key, value in told)


def _around(record: Record, now: datetime) -> Table:
    """What the machinery knows: for ops, and for nobody else."""
    outbox = ", ".join(f"{row.key} to {row.queue}" for row in record.outbox) or "empty: everything has left"
    due = "\n".join(
        f"{_ROWS.get(row.kind, row.kind)} at {instant(row.at)} UTC ({left(row.at, now)})"
        + (f", {row.tries} tries" if row.tries else "")
        for row in sorted(record.due, key=lambda row: row.at)
    )
    hold, held = record.hold, "none: the directory was not asked"
    if hold is not None:
        held = f"{hold.phase}; live: {len(hold.live)}; held before: {hold.before}; asked {hold.asked} times"
    return fields(("outbox", outbox), ("due", Text(due or "nothing")), ("hold", held))


def _as_json(record: Record) -> dict[str, Any]:
    content = asdict(record)
    for asked in content["asked"]:
        del asked["nonce"]  # a card's nonce is worth something while the question is open
    return content
