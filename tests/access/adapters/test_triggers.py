"""What a trigger does around its use case: each kind of error has its one answer, and only a bug abandons a message."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters.triggers import envelope_of, nudged, settle
from access.change import begin
from access.errors import Code, Conflict, TryAgain, Unusable
from access.events import Event, Happened
from access.expiry import BACK_OFF_LIMIT
from access.model import Due
from access.ports import Ports
from access.wire import ATTEMPT, IDENTITY, Envelope
from tests.fakes.bus import FakeMessage
from tests.fakes.tenant import FakeTenant
from tests.promises.samples import ACTIVATION, NOW, asked_for

NUDGE = json.dumps({"version": 1, "activation": ACTIVATION}).encode()
FAULT = timedelta(seconds=20)

type Work = Callable[[bytes, Envelope], Awaitable[None]]


def raising(error: Exception) -> Work:
    async def work(_raw: bytes, _envelope: Envelope) -> None:
        raise error

    return work


def message(
    tenant: FakeTenant, queue: str = "activation-requests", body: bytes = b"{}", **changed: object
) -> FakeMessage:
    made = FakeMessage(queue=queue, body=body, message_id="m-1", correlation_id="c-1", at=tenant.clock.now())
    for name, value in changed.items():
        setattr(made, name, value)
    return made


async def deliver(tenant: FakeTenant, given: FakeMessage, work: Work, ports: Ports | None = None) -> list[FakeMessage]:
    """Deliver a message, and return what was sent because of it."""
    before = len(tenant.bus.sent)
    await settle(given, given.queue, ports or tenant.ports, work)
    return tenant.bus.sent[before:]


async def reminders(tenant: FakeTenant) -> list[Due]:
    rows = tenant.store.due(now=tenant.clock.now() + timedelta(days=1))
    return [row async for row in rows if row.kind == "retry"]


async def an_activation(tenant: FakeTenant) -> None:
    await tenant.store.commit(begin(asked_for(), Happened(event=Event.ACCEPTED, at=NOW), command="run-1"), now=NOW)


class TestTheEnvelope:
    def test_it_says_what_the_broker_knows(self, tenant: FakeTenant) -> None:
        enqueued = tenant.clock.now()
        given = message(
            tenant,
            sequence_number=7,
            enqueued_time_utc=enqueued,
            application_properties={"flow": 3},
        )

        assert envelope_of(given, "approvals") == Envelope(
            queue="approvals",
            message_id="m-1",
            sequence_number=7,
            enqueued_at=enqueued.isoformat(),
            correlation_id="c-1",
            properties={"flow": "3"},
        )

    def test_what_is_missing_is_none(self, tenant: FakeTenant) -> None:
        given = message(tenant, message_id="", correlation_id="", application_properties=None)

        found = envelope_of(given, "approvals")

        assert (found.message_id, found.correlation_id, found.properties) == (None, None, {})


class TestWhatAMessageBecomes:
    async def test_one_that_was_worked_on_is_done(self, tenant: FakeTenant) -> None:
        got: list[bytes] = []

        async def work(raw: bytes, _: Envelope) -> None:
            got.append(raw)

        assert await deliver(tenant, message(tenant, body=b"\xff"), work) == []
        assert got == [b"\xff"]

    async def test_one_that_can_never_succeed_is_set_aside_with_its_bytes_and_done(self, tenant: FakeTenant) -> None:
        broken = raising(Unusable(Code.BODY_NOT_JSON, "no JSON"))

        sent = await deliver(tenant, message(tenant, body=b"\xff"), broken)

        assert sent == []
        assert tenant.quarantine.kept == {("activation-requests", "m-1"): (Code.BODY_NOT_JSON, b"\xff")}

    async def test_what_is_set_aside_keeps_when_it_arrived_and_what_it_belongs_to(self, tenant: FakeTenant) -> None:
        arrived = tenant.clock.now() - timedelta(days=1)
        broken = raising(Unusable(Code.BODY_NOT_JSON, "no JSON"))

        await deliver(tenant, message(tenant, enqueued_time_utc=arrived), broken)

        (entry,) = await tenant.quarantine.on(arrived)
        assert (entry.enqueued_at, entry.correlation_id, entry.at) == (arrived, "c-1", tenant.clock.now())

    async def test_one_that_must_wait_is_sent_again_as_it_came_for_later(self, tenant: FakeTenant) -> None:
        given = message(tenant, body=b"\xff", application_properties={"flow": "a"})

        (again,) = await deliver(tenant, given, raising(TryAgain("the directory", after=FAULT, fault=True)))

        assert (again.queue, again.body, again.correlation_id) == ("activation-requests", b"\xff", "c-1")
        assert again.at == tenant.clock.now() + FAULT
        assert again.application_properties == {"flow": "a", IDENTITY: "m-1", ATTEMPT: "1"}

    async def test_a_fault_that_lasts_is_met_ever_more_slowly_by_the_same_message(self, tenant: FakeTenant) -> None:
        work = raising(TryAgain("the directory", after=FAULT, fault=True))
        given = message(tenant)
        waits, ids = [], []
        for _ in range(10):
            (given,) = await deliver(tenant, given, work)
            waits.append(given.at - tenant.clock.now())
            ids.append(given.message_id)

        assert waits[:3] == [FAULT, 2 * FAULT, 4 * FAULT]
        assert waits[-1] == BACK_OFF_LIMIT
        assert len(set(ids)) == 10
        assert given.application_properties == {IDENTITY: "m-1", ATTEMPT: "10"}

    async def test_a_wait_for_something_known_is_as_long_as_it_says_each_time(self, tenant: FakeTenant) -> None:
        given, waits = message(tenant), []
        for _ in range(4):
            (given,) = await deliver(tenant, given, raising(TryAgain("another worker", after=FAULT)))
            waits.append(given.at - tenant.clock.now())

        assert waits == [FAULT] * 4

    async def test_two_deliveries_that_are_put_off_are_one_message(self, tenant: FakeTenant) -> None:
        work = raising(TryAgain("the directory", after=FAULT))

        (one,), (other,) = [await deliver(tenant, message(tenant), work) for _ in range(2)]

        assert one.message_id == other.message_id

    async def test_a_conflict_is_looked_at_again_soon(self, tenant: FakeTenant) -> None:
        (again,) = await deliver(tenant, message(tenant), raising(Conflict("a row")))

        assert again.at == tenant.clock.now() + timedelta(seconds=2)

    async def test_a_wait_of_no_time_is_a_second(self, tenant: FakeTenant) -> None:
        (again,) = await deliver(tenant, message(tenant), raising(TryAgain("the directory", after=timedelta())))

        assert again.at == tenant.clock.now() + timedelta(seconds=1)

    async def test_a_bug_is_raised_so_that_the_host_abandons(self, tenant: FakeTenant) -> None:
        with pytest.raises(ZeroDivisionError):
            await deliver(tenant, message(tenant), raising(ZeroDivisionError()))

    async def test_so_is_a_bus_that_does_not_take_it_back(self, tenant: FakeTenant) -> None:
        tenant.bus.down = True

        with pytest.raises(TryAgain):
            await deliver(tenant, message(tenant), raising(TryAgain("the directory", after=FAULT)))


class TestANudge:
    async def test_the_use_case_gets_the_activation_that_it_names(self, tenant: FakeTenant) -> None:
        got: list[tuple[str, Ports]] = []

        async def use_case(activation: str, *, ports: Ports) -> None:
            got.append((activation, ports))

        await nudged(message(tenant, "provisioning", NUDGE), "provisioning", tenant.ports, use_case)

        assert got == [(ACTIVATION, tenant.ports)]

    @pytest.mark.parametrize("queue", ["provisioning", "expirations"])
    async def test_one_that_must_wait_has_a_due_row_beside_it(self, tenant: FakeTenant, queue: str) -> None:
        await an_activation(tenant)

        (again,) = await deliver(tenant, message(tenant, queue, NUDGE), raising(TryAgain("the directory", after=FAULT)))

        assert [(row.activation, row.at) for row in await reminders(tenant)] == [(ACTIVATION, again.at)]

    async def test_its_wait_is_the_use_cases_own_and_does_not_grow(self, tenant: FakeTenant) -> None:
        await an_activation(tenant)
        given = message(tenant, "expirations", NUDGE, application_properties={IDENTITY: "m-1", ATTEMPT: "5"})

        (again,) = await deliver(tenant, given, raising(TryAgain("the proof", after=FAULT)))

        assert again.at == tenant.clock.now() + FAULT

    async def test_one_for_an_activation_that_is_not_there_yet_only_waits(self, tenant: FakeTenant) -> None:
        sent = await deliver(tenant, message(tenant, "provisioning", NUDGE), raising(Conflict("a row")))

        assert len(sent) == 1
        assert await reminders(tenant) == []

    async def test_other_queues_leave_no_due_row(self, tenant: FakeTenant) -> None:
        await an_activation(tenant)

        await deliver(tenant, message(tenant, "approvals", NUDGE), raising(TryAgain("the directory", after=FAULT)))

        assert await reminders(tenant) == []

    async def test_one_that_names_nothing_is_set_aside(self, tenant: FakeTenant) -> None:
        async def use_case(_activation: str, *, ports: Ports) -> None:
            raise AssertionError

        await nudged(message(tenant, "provisioning", b'{"version": 1}'), "provisioning", tenant.ports, use_case)

        assert tenant.quarantine.codes == [Code.NUDGE_INVALID]


class UnreachableQuarantine:
    async def set_aside(self, **_said: object) -> None:
        raise TryAgain("the quarantine", after=FAULT, fault=True)


@pytest.mark.parametrize("queue", ["activation-requests", "provisioning"])
async def test_a_broken_message_waits_while_the_quarantine_is_out_of_reach(tenant: FakeTenant, queue: str) -> None:
    ports = replace(tenant.ports, quarantine=UnreachableQuarantine())
    broken = raising(Unusable(Code.BODY_NOT_JSON, "no JSON"))

    (again,) = await deliver(tenant, message(tenant, queue, b"{"), broken, ports)
    assert (again.body, again.at) == (b"{", tenant.clock.now() + FAULT)

    await deliver(tenant, again, broken)
    assert tenant.quarantine.kept == {(queue, "m-1"): (Code.BODY_NOT_JSON, b"{")}
