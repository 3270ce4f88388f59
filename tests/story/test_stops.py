"""Granting is stopped: nothing new is given, whatever it waits for; what runs goes on; lifted, all is as before."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

from access.adapters.changes import Author
from access.adapters.tables import Operation, Replace, Row
from access.errors import TryAgain
from access.model import Scope, State, Stop
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA, ADA_ADMIN, BO, ROLE, FakeTenant
from tests.story.acts import pending, press

MINUTE = timedelta(minutes=1)
EVE = Author(by="eve", through="direct", at=ARBITRARY_MORNING)


def stop(*, role: str = "", principal: str = "") -> Stop:
    scope = Scope(role=role, principal=principal)
    return Stop(scope=scope, by="eve", through="direct", at=ARBITRARY_MORNING, reason="Incident 4711")


class WatchedTables(FakeTables):
    """Has something happen right before a call takes effect, once; can't query the table ``unreadable``."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable = ""
        self.before_ask: Callable[[], Awaitable[None]] | None = None
        self.before_assign: Callable[[], Awaitable[None]] | None = None

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        asks = any(isinstance(one, Replace) and one.row.values.get("asked") == 1 for one in operations)
        if table == "holds" and asks and self.before_ask is not None:
            happens, self.before_ask = self.before_ask, None
            await happens()
        return await super().write(table, operations)

    async def get(self, table: str, partition: str, key: str) -> Row | None:
        found = await super().get(table, partition, key)
        if (table, key) == ("control", "restore") and self.before_assign is not None:
            happens, self.before_assign = self.before_assign, None
            await happens()
        return found

    async def query(
        self, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> AsyncIterator[Row]:
        if table == self.unreadable:
            raise TryAgain("the tables", after=MINUTE, fault=True)
        async for row in super().query(table, partition, start=start, end=end, limit=limit):
            yield row


async def outcome(tenant: FakeTenant) -> tuple[State, list[str]]:
    activation = await tenant.activation()
    return activation.state, [demand.code for demand in activation.unmet]


async def test_a_new_request_is_refused_and_its_requester_reads_why(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(stop())

    tenant.ask()
    await tenant.run()

    assert await outcome(tenant) == (State.REFUSED, ["HG-GRANTING-STOPPED"])
    assert not tenant.is_held()
    (mail,) = tenant.mailer.to(ADA.mail or "")
    assert "Nothing is given since 2026-03-02 09:00 UTC: Incident 4711." in mail.html
    assert "eve, or others who run Hourglass, can lift this." in mail.html


async def test_a_reason_is_text_in_a_mail_whatever_it_looks_like(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(
        Stop(scope=Scope(), by="<b>eve</b>", through="direct", at=ARBITRARY_MORNING, reason="<img src=x>")
    )

    tenant.ask()
    await tenant.run()

    (mail,) = tenant.mailer.to(ADA.mail or "")
    assert "&lt;img src=x&gt;" in mail.html
    assert "<img" not in mail.html
    assert "<b>eve" not in mail.html


async def test_a_stop_of_one_role_or_one_account_stops_nothing_else(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(stop(role="helpdesk"))
    await tenant.controls.set(stop(principal=ADA.id))

    tenant.ask()
    await tenant.run()

    assert await outcome(tenant) == (State.ACTIVE, [])


async def test_a_stop_of_this_role_and_one_of_this_account_are_both_said(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(stop(role=ROLE))
    await tenant.controls.set(stop(principal=ADA_ADMIN.id))

    tenant.ask()
    await tenant.run()

    assert await outcome(tenant) == (State.REFUSED, ["HG-GRANTING-STOPPED", "HG-GRANTING-STOPPED"])


async def test_an_approval_under_a_stop_closes_the_request_and_all_concerned_are_told(tenant: FakeTenant) -> None:
    await pending(tenant)
    await tenant.controls.set(stop())

    answer = await press(tenant, BO.id, tenant.card_of(BO))

    assert "HG-GRANTING-STOPPED" in answer.line
    assert await outcome(tenant) == (State.CANCELED, ["HG-GRANTING-STOPPED"])
    assert tenant.subjects(ADA) == ["Hourglass: Your request for Backup Operators was closed"]
    assert "Hourglass: Closed: Ada, Backup Operators" in tenant.subjects(BO)


async def test_a_start_under_a_stop_gives_nothing(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(start=(tenant.clock.now() + timedelta(hours=1)).isoformat())
    await tenant.run()
    assert (await tenant.activation()).state is State.SCHEDULED
    await tenant.controls.set(stop())

    await tenant.run_for(timedelta(hours=2))

    assert await outcome(tenant) == (State.CANCELED, ["HG-GRANTING-STOPPED"])
    assert not tenant.is_held()


async def test_what_runs_goes_on_until_its_end(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT1H")
    await tenant.run()

    await tenant.controls.set(stop())
    await tenant.run_for(timedelta(minutes=59))
    assert tenant.is_held()

    await tenant.run_for(timedelta(minutes=5))
    assert not tenant.is_held()
    assert (await tenant.activation()).ended_how == "proven_gone"


async def test_lifted_a_stop_stops_nothing_any_more(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    await tenant.controls.set(stop())
    await tenant.controls.lift(stop(), EVE, reason="It is over")

    tenant.ask()
    await tenant.run()

    assert await outcome(tenant) == (State.ACTIVE, [])


async def test_stops_that_cannot_be_read_are_waited_for_and_then_refused() -> None:
    tables = WatchedTables()
    tables.unreadable = "control"
    tenant = FakeTenant(tables=tables)
    await tenant.open(approval=None)
    tenant.ask()

    await tenant.run_for(timedelta(hours=1))

    assert await outcome(tenant) == (State.REFUSED, ["HG-COULD-NOT-CHECK"])
    assert "whether granting is stopped" in (await tenant.activation()).unmet[0].what
    assert not tenant.is_held()


async def test_a_stop_between_the_rules_and_the_ask_is_seen_and_the_directory_is_not_asked() -> None:
    tables = WatchedTables()
    tenant = await FakeTenant(tables=tables).open(approval=None)

    async def stop_everything() -> None:
        await tenant.controls.set(stop())

    tables.before_ask = stop_everything
    tenant.ask()
    await tenant.run()

    assert await outcome(tenant) == (State.FAILED, ["HG-GRANTING-STOPPED"])
    assert [call for call, *_ in tenant.directory.calls if call in {"assign", "remove"}] == []
    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators could not be granted"]


async def test_a_worker_that_freezes_after_it_read_the_stops_does_not_ask_when_it_goes_on() -> None:
    tables, clock = WatchedTables(), FakeClock()
    tenant = await FakeTenant(tables=tables, clock=clock).open(approval=None)

    async def freeze() -> None:
        await tenant.controls.set(stop())
        clock.advance(tenant.ports.timing.in_flight)

    tables.before_assign = freeze
    tenant.ask()
    await tenant.run_for(timedelta(minutes=10))

    assert await outcome(tenant) == (State.FAILED, ["HG-GRANTING-STOPPED"])
    assert [call for call, *_ in tenant.directory.calls if call == "assign"] == []
    assert not tenant.is_held()


async def test_an_ask_that_was_under_way_when_granting_was_stopped_is_taken_back(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.directory.after_faults["assign"] = [TryAgain("the directory", after=MINUTE, fault=True)]
    tenant.ask()
    await tenant.run()
    assert tenant.is_held()

    await tenant.controls.set(stop())
    await tenant.run_for(timedelta(minutes=15))

    assert await outcome(tenant) == (State.FAILED, ["HG-GRANTING-STOPPED"])
    assert not tenant.is_held()


async def test_what_somebody_else_gave_meanwhile_is_not_taken_when_the_ask_is_withheld() -> None:
    tables = WatchedTables()
    tenant = await FakeTenant(tables=tables).open(approval=None)

    async def stop_everything() -> None:
        await tenant.controls.set(stop())
        tenant.directory.put_member(tenant.role.target.id, ADA_ADMIN.id)

    tables.before_ask = stop_everything
    tenant.ask()
    await tenant.run_for(timedelta(minutes=15))

    assert (await tenant.activation()).state is State.FAILED
    assert tenant.is_held()
