"""The small rest of the outside: mail, quarantine, callers."""

from datetime import timedelta

from access.adapters.quarantine import TableQuarantine
from access.errors import Code, Refused, TryAgain
from access.model import Unmet
from access.ports import Caller, Mail
from tests.fakes.blobs import FakeBlobs
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables


class FakeMailer:
    """Keeps the mails; ``faults`` are raised first, one a call. With a clock, nothing is sent after its deadline."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self._clock = clock
        self.mails: list[Mail] = []
        self.faults: list[Exception] = []

    async def send(self, mail: Mail, *, deadline: float) -> None:
        if self.faults:
            raise self.faults.pop(0)
        if self._clock is not None and self._clock.monotonic() >= deadline:
            raise TryAgain("the mailer (deadline)", after=timedelta(seconds=5), fault=True)
        self.mails.append(mail)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.to == address]


class FakeQuarantine(TableQuarantine):
    """The real one on fake tables and blobs; ``kept`` and ``codes`` say what is in it."""

    def __init__(self, tables: FakeTables, blobs: FakeBlobs) -> None:
        super().__init__(tables, blobs)
        self._fakes = tables, blobs

    @property
    def kept(self) -> dict[tuple[str, str], tuple[str, bytes]]:
        """Code and bytes by queue and identity."""
        tables, blobs = self._fakes
        rows = [row for (table, _), found in tables.rows.items() if table == "quarantine" for row in found.values()]
        return {
            (str(row.values["queue"]), str(row.values["identity"])): (
                str(row.values["code"]),
                blobs.content[f"{row.partition}/{row.key}"],
            )
            for row in rows
            if "queue" in row.values
        }

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.kept.values()]


class FakeCallers:
    """Believes ``Bearer <account id>``; anything else proves nobody."""

    async def caller(self, authorization: str) -> Caller:
        scheme, _, account = authorization.partition(" ")
        if scheme != "Bearer" or not account:
            raise Refused(Unmet(Code.TOKEN_INVALID, "There is no bearer token.", "Press the button in Outlook."))
        return Caller(tenant="t", account=account, name=account)
