"""`hourglass reconcile`: what differs between the directory and the record; `--repair` ends what is ours and overdue.

Looking writes nothing: what is found here is still reported to ops by the hourly look.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from access.adapters import keys
from access.adapters.changes import commit, record
from access.drift import Finding, Kind
from access.errors import TryAgain
from access.model import Target
from access.ports import Ports
from expiry_timer.reconcile import Mode, Reconciled, only_looking, reconcile
from expiry_timer.repair import Repaired
from hourglass.direct import author, confirm, front_door
from hourglass.outside import Outside
from hourglass.printing import console, error_console, print_json, print_table, table
from hourglass.saying import instant, shown
from hourglass.stopping import ExitCode, Stop

PATIENCE = timedelta(minutes=15)
"""How long a repair is waited for; what is left then is gone on with by running it again."""

MEANINGS = {
    Kind.MISSING: "removed by hand; it is not put back",
    Kind.UNEXPLAINED: "not given by us; it is not taken",
    Kind.RETURNED: "proven gone, and back; it is not taken",
    Kind.OVERDUE: "ours, and its end is over",
    Kind.GONE: "deleted from the directory",
}


def reconcile_held(
    context: typer.Context,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="End and remove what is provably ours and overdue.")] = False,
    direct: Annotated[bool, typer.Option("--direct", help="Repair yourself: laptop and break glass.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before repairing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for scripts.")] = False,
) -> None:
    """Compare the directory with the record, both ways. Looking changes nothing.

    Where something seems not to be there, it looks a second time, the proof window later. The exit code is 1 where
    something differs, or could not be read.
    """
    outside: Outside = context.obj
    if repair and not direct:
        raise front_door("Repairing", "hourglass reconcile --repair --direct")
    done, names = asyncio.run(_look(outside))
    if not as_json:
        _print(done, names)
    if repair:
        done.repaired = _repair(done, outside, yes=yes)
    if as_json:
        print_json(_plain(done))
    elif repair:
        _print_repaired(done.repaired, names)
    if done.findings or done.failed:
        raise typer.Exit(ExitCode.REFUSED)


async def _look(outside: Outside) -> tuple[Reconciled, Mapping[str, str]]:
    """Look, and look again where one look can mislead."""
    async with outside.ports() as opened:
        ports = only_looking(opened)
        done = await reconcile(ports=ports, mode=Mode.LOOK)
        if done.unsure:
            seconds = opened.timing.proof_window.total_seconds() + 1
            said = f"One look can mislead: looking again in {seconds:.0f} seconds."
            error_console().print(said, soft_wrap=True)
            await outside.pause(seconds)
            done = await reconcile(ports=ports, mode=Mode.LOOK)
        return done, await _names(done.findings, opened)


async def _names(findings: Sequence[Finding], ports: Ports) -> Mapping[str, str]:
    """Return what to call accounts and targets; an id is shown where there is no name, or none can be had now."""
    found: dict[str, str] = {}
    for role in (await ports.register.roles()).values():
        known = found.get(role.target.id)
        found[role.target.id] = f"{known}, {role.name}" if known else role.name
    try:
        for principal in {finding.principal for finding in findings if finding.principal}:
            if account := await ports.directory.account(principal):
                found[principal] = account.user_principal_name or account.name
    except TryAgain:
        return found
    return found


def _print(done: Reconciled, names: Mapping[str, str]) -> None:
    out = console()
    if done.findings:
        rows = table("Found", "Who", "What", "Since (UTC)")
        for finding in done.findings:
            who = names.get(finding.principal, finding.principal) or "-"
            what = _named(finding.target, names) if finding.target else "-"
            style = "bold red" if finding.kind in {Kind.OVERDUE, Kind.RETURNED} else ""
            rows.add_row(finding.kind.value, shown(who), shown(what), instant(finding.first_seen), style=style)
        print_table(rows)
        for kind in dict.fromkeys(finding.kind for finding in done.findings):
            out.print(f"{kind.value}: {MEANINGS[kind]}.", style="dim", soft_wrap=True)
    for subject, what in done.failed.items():
        said = f"Could not be read: {names.get(subject, subject)}: {what}."
        error_console().print(shown(said), style="red", soft_wrap=True)
    count = len(done.findings)
    nothing = "nothing else differs" if done.failed else "nothing differs"
    differ = nothing if not count else "1 difference" if count == 1 else f"{count} differences"
    unread = f"{len(done.failed)} could not be read, " if done.failed else ""
    looked = f"{done.targets} looked at, {done.holders} held, {done.activations} open: {unread}{differ}."
    out.print(looked, style="bold red" if count or unread else "dim")


def _named(target: Target, names: Mapping[str, str]) -> str:
    return names.get(target.id, target.id)


def _plain(done: Reconciled) -> dict[str, object]:
    """Return it for scripts, without what only the table needs."""
    findings = [{name: value for name, value in asdict(each).items() if name != "etag"} for each in done.findings]
    return {**asdict(done), "findings": findings}


def _repair(done: Reconciled, outside: Outside, *, yes: bool) -> list[Repaired]:
    """Repair what is overdue, after it was asked for, and after the audit has who asked."""
    overdue = [(each.target, each.principal) for each in done.findings if each.kind is Kind.OVERDUE and each.target]
    if not overdue:
        return []
    by = author(outside)
    confirm(f"End and remove what of this is provably ours ({len(overdue)} overdue)?", yes=yes)

    async def work() -> list[Repaired]:
        async with outside.tables() as tables, outside.ports() as ports:
            if await ports.controls.prove_only() is not None:
                remedy = "Let it go on by name and reason first: hourglass resume --reason TEXT."
                raise Stop("A restored ledger waits for a person's word: nothing is repaired.", remedy=remedy)
            for target, principal in overdue:
                said = record("repair.asked", f"{target.id}/{principal}", None, None, by)
                await commit(tables, "drift", keys.drift(target.source, target.id), [], said=said, author=by)
            return await _until_done(ports, outside)

    return asyncio.run(work())


def _print_repaired(repaired: Sequence[Repaired], names: Mapping[str, str]) -> None:
    out = console()
    if not repaired:
        out.print("Nothing to repair: nothing of ours is overdue.")
    for each in repaired:
        who = names.get(each.principal, each.principal)
        out.print(f"{shown(who)}, {shown(_named(each.target, names))}: {each.how}.", soft_wrap=True)


async def _until_done(ports: Ports, outside: Outside) -> list[Repaired]:
    """Repair, and go on when each says so, until nothing waits or the patience is over."""
    end = outside.now() + PATIENCE
    while True:
        repaired = (await reconcile(ports=ports, mode=Mode.REPAIR)).repaired
        waits = [each.again_after for each in repaired if each.again_after is not None]
        if not waits or outside.now() >= end:
            return repaired
        await outside.pause(max(waits).total_seconds())
