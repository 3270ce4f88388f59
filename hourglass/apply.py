"""`hourglass apply`: makes the register what the roles file says. For now only `--direct`, past the front door."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from access.adapters.changes import Author
from access.adapters.register import TableRegister
from access.errors import TryAgain
from hourglass.direct import author, confirm, front_door
from hourglass.outside import Outside
from hourglass.printing import console
from hourglass.roles_file.difference import Difference, carry_out, compare, ids_of, said
from hourglass.roles_file.mistakes import FileWrong
from hourglass.roles_file.names import Names
from hourglass.roles_file.wanted import Wanted, read
from hourglass.saying import shown
from hourglass.stopping import ExitCode, Stop


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="ROLES.YAML", help="The roles file (docs/roles.md).")],
    *,
    direct: Annotated[
        bool, typer.Option("--direct", help="Write the tables yourself: laptop and break glass.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before changing something.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
) -> None:
    """Make roles, eligibilities and persons what the file says; what is not in it is removed.

    Shows what would change, and asks first. What is active now ends as it would have.
    """
    outside: Outside = context.obj
    if not direct:
        raise front_door("Applying", f"hourglass apply --direct {shown(file)}")
    raw = _bytes_of(file)
    try:
        differences, names = asyncio.run(_compare(raw, outside))
    except FileWrong as wrong:
        raise _said_wrong(wrong, file) from None
    out = console()
    if not differences:
        out.print("Nothing to change.")
        return
    for difference in differences:
        for line in said(difference, names):
            out.print(shown_line(line), soft_wrap=True)
    counts = [(verb, sum(d.verb == verb for d in differences)) for verb in ("added", "changed", "removed")]
    out.print(", ".join(f"{count} {verb}" for verb, count in counts if count) + ".")
    if dry_run:
        out.print("Nothing was changed (--dry-run).")
        return
    changing = author(outside)
    confirm("Apply this?", yes=yes)
    asyncio.run(_carry_out(differences, outside, changing))
    out.print("Applied.")


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror}.", code=ExitCode.WRONG_USE) from error


def _said_wrong(wrong: FileWrong, file: Path) -> Stop:
    count = len(wrong.mistakes)
    lines = "\n".join(mistake.said(str(file)) for mistake in wrong.mistakes)
    what = f"{count} mistake{'' if count == 1 else 's'}; nothing was changed.\n{lines}"
    return Stop(what, code=ExitCode.WRONG_USE)


async def _compare(raw: bytes, outside: Outside) -> tuple[tuple[Difference, ...], Mapping[str, str]]:
    async with outside.directory() as directory:
        wanted = await read(raw, directory)
        async with outside.tables() as tables:
            differences = await compare(wanted, TableRegister(tables))
        return differences, await _names(differences, wanted, directory)


async def _names(differences: tuple[Difference, ...], wanted: Wanted, directory: Names) -> Mapping[str, str]:
    """Return names for what the file doesn't name any more; an id is shown where there is none, or none can be had now."""
    found = dict(wanted.names)
    users, groups = ids_of(differences)
    try:
        for user in users - found.keys():
            if account := await directory.account(user):
                found[user] = account.user_principal_name or account.name
        for group in groups - found.keys():
            if known := await directory.group(group):
                found[group] = known[1]
    except TryAgain:
        return found
    return found


async def _carry_out(differences: tuple[Difference, ...], outside: Outside, author: Author) -> None:
    async with outside.tables() as tables:
        register = TableRegister(tables)
        for difference in differences:
            await carry_out(difference, register, author)


def shown_line(line: str) -> str:
    """Return a line without what a terminal would obey, its indentation kept."""
    indent = line[: len(line) - len(line.lstrip())]
    return indent + shown(line)
