"""What the mailer promises: one mail to one address, as it was written; on the fake and by Graph's ``sendMail``."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from access.adapters.clock import SystemClock
from access.adapters.mail import GraphMailer
from access.errors import DirectoryRefused, TryAgain
from access.ports import Mail, Mailer
from local.directory.testing import AdminClient, RunningDirectory
from tests.fakes.outside import FakeMailer
from tests.promises.conftest import FAKE_AND_REAL
from tests.promises.directories import Credential, app_token, graph_at

CARD = '<html><head><script type="application/adaptivecard+json">{"type": "AdaptiveCard"}</script></head>Grüße</html>'
MAIL = Mail(to="bo@contoso.example", subject="Hourglass: Ada asks for “Backup”", html=CARD, correlation_id="c-1")
SENDER = "hourglass@contoso.example"


def in_time() -> float:
    """Return a deadline that is not met by far."""
    return SystemClock().monotonic() + 60


class World(Protocol):
    """A mailer, and the mailboxes behind it."""

    mailer: Mailer

    def inbox(self, address: str) -> list[tuple[str, str]]:
        """Return subject and HTML of the mails to an address, oldest first."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self._mailer = FakeMailer()
        self.mailer: Mailer = self._mailer

    def inbox(self, address: str) -> list[tuple[str, str]]:
        return [(mail.subject, mail.html) for mail in self._mailer.to(address)]


class RealWorld:
    def __init__(self, mailer: GraphMailer, admin: AdminClient) -> None:
        self.mailer: Mailer = mailer
        self._admin = admin

    def mails(self, address: str) -> list[dict[str, Any]]:
        return self._admin.mail(address)

    def inbox(self, address: str) -> list[tuple[str, str]]:
        return [(mail["subject"], mail["html"]) for mail in reversed(self.mails(address))]


@pytest.fixture
async def real_world(directory: RunningDirectory) -> AsyncIterator[RealWorld]:
    async with graph_at(directory.url, Credential(app_token(directory.url))) as graph:
        yield RealWorld(GraphMailer(graph, SENDER), directory.admin)


@pytest.fixture(params=FAKE_AND_REAL)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    real: RealWorld = request.getfixturevalue("real_world")
    return real


async def test_a_mail_arrives_as_it_was_written(world: World) -> None:
    await world.mailer.send(MAIL, deadline=in_time())

    assert world.inbox("bo@contoso.example") == [(MAIL.subject, MAIL.html)]


async def test_nobody_else_gets_it(world: World) -> None:
    await world.mailer.send(MAIL, deadline=in_time())

    assert world.inbox("cy@contoso.example") == []


async def test_each_call_sends_a_mail(world: World) -> None:
    await world.mailer.send(MAIL, deadline=in_time())
    await world.mailer.send(Mail(to=MAIL.to, subject="Second", html="<p>2</p>"), deadline=in_time())

    assert [subject for subject, _ in world.inbox(MAIL.to)] == [MAIL.subject, "Second"]


@pytest.mark.real
class TestByGraph:
    async def test_it_comes_from_our_mailbox_and_keeps_no_copy_there(self, real_world: RealWorld) -> None:
        await real_world.mailer.send(MAIL, deadline=in_time())

        (mail,) = real_world.mails("bo@contoso.example")
        assert SENDER in str(mail["from"])
        assert real_world.mails(SENDER) == []

    @pytest.mark.parametrize("status", [400, 404, 413])
    async def test_what_is_refused_for_good_is_not_tried_again(
        self, real_world: RealWorld, directory: RunningDirectory, status: int
    ) -> None:
        directory.admin.faults({"kind": "status", "status": status, "code": "ErrorInvalidRecipients", "message": "No."})

        with pytest.raises(DirectoryRefused, match="ErrorInvalidRecipients"):
            await real_world.mailer.send(MAIL, deadline=in_time())

    async def test_what_would_be_too_late_is_not_sent(self, real_world: RealWorld) -> None:
        with pytest.raises(TryAgain):
            await real_world.mailer.send(MAIL, deadline=SystemClock().monotonic() - 1)

        assert real_world.mails("bo@contoso.example") == []
