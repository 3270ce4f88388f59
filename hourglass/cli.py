"""The `hourglass` command: its commands, its options, its exit codes. Each command has a module of its own.

Exit codes: 0 done, 1 refused or not found, 2 wrong use, wrong settings or a wrong file (docs/command.md).
"""

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from access.adapters.settings import SettingsWrong
from access.errors import Conflict, TryAgain
from hourglass.apply import apply
from hourglass.commands import cancel, deactivate, extend
from hourglass.listing import list_held
from hourglass.outside import Tenant
from hourglass.printing import error_console
from hourglass.quarantine import app as quarantine
from hourglass.reconcile import reconcile_held
from hourglass.request import request
from hourglass.restore import restore, resume
from hourglass.revoke import revoke_held
from hourglass.saying import shown
from hourglass.show import show
from hourglass.stopping import ExitCode, Stop
from hourglass.stops import list_stops, start, stop

log = logging.getLogger(__name__)


class _Answering(TyperGroup):
    """Ends every command with an answer for a person: whatever is raised, nobody is shown a stack trace."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Stop as stop:
            _say(stop)
            raise typer.Exit(stop.code) from None
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except Exception as error:
            log.debug("command.failed", exc_info=True)
            answer = _understood(error)
            _say(answer)
            raise typer.Exit(answer.code) from None


def _understood(error: Exception) -> Stop:
    match error:
        case SettingsWrong():
            what = "The settings are wrong or missing:\n" + "\n".join(f"  {problem}" for problem in error.problems)
            remedy = "Set them in the environment, or name a file: hourglass --settings local.settings.json ..."
            return Stop(what, remedy=remedy, code=ExitCode.WRONG_USE)
        case TryAgain():
            what = f"Could not be done now: {error.what}."
            again = f"Try again in {error.after.total_seconds():.0f} seconds."
            lasting = " If it stays so: is it up, and is its address in the settings right?" if error.fault else ""
            return Stop(what, remedy=again + lasting)
        case Conflict():
            return Stop("Somebody else changed the same thing meanwhile.", remedy="Run the command again.")
        case _:
            what = f"Something went wrong that is not your doing ({type(error).__name__}: {shown(error)[:200]})."
            return Stop(what, remedy="Run it again with --verbose, and report what is logged.")


def _say(stop: Stop) -> None:
    console = error_console()
    console.print(f"hourglass: {stop.what}", style="red", soft_wrap=True)
    if stop.remedy:
        console.print(stop.remedy, soft_wrap=True)


app = typer.Typer(
    name="hourglass",
    cls=_Answering,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Just-in-time access: ask for it, see who holds what, say who may have what.",
    epilog="Exit codes: 0 done, 1 refused or not found, 2 wrong use, wrong settings or a wrong file.",
)


@app.callback()
def options(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(help="A local.settings.json whose Values stand behind the environment.")
    ] = None,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the SDKs do, and errors whole.")] = False,
) -> None:
    """Take what is said before the command's name."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.CRITICAL, stream=sys.stderr, force=True)
    if context.obj is None:
        context.obj = Tenant(settings)


app.command("request")(request)
app.command("deactivate")(deactivate)
app.command("cancel")(cancel)
app.command("extend")(extend)
app.command("show")(show)
app.command("list")(list_held)
app.command("apply")(apply)
app.add_typer(stop, name="stop")
app.add_typer(start, name="start")
app.command("stops")(list_stops)
app.command("revoke")(revoke_held)
app.command("restore")(restore)
app.command("resume")(resume)
app.command("reconcile")(reconcile_held)
app.add_typer(quarantine, name="quarantine")


def run() -> None:
    """Run the command on the arguments of the process."""
    app(prog_name="hourglass")
