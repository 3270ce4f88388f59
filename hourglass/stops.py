"""`hourglass stop granting`, `hourglass start granting`, `hourglass stops`: nothing new is given, what runs goes on."""

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from access.adapters.controls import TableControls
from access.adapters.register import TableRegister
from access.adapters.tables import Tables
from access.ids import is_guid
from access.model import Scope, Stop
from hourglass.direct import author, confirm, front_door, reason_of
from hourglass.outside import Outside
from hourglass.printing import console, print_json, print_table, table
from hourglass.saying import instant, shown
from hourglass.stopping import ExitCode
from hourglass.stopping import Stop as End

Role = Annotated[str, typer.Option(metavar="KEY", help="Only this role, by its key.")]
Principal = Annotated[str, typer.Option(metavar="WHO", help="Only this account: object id or user principal name.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; whoever is refused reads it.")]
Direct = Annotated[bool, typer.Option("--direct", help="Write the tables yourself: laptop and break glass.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask before changing something.")]

stop = typer.Typer(no_args_is_help=True, help="Stop giving: new requests are refused, what runs goes on.")
start = typer.Typer(no_args_is_help=True, help="Undo a stop.")


@stop.command("granting")
def stop_granting(
    context: typer.Context,
    role: Role = "",
    principal: Principal = "",
    reason: Reason = "",
    *,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Give nothing any more, to anybody, of one role or to one account, until it is started again by name.

    New requests are refused with the reason, waiting ones are closed when they are decided or start. What runs goes on.
    """
    outside: Outside = context.obj
    why = reason_of(reason)
    if not direct:
        raise front_door("Stopping", "hourglass stop granting --direct")
    scope = asyncio.run(scope_of(role, principal, outside))
    for earlier in asyncio.run(_in_force(outside)):
        if earlier.scope == scope and not earlier.restoring:
            stood = f"since {instant(earlier.at)} UTC by {shown(earlier.by)}: {shown(earlier.reason)}"
            console().print(f"It is stopped already, {stood}. Your reason takes its place.", soft_wrap=True)
    by = author(outside)
    confirm(f"Stop giving {spoken(scope)}?", yes=yes)
    wanted = Stop(scope=scope, by=by.by, through=by.through, at=by.at, reason=why)
    asyncio.run(_set(wanted, outside))
    console().print(f"Stopped: giving {spoken(scope)}. What runs goes on; hourglass revoke ends it.", soft_wrap=True)


@start.command("granting")
def start_granting(
    context: typer.Context,
    role: Role = "",
    principal: Principal = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; for the audit.")] = "",
    *,
    direct: Direct = False,
    yes: Yes = False,
) -> None:
    """Give again, what one stop of this scope had stopped; stops of other scopes stay in force."""
    outside: Outside = context.obj
    why = reason_of(reason)
    if not direct:
        raise front_door("Starting", "hourglass start granting --direct")
    scope, found = asyncio.run(_find(role, principal, outside))
    by = author(outside)
    confirm(f"Give {spoken(scope)} again? {found.by} stopped it: {shown(found.reason)}", yes=yes)

    async def lift() -> tuple[Stop, ...]:
        async with outside.tables() as tables:
            controls = TableControls(tables)
            await controls.lift(found, by, reason=why)
            return await controls.in_force()

    left = asyncio.run(lift())
    more = f" {len(left)} other{'' if len(left) == 1 else 's'} in force: hourglass stops." if left else ""
    console().print(f"Started: giving {spoken(scope)}.{more}", soft_wrap=True)


def list_stops(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for scripts.")] = False,
) -> None:
    """List what is stopped now: since when, by whom, and why."""
    outside: Outside = context.obj
    found = asyncio.run(_in_force(outside))
    if as_json:
        print_json([{**_fields(each)} for each in found])
        return
    if not found:
        console().print("Nothing is stopped.")
        return
    rows = table("What is stopped", "Since (UTC)", "By", "Why")
    for each in found:
        what = "every change (restoring)" if each.restoring else f"giving {spoken(each.scope)}"
        by = Text(shown(each.by)).append(f"\n{shown(each.through)}", style="dim")
        rows.add_row(what, instant(each.at), by, shown(each.reason))
    print_table(rows)


async def scope_of(role: str, principal: str, outside: Outside, *, may_be_removed: bool = False) -> Scope:
    """Return the scope that options name: a role that exists, or an account by its object id.

    An object id is taken as it is: in an emergency, neither the directory nor the account need be there.

    Raises:
        Stop: both are named, or what is named isn't found.
    """
    if role and principal:
        raise End("Name --role or --principal, not both.", code=ExitCode.WRONG_USE)
    key = role.strip().lower()
    if key and not may_be_removed:
        async with outside.tables() as tables:
            await _ensure_role(key, tables)
    account = principal.strip().lower()
    if account and not is_guid(account):
        async with outside.directory() as directory:
            found = await directory.account(principal.strip())
        if found is None:
            raise End(f"No account, or more than one, is named {shown(principal)}.", remedy="Name its object id.")
        account = found.id
    return Scope(role=key, principal=account)


async def _ensure_role(key: str, tables: Tables) -> None:
    if await TableRegister(tables).role(key) is None:
        raise End(f"There is no role {shown(key)}.", remedy="Roles have the keys of the roles file.")


async def put_in_force(wanted: Stop, tables: Tables) -> None:
    """Set a stop, unless one of its scope is in force: the first one's reason stays."""
    controls = TableControls(tables)
    same = [
        each for each in await controls.in_force() if (each.scope, each.restoring) == (wanted.scope, wanted.restoring)
    ]
    if not same:
        await controls.set(wanted)


async def _set(wanted: Stop, outside: Outside) -> None:
    async with outside.tables() as tables:
        await TableControls(tables).set(wanted)


async def _find(role: str, principal: str, outside: Outside) -> tuple[Scope, Stop]:
    scope = await scope_of(role, principal, outside, may_be_removed=True)
    found = [each for each in await _in_force(outside) if each.scope == scope and not each.restoring]
    if not found:
        raise End(f"Giving {spoken(scope)} is not stopped.", remedy="hourglass stops lists what is.")
    return scope, found[0]


async def _in_force(outside: Outside) -> tuple[Stop, ...]:
    async with outside.tables() as tables:
        return await TableControls(tables).in_force()


def spoken(scope: Scope) -> str:
    """Return a scope in words, as what follows "giving"."""
    if scope.role:
        return f"the role {shown(scope.role)}"
    return f"anything to the account {shown(scope.principal)}" if scope.principal else "anything to anybody"


def _fields(each: Stop) -> dict[str, object]:
    return {
        "role": each.scope.role,
        "principal": each.scope.principal,
        "restoring": each.restoring,
        "since": each.at,
        "by": each.by,
        "through": each.through,
        "reason": each.reason,
    }
