"""`hourglass revoke`: ends what somebody holds, or everything, and stays until it is proven gone.

Restartable: nothing is kept but the stop and what is on record, so running it again goes on (docs/decisions/0015).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Self

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from access.adapters.changes import Author
from access.adapters.controls import TableControls
from access.errors import TryAgain
from access.events import Event
from access.lifecycle import is_final, may
from access.model import Activation, Scope, Stop
from access.ports import Store
from expiry_timer.revoke import Revocation, revoke
from hourglass.direct import author, confirm, front_door, reason_of
from hourglass.listing import SHORT_ID, print_held
from hourglass.outside import Outside
from hourglass.printing import console, error_console, print_table, table
from hourglass.record import Records
from hourglass.saying import instant, left, shown
from hourglass.show import whole
from hourglass.stopping import ExitCode
from hourglass.stopping import Stop as End
from hourglass.stops import Direct, Principal, Role, Yes, put_in_force, scope_of, spoken

AT_ONCE = 20
"""Revocations under way at the same time."""

POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What is to end: one activation by its id, or all of a scope."""

    scope: Scope
    activation: str = ""


@dataclass(slots=True)
class Ended:
    """What was found so far, each as it was read last. ``complete``: nothing more can come up."""

    found: dict[str, Activation] = field(default_factory=dict)
    complete: bool = False

    @property
    def unproven(self) -> list[Activation]:
        """What is not final yet, the oldest first."""
        waiting = [each for each in self.found.values() if not is_final(each.state)]
        return sorted(waiting, key=lambda each: (each.ending_since or each.requested_at, each.id))


def revoke_held(
    context: typer.Context,
    role: Role = "",
    principal: Principal = "",
    activation: Annotated[str, typer.Option(metavar="ID", help="Only this activation; its first digits will do.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; the requesters read it.")] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Everything that anybody holds or waits for.")] = False,
    direct: Direct = False,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would end, and end nothing.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Don't wait until all of it is proven gone.")] = False,
) -> None:
    """End everything, or what one role gives, one account holds, or one activation; and wait until it is proven gone.

    With --all, --role or --principal, giving is stopped first, and stays so until hourglass start granting. It can be
    interrupted and run again: it goes on.
    """
    outside: Outside = context.obj
    if [bool(activation), everything, bool(role or principal)].count(True) != 1:
        raise End("Name what is to end: one of --all, --role, --principal or --activation.", code=ExitCode.WRONG_USE)
    why = "" if dry_run else reason_of(reason)
    if not direct and not dry_run:
        raise front_door("Revoking", "hourglass revoke --direct")
    meant, found = asyncio.run(_find(role, principal, activation, outside))
    print_held(found, outside.now())
    if dry_run:
        console().print("Nothing was ended (--dry-run).")
        return
    asyncio.run(_warn_of_restore(outside))
    by = author(outside)
    question = "End it?" if meant.activation else f"Stop giving {spoken(meant.scope)}, and end all of this?"
    confirm(question, yes=yes)
    ended = Ended({each.id: each for each in found})
    try:
        asyncio.run(_end(meant, ended, by, why, outside, wait=not no_wait))
    except KeyboardInterrupt:
        error_console().print("Interrupted. What was begun goes on without you.", soft_wrap=True)
    _report(meant, ended, outside)


async def _find(role: str, principal: str, activation: str, outside: Outside) -> tuple[Meant, list[Activation]]:
    async with outside.tables() as tables:
        if activation:
            records = Records(tables)
            one = await records.activation(await whole(records, activation.strip().lower()))
            if one is None:
                raise End(f"There is no activation {shown(activation)}.", remedy="hourglass list shows what is live.")
            return Meant(scope=Scope(), activation=one.id), [one]
    meant = Meant(scope=await scope_of(role, principal, outside, may_be_removed=True))
    async with outside.store() as store:
        found = [each async for each in _open(meant, store)]
    if role and not found:
        await scope_of(role, "", outside)
    return meant, found


async def _warn_of_restore(outside: Outside) -> None:
    """Say that nothing will be removed while a restored ledger waits: whoever waits for proofs would wait in vain."""
    async with outside.tables() as tables:
        if await TableControls(tables).prove_only() is not None:
            warning = (
                "A restored ledger waits for a person's word: what is ended is removed only after hourglass resume."
            )
            error_console().print(warning, style="yellow", soft_wrap=True)


async def _end(meant: Meant, ended: Ended, by: Author, why: str, outside: Outside, *, wait: bool) -> None:
    """Stop giving, end what is found, and walk again until nothing more can come up; with ``wait``, until all is final."""
    complete_at = outside.now()
    if not meant.activation:
        async with outside.tables() as tables:
            await put_in_force(Stop(scope=meant.scope, by=by.by, through=by.through, at=by.at, reason=why), tables)
        complete_at = outside.now() + outside.timing.in_flight
    revocation = Revocation(by=by.by, through=by.through, reason=why)
    async with outside.store() as store:
        with _Progress() as progress:
            while True:
                began = outside.now()
                revocable = await _walk(meant, ended, revocation, store, outside)
                ended.complete = not revocable and began >= complete_at
                progress.show(ended)
                if not revocable and (not wait or (ended.complete and not ended.unproven)):
                    return
                await outside.pause(POLL_SECONDS)


async def _walk(meant: Meant, ended: Ended, revocation: Revocation, store: Store, outside: Outside) -> int:
    """Look at everything that is open, whole, and end what can be ended; return how many that were.

    What can't be written now is found again by the next walk.
    """
    seen = {each.id: each async for each in _open(meant, store)}
    closed = [each.id for each in ended.unproven if each.id not in seen]
    revocable = [each.id for each in seen.values() if may(each.state, Event.REVOKED)]

    async def look(each: str) -> Activation | None:
        try:
            if each in closed:
                return await store.activation(each)
            return await revoke(each, revocation, store=store, now=outside.now())
        except TryAgain:
            return None

    ended.found.update(seen)
    ids = [*closed, *revocable]
    for begin in range(0, len(ids), AT_ONCE):
        read = await asyncio.gather(*map(look, ids[begin : begin + AT_ONCE]))
        ended.found.update({each.id: each for each in read if each is not None})
    return len(revocable)


async def _open(meant: Meant, store: Store) -> AsyncIterator[Activation]:
    """Yield what is meant and not final."""
    if not meant.activation:
        async for each in store.open_activations():
            if meant.scope.covers(each.role, each.principal):
                yield each
        return
    one = await store.activation(meant.activation)
    if one is not None and not is_final(one.state):
        yield one


class _Progress:
    """Shows how far it is: a bar on a terminal, a line for each change in a pipe."""

    def __init__(self) -> None:
        self._out = console()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), console=self._out, disable=not self._out.is_terminal
        )
        self._task = self._bar.add_task("", total=None)
        self._last = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, ended: Ended) -> None:
        """Show how many were found, are ending, and are proven."""
        found, unproven = len(ended.found), len(ended.unproven)
        text = f"{found} found, {unproven} ending, {found - unproven} proven"
        self._bar.update(self._task, description=text, total=found, completed=found - unproven)
        if text != self._last and not self._out.is_terminal:
            self._out.print(text)
        self._last = text


def _report(meant: Meant, ended: Ended, outside: Outside) -> None:
    """Say what is proven and what is not, and since when.

    Raises:
        Stop: something is not proven.
    """
    out, now, unproven = console(), outside.now(), ended.unproven
    if unproven:
        rows = table("Not proven gone", "Who holds what", "Since (UTC)", "ID")
        for each in unproven:
            who = Text(shown(each.principal_name or each.principal))
            who.append(f"\n{shown(each.role_name or each.role)}", style="dim")
            since = each.ending_since or each.ends_at
            rows.add_row(
                str(each.state), who, f"{instant(since)}\n{left(since, now)}" if since else "", each.id[:SHORT_ID]
            )
        print_table(rows)
    if not meant.activation:
        lift = f"hourglass start granting {_options(meant.scope)}--reason TEXT"
        out.print(f"Giving {spoken(meant.scope)} stays stopped until somebody lifts it: {lift}", soft_wrap=True)
    remedy = "Run the same command again: it goes on. Overdue removals: docs/runbook.md."
    if unproven:
        raise End(f"{len(unproven)} of {len(ended.found)} are not proven gone yet.", remedy=remedy)
    if not ended.complete:
        raise End("Calls that were under way when giving was stopped may still land.", remedy=remedy)
    out.print(f"{len(ended.found)} found; all are closed, and whatever was given is proven gone.", soft_wrap=True)


def _options(scope: Scope) -> str:
    if scope.role:
        return f"--role {shown(scope.role)} "
    return f"--principal {shown(scope.principal)} " if scope.principal else ""
