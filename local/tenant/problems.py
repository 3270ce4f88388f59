"""What keeps a tenant from coming up or staying up, in words for the person at the terminal."""


class TenantProblem(Exception):  # noqa: N818 - it says what happened
    """The tenant can't start; the message says which part, why, and what to do."""


class PartDied(TenantProblem):
    """A part ended by itself; the message holds the last lines of its log."""

    def __init__(self, name: str, code: int, last_lines: str) -> None:
        cause = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        super().__init__(f"{name} {cause}. The last lines of its log:\n{last_lines or '(nothing)'}")
        self.name = name
