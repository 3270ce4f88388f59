"""`hourglass quarantine`: what could never succeed. Look at it, put it back as it came, or say that nothing comes of it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from access.adapters.changes import Author
from access.adapters.quarantine import DAY_LIMIT, SetAside, TableQuarantine, Verdict, days
from access.adapters.tables import Tables
from access.wire import QUEUES, read_duration
from hourglass.direct import author, confirm, front_door, reason_of
from hourglass.outside import Outside
from hourglass.printing import console, error_console, fields, print_json, print_table, table
from hourglass.prospect import Prospect, prospect
from hourglass.readable import readable
from hourglass.saying import instant, shown
from hourglass.stopping import ExitCode, Stop

SHORT = 8
"""Digits of an id that are shown; as many as needed are taken."""
FEWEST = 4
FARTHEST = timedelta(days=400)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Messages that could never succeed.")

Since = Annotated[
    str, typer.Option(metavar="P7D|DATE", help="How far back: a length of time, or a day such as 2026-03-01.")
]
OnQueue = Annotated[str, typer.Option(help="Only of this queue.")]
WithCode = Annotated[str, typer.Option(help="Only with this code, such as HG-BODY-NOT-JSON.")]
Direct = Annotated[bool, typer.Option("--direct", help="Write the tables yourself: laptop and break glass.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask before changing something.")]
Reason = Annotated[str, typer.Option(help="Why; for the audit.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="First digits will do.")]
All = Annotated[bool, typer.Option("--all", help="All that nobody decided about, with --queue or --code.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Which:
    """Which messages are meant: by their ids, or all that are open, of a queue or with a code, since a day."""

    ids: tuple[str, ...] = ()
    queue: str = ""
    code: str = ""
    since: datetime

    def fits(self, entry: SetAside) -> bool:
        return self.queue in ("", entry.queue) and self.code.upper() in ("", entry.code)


@app.command("list")
def list_set_aside(
    context: typer.Context,
    queue: OnQueue = "",
    code: WithCode = "",
    since: Since = "P30D",
    limit: Annotated[int, typer.Option(min=1, help="Messages that are shown at most.")] = 50,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what was replayed or discarded.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it all as JSON, for scripts.")] = False,
) -> None:
    """List what was set aside and nobody decided about, newest first."""
    outside: Outside = context.obj
    which = _which(outside, queue=queue, code=code, since=since)
    found = asyncio.run(_list(outside, which, limit, everything=everything))
    if as_json:
        print_json([asdict(entry) for entry in found[:limit]])
        return
    rows = table("When (UTC)", "Queue", "Code and reason", "ID")
    for entry in found[:limit]:
        what = f"{entry.code}\n{shown(entry.what)[:200]}"
        decided = f"\n{entry.verdict} by {shown(entry.verdict_by)}" if entry.verdict else ""
        rows.add_row(instant(entry.at), shown(entry.queue), what + decided, _short(entry))
    if found:
        print_table(rows)
    more = f"; more with --limit {limit * 2}" if len(found) > limit else ""
    console().print(f"{_count(min(len(found), limit))} since {which.since:%Y-%m-%d}{more}.")


@app.command("show")
def show_set_aside(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="First digits will do.")],
    since: Since = "P30D",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it all as JSON, the bytes in base64.")] = False,
) -> None:
    """Show a message: why it was set aside, what its sender said, its bytes, and what was decided about it."""
    outside: Outside = context.obj
    entry, raw = asyncio.run(_show(outside, _which(outside, ids=(message,), since=since)))
    if as_json:
        body = None if raw is None else base64.b64encode(raw).decode()
        print_json({**asdict(entry), "body": body})
        return
    out = console()
    out.print(f"{entry.code} on {shown(entry.queue)}: {shown(entry.what)}", soft_wrap=True)
    print_table(fields(*_facts(entry)))
    out.print()
    if raw is None:
        out.print("The bytes are gone: somebody deleted the blob.")
        return
    kind, text = readable(raw)
    out.print(f"{entry.bytes} bytes, {kind}:")
    out.print(text, soft_wrap=True)


@app.command("replay")
def replay(
    context: typer.Context,
    ids: Ids = None,
    reason: Reason = "",
    queue: OnQueue = "",
    code: WithCode = "",
    since: Since = "P30D",
    *,
    every: All = False,
    direct: Direct = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and do nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Put messages back on their queues, as they came and under their ids. What was handled already does nothing."""
    outside: Outside = context.obj
    which = _which(outside, ids=_named(ids, queue, code, every=every), queue=queue, code=code, since=since)
    if not (direct or dry_run):
        raise front_door("Replaying", "hourglass quarantine replay --direct ID --reason WHY")
    why = "" if dry_run else reason_of(reason)
    chosen = asyncio.run(_ahead(outside, which))
    for entry, _, what in chosen:
        console().print(f"{_short(entry)} to {shown(entry.queue)}: {_said(what)}", soft_wrap=True)
        if entry.cut:
            error_console().print("Not all that its sender said was kept; that is not put back.", style="yellow")
    if dry_run or not chosen:
        console().print("Nothing was changed (--dry-run)." if dry_run else "Nothing to replay.")
        return
    changing = author(outside)
    confirm(f"Replay {_count(len(chosen))}?", yes=yes)
    asyncio.run(_replay(outside, [(entry, raw) for entry, raw, _ in chosen], changing, why))
    console().print(f"Replayed {_count(len(chosen))}.")


@app.command("discard")
def discard(
    context: typer.Context,
    ids: Ids = None,
    reason: Reason = "",
    queue: OnQueue = "",
    code: WithCode = "",
    since: Since = "P30D",
    *,
    every: All = False,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Say that nothing will come of messages: they are listed no more. Rows and bytes stay."""
    outside: Outside = context.obj
    which = _which(outside, ids=_named(ids, queue, code, every=every), queue=queue, code=code, since=since)
    if not direct:
        raise front_door("Discarding", "hourglass quarantine discard --direct ID --reason WHY")
    why = reason_of(reason)
    chosen = asyncio.run(_chosen(outside, which))
    for entry in chosen:
        console().print(f"{_short(entry)} of {shown(entry.queue)}: {entry.code}, {shown(entry.what)}", soft_wrap=True)
    if not chosen:
        console().print("Nothing to discard.")
        return
    changing = author(outside)
    confirm(f"Discard {_count(len(chosen))}?", yes=yes)
    asyncio.run(_discard(outside, chosen, changing, why))
    console().print(f"Discarded {_count(len(chosen))}.")


def _which(outside: Outside, *, ids: tuple[str, ...] = (), queue: str = "", code: str = "", since: str = "") -> _Which:
    if queue and queue not in QUEUES:
        remedy = f"The queues are {', '.join(QUEUES)}."
        raise Stop(f"There is no queue {shown(queue)}.", remedy=remedy, code=ExitCode.WRONG_USE)
    return _Which(ids=ids, queue=queue, code=code, since=_since(since, outside.now()))


def _since(text: str, now: datetime) -> datetime:
    span = read_duration(text)
    try:
        at = now - span if span is not None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        remedy = "Write a length of time such as P7D, or a day such as 2026-03-01."
        raise Stop(f'--since "{shown(text)}" is neither.', remedy=remedy, code=ExitCode.WRONG_USE) from None
    if not now - FARTHEST <= at <= now:
        what = f"--since goes back {FARTHEST.days} days at most, and not ahead."
        raise Stop(what, code=ExitCode.WRONG_USE)
    return at


def _named(ids: list[str] | None, queue: str, code: str, *, every: bool) -> tuple[str, ...]:
    """Return the ids that were named; none where all of a queue, or all with a code, are meant."""
    if every == bool(ids) or (every and not (queue or code)):
        remedy = "Name messages by their ids, or write --all with --queue or --code."
        raise Stop("Which messages?", remedy=remedy, code=ExitCode.WRONG_USE)
    return tuple(ids or ())


@asynccontextmanager
async def _open(outside: Outside) -> AsyncIterator[tuple[TableQuarantine, Tables]]:
    async with outside.blobs() as blobs, outside.tables() as tables:  # what the tables raise is said of the tables
        yield TableQuarantine(tables, blobs), tables


async def _list(outside: Outside, which: _Which, limit: int, *, everything: bool) -> list[SetAside]:
    """Return one more than the limit, where there is more."""
    found: list[SetAside] = []
    async with _open(outside) as (quarantine, _):
        async for entry in _since_then(quarantine, which, outside.now()):
            if which.fits(entry) and (everything or _is_open(entry)):
                found.append(entry)
                if len(found) > limit:
                    break
    return found


async def _since_then(quarantine: TableQuarantine, which: _Which, now: datetime) -> AsyncIterator[SetAside]:
    for day in days(which.since, now):
        found = await quarantine.on(day)
        if len(found) >= DAY_LIMIT:
            error_console().print(
                f"More than {DAY_LIMIT} arrived on {day:%Y-%m-%d}; some of them are not listed.", style="yellow"
            )
        for entry in found:
            yield entry


def _is_open(entry: SetAside) -> bool:
    """Whether nobody decided about it; a replay that was ordered, and not known to have been sent, is open too."""
    return entry.verdict in {None, Verdict.REPLAY_ORDERED}


async def _show(outside: Outside, which: _Which) -> tuple[SetAside, bytes | None]:
    async with _open(outside) as (quarantine, _):
        entry = await _one(quarantine, which.ids[0], which.since, outside.now())
        return entry, await quarantine.body(entry)


async def _one(quarantine: TableQuarantine, text: str, since: datetime, now: datetime) -> SetAside:
    """Return the one message whose id begins so; the day before the slash may be left out."""
    day, slash, digits = text.strip().lower().rpartition("/")
    if len(digits) < FEWEST or not set(digits) <= set("0123456789abcdef") or (slash and not _is_day(day)):
        what = f'"{shown(text)}" is no id: write at least {FEWEST} of its digits, 0 to f.'
        raise Stop(what, code=ExitCode.WRONG_USE)
    wanted = [day] if slash else [f"{each:%Y-%m-%d}" for each in days(since, now)]
    found = [entry for each in wanted for entry in await quarantine.beginning(each, digits)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(entry.id for entry in found[:5])
        raise Stop(f"{len(found)} messages begin with {digits}.", remedy=f"Write more: {listed}.")
    remedy = "hourglass quarantine list shows what there is; --since looks farther back."
    raise Stop(f"No message in quarantine begins with {digits}.", remedy=remedy)


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


async def _chosen(outside: Outside, which: _Which) -> list[SetAside]:
    async with _open(outside) as (quarantine, _):
        if which.ids:
            found = [await _one(quarantine, text, which.since, outside.now()) for text in which.ids]
            return list({entry.id: entry for entry in found}.values())
        every = _since_then(quarantine, which, outside.now())
        return [entry async for entry in every if which.fits(entry) and _is_open(entry)]


async def _ahead(outside: Outside, which: _Which) -> list[tuple[SetAside, bytes, Prospect]]:
    """Return what would come of each message that is meant.

    Raises:
        Stop: the bytes of one are gone.
    """
    chosen = await _chosen(outside, which)
    ahead = []
    async with _open(outside) as (quarantine, tables):
        for entry in chosen:
            raw = await quarantine.body(entry)
            if raw is None:
                raise Stop(f"The bytes of {entry.id} are gone: somebody deleted the blob.", remedy="Discard it.")
            what = await prospect(entry, raw, tables=tables, tenant=outside.tenant, now=outside.now())
            ahead.append((entry, raw, what))
    return ahead


async def _replay(outside: Outside, chosen: Sequence[tuple[SetAside, bytes]], changing: Author, reason: str) -> None:
    async with _open(outside) as (quarantine, _), outside.bus() as bus:
        for entry, raw in chosen:
            await quarantine.replay(entry, raw, bus, changing, reason)


async def _discard(outside: Outside, chosen: Sequence[SetAside], changing: Author, reason: str) -> None:
    async with _open(outside) as (quarantine, _):
        for entry in chosen:
            await quarantine.discard(entry, changing, reason)


def _facts(entry: SetAside) -> Sequence[tuple[str, Any]]:
    said = "; ".join(f"{name}: {value}" for name, value in entry.properties.items())
    decided = ""
    if entry.verdict and entry.verdict_at:
        through = f" ({entry.verdict_through})" if entry.verdict_through else ""
        decided = f"{entry.verdict} by {entry.verdict_by}{through} at {instant(entry.verdict_at)} UTC: {entry.reason}"
    return (
        ("id", entry.id),
        ("message", entry.identity),
        ("correlation", entry.correlation_id),
        ("arrived", f"{instant(entry.enqueued_at)} UTC" if entry.enqueued_at else ""),
        ("set aside", f"{instant(entry.at)} UTC"),
        ("properties", said + (" (not all were kept)" if entry.cut else "")),
        ("decided", decided),
    )


def _said(what: Prospect) -> str:
    named = f" Activation {what.activation}" if what.activation else ""
    return shown(what.says) + named + (f": {what.state}." if what.state else "." if named else "")


def _short(entry: SetAside) -> str:
    return entry.id.partition("/")[2][:SHORT]


def _count(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"
