"""While a ledger is being restored nothing outside is changed: every changing call, and no other."""

from datetime import timedelta

import pytest

from access.adapters.controls import TableControls
from access.adapters.guards import GuardedDirectory, GuardedMailer
from access.errors import Restoring, TryAgain
from access.hold import Presence
from access.model import Account, Scope, Source, Stop, Target
from access.ports import Mail
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.outside import FakeMailer
from tests.fakes.tables import FakeTables

ADA = Account(id="1", name="Ada", user_principal_name="ada@contoso.example", employee_id="E1")
TARGET = Target(Source.GROUP_MEMBER, "g")
RESTORING = Stop(
    scope=Scope(), restoring=True, by="eve", through="direct", at=ARBITRARY_MORNING, reason="Restored from Monday"
)
STOPPED = Stop(scope=Scope(), by="eve", through="direct", at=ARBITRARY_MORNING, reason="Incident 4711")
MAIL = Mail(to="ada@contoso.example", subject="s", html="h")


@pytest.fixture
def controls() -> TableControls:
    return TableControls(FakeTables())


@pytest.fixture
def real() -> FakeDirectory:
    directory = FakeDirectory(FakeClock())
    directory.add_account(ADA)
    directory.add_group("g", "Group")
    return directory


async def test_nothing_is_given_taken_or_mailed_while_restoring(controls: TableControls, real: FakeDirectory) -> None:
    await controls.set(RESTORING)
    directory, mailer = GuardedDirectory(real, controls), FakeMailer()

    for change in (
        directory.assign("1", TARGET, deadline=float("inf")),
        directory.remove("1", TARGET, deadline=float("inf")),
        GuardedMailer(mailer, controls).send(MAIL, deadline=float("inf")),
    ):
        with pytest.raises(Restoring) as raised:
            await change
        assert (raised.value.after, raised.value.fault) == (timedelta(minutes=5), False)

    assert (real.calls, mailer.mails) == ([], [])


@pytest.mark.parametrize("stop", [None, STOPPED])
async def test_every_change_passes_while_nobody_restores(
    controls: TableControls, real: FakeDirectory, stop: Stop | None
) -> None:
    if stop:
        await controls.set(stop)
    directory, mailer = GuardedDirectory(real, controls), FakeMailer()

    await directory.assign("1", TARGET, deadline=float("inf"))
    assert real.holds("g", "1")
    await directory.remove("1", TARGET, deadline=float("inf"))
    assert not real.holds("g", "1")
    await GuardedMailer(mailer, controls).send(MAIL, deadline=float("inf"))
    assert mailer.mails == [MAIL]


async def test_reads_pass_while_restoring(controls: TableControls, real: FakeDirectory) -> None:
    await controls.set(RESTORING)
    real.put_member("g", "1")
    directory = GuardedDirectory(real, controls)

    assert await directory.account("1") == ADA
    assert await directory.linked_accounts("E1") == (ADA,)
    assert await directory.groups_among("1", ["g"]) == {"g"}
    assert await directory.people_in("g") == ("1",)
    assert await directory.target_exists(TARGET)
    assert await directory.presence("1", TARGET) is Presence.HELD
    assert await directory.holders(TARGET) == ("1",)


async def test_where_the_word_cannot_be_read_nothing_is_changed(real: FakeDirectory) -> None:
    class Broken(FakeTables):
        async def get(self, table: str, partition: str, key: str) -> None:
            raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)

    with pytest.raises(TryAgain):
        await GuardedDirectory(real, TableControls(Broken())).assign("1", TARGET, deadline=float("inf"))

    assert real.calls == []
