"""Past the front door: what people change by hand, before the door that knows who they are is there, and to break glass."""

import getpass

import typer

from access.adapters.changes import Author
from access.wire import clean
from hourglass.outside import Outside
from hourglass.printing import error_console
from hourglass.stopping import ExitCode, Stop

DIRECT = "direct"
REASON_LIMIT = 500
"""Characters of a reason: it stands in mails, in cards' status lines and in every refusal."""


def front_door(doing: str, command: str) -> Stop:
    """Return what is said where ``--direct`` is missing; ``command`` is what to type with it."""
    return Stop(
        f"{doing} through the front door, which knows who you are, comes later.",
        remedy=f"On a laptop, or to break glass, write the tables yourself: {command}. The audit will say so.",
        code=ExitCode.WRONG_USE,
    )


def reason_of(text: str) -> str:
    """Return a reason as one line.

    Raises:
        Stop: there is none, or it is too long.
    """
    reason = " ".join(clean(text).split())
    if not reason:
        remedy = 'Say why, for those who are told and for the audit: --reason "Incident 4711".'
        raise Stop("--reason is missing.", remedy=remedy, code=ExitCode.WRONG_USE)
    if len(reason) > REASON_LIMIT:
        raise Stop(f"--reason has {len(reason)} characters; use at most {REASON_LIMIT}.", code=ExitCode.WRONG_USE)
    return reason


def author(outside: Outside) -> Author:
    """Return who changes something, after a warning that nobody has proven it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    warning = f"Direct: this goes past the front door. Who you are is not proven; the audit says: {DIRECT}, {user}."
    error_console().print(warning, style="yellow", soft_wrap=True)
    return Author(by=user, through=DIRECT, at=outside.now())


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is changed.

    Raises:
        Stop: the answer is no.
    """
    try:
        agreed = yes or typer.confirm(question)
    except typer.Abort:
        error_console().print()
        raise Stop("Nothing was changed: nobody answered.", remedy="Where nobody can, say --yes.") from None
    if not agreed:
        raise Stop("Nothing was changed.")
