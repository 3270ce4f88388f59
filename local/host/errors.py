"""What can go wrong in the host, in two kinds: the app cannot be run at all, or one invocation failed."""


class AppRefused(Exception):  # noqa: N818 - it says what happened
    """The app cannot be run; the message says why, in one or more lines."""


class FunctionFailed(Exception):  # noqa: N818 - it says what happened
    """One invocation raised, or ran into the timeout; ``detail`` holds the worker's traceback."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
