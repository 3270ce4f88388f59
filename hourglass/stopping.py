"""How the command ends when it can't do what it was asked: one message for a person, one code for a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script reads; docs/command.md says the same."""

    DONE = 0
    REFUSED = 1
    WRONG_USE = 2


class Stop(Exception):  # noqa: N818 - an end, not always an error
    """Ends the command with a message; ``remedy`` says what to do."""

    def __init__(self, what: str, *, remedy: str = "", code: ExitCode = ExitCode.REFUSED) -> None:
        self.what, self.remedy, self.code = what, remedy, code
        super().__init__(what)
