"""The small rest of the outside: mail, quarantine, callers."""

from collections.abc import Mapping
from datetime import datetime

from access.errors import Code, Refused
from access.model import Unmet
from access.ports import Caller, Mail


class FakeMailer:
    """Keeps the mails; ``faults`` are raised first, one a call."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.faults: list[Exception] = []

    async def send(self, mail: Mail) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.mails.append(mail)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.to == address]


class FakeQuarantine:
    """Keeps what was set aside, once for each queue and identity."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[str, bytes]] = {}

    async def set_aside(
        self,
        *,
        queue: str,
        identity: str,
        code: str,
        what: str,
        body: bytes,
        properties: Mapping[str, str],
        now: datetime,
    ) -> None:
        self.kept.setdefault((queue, identity), (code, body))

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
