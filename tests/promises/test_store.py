"""What the store promises about a commit: due rows first, one transaction, effects that leave once or later (protocol 4)."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access import ids
from access.adapters import keys
from access.adapters.ledger import SENDER_GRACE, Ledger
from access.adapters.tables import Delete, Operation, Row, Tables
from access.change import Change, begin, move
from access.errors import Conflict, TryAgain
from access.events import Event, Happened
from access.model import Activation, Asked, Due, Send, State, Timing
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.promises.samples import ACTIVATION, ADA, ADA_ADMIN, NOW, WatchedTables, asked_for

TELL = Send(queue="notifications", body={"version": 1, "what": "activated"})
START = Send(queue="provisioning", body={"version": 1, "activation": ACTIVATION}, at=NOW + timedelta(minutes=5))
FOR_EVER = NOW + timedelta(days=365)


@pytest.fixture
def watched(tables: Tables) -> WatchedTables:
    return WatchedTables(tables)


@pytest.fixture
def bus(clock: FakeClock) -> FakeBus:
    return FakeBus(clock)


@pytest.fixture
def store(watched: WatchedTables, bus: FakeBus) -> Ledger:
    return Ledger(watched, bus, Timing())


def later() -> TryAgain:
    return TryAgain("the tables", after=timedelta(seconds=5), fault=True)


def accepted(activation: Activation | None = None, *, sends: tuple[Send, ...] = (), command: str = "run-1") -> Change:
    happened = Happened(event=Event.ACCEPTED, at=NOW, by=ADA, details={"minutes": 120})
    return begin(activation or asked_for(), happened, sends=sends, command=command)


def provisioned(activation: Activation, *sends: Send, command: str | None = None) -> Change:
    return move(activation, Happened(event=Event.PROVISIONED, at=NOW), sends=sends, command=command)


async def due_rows(store: Ledger) -> list[Due]:
    return [row async for row in store.due(now=FOR_EVER)]


async def rows_of(tables: WatchedTables, span: tuple[str, str]) -> list[Row]:
    return [row async for row in tables.query("activations", ACTIVATION, start=span[0], end=span[1])]


class TestACommit:
    async def test_the_activation_is_read_as_the_commit_returned_it(self, store: Ledger) -> None:
        written = await store.commit(accepted(), now=NOW)

        assert await store.activation(ACTIVATION) == written
        assert (written.state, written.version, written.events) == (State.PROVISIONING, 1, 1)

    async def test_an_activation_that_was_never_written_is_none(self, store: Ledger) -> None:
        assert await store.activation(ACTIVATION) is None

    async def test_the_due_rows_are_there_when_the_transaction_fails(
        self, store: Ledger, watched: WatchedTables, bus: FakeBus
    ) -> None:
        watched.fault = lambda table, _: later() if table == "activations" else None

        with pytest.raises(TryAgain):
            await store.commit(accepted(sends=(TELL,)), now=NOW)

        assert [(row.kind, row.at, row.version) for row in await due_rows(store)] == [
            ("now", NOW + timedelta(seconds=30), 1),
            ("alarm", NOW + timedelta(hours=2), 1),
        ]
        assert await store.activation(ACTIVATION) is None
        assert bus.sent == []

    async def test_nothing_is_written_when_the_due_rows_are_not(self, store: Ledger, watched: WatchedTables) -> None:
        watched.fault = lambda table, _: later() if table == "due" else None

        with pytest.raises(TryAgain):
            await store.commit(accepted(), now=NOW)

        assert await store.activation(ACTIVATION) is None

    async def test_state_event_command_and_effects_are_one_transaction_after_the_due_rows(
        self, store: Ledger, watched: WatchedTables, bus: FakeBus
    ) -> None:
        bus.down = True

        await store.commit(accepted(sends=(TELL, START)), now=NOW)

        changes = [(table, operations) for table, operations in watched.writes if table in {"due", "activations"}]
        assert [table for table, _ in changes] == ["due", "activations"]
        assert [_key(operation) for operation in changes[1][1]] == [
            "activation",
            "event-000001",
            "out-000001",
            "out-000002",
            "out-000003",
            "out-000004",
            keys.command("run-1"),
        ]

    async def test_a_final_state_has_no_alarm_and_is_still_looked_at_once(self, store: Ledger) -> None:
        refused = begin(asked_for(), Happened(event=Event.REFUSED, at=NOW), command="run-1")

        written = await store.commit(refused, now=NOW)

        assert (written.alarm, written.alarm_at) == (None, None)
        assert [row.kind for row in await due_rows(store)] == ["now"]

    async def test_the_activation_names_the_due_row_of_its_end(self, store: Ledger) -> None:
        written = await store.commit(accepted(), now=NOW)

        assert written.alarm_at == NOW + timedelta(hours=2)
        assert written.alarm in [row.key for row in await due_rows(store) if row.kind == "alarm"]

    async def test_an_end_that_has_not_moved_gets_no_second_alarm(self, store: Ledger, bus: FakeBus) -> None:
        first = await store.commit(accepted(), now=NOW)

        second = await store.commit(provisioned(first), now=NOW)

        assert (second.alarm, second.alarm_at) == (first.alarm, first.alarm_at)
        assert [row.kind for row in await due_rows(store)] == ["now", "now", "alarm"]
        assert [message.queue for message in bus.sent].count("expirations") == 1

    async def test_an_end_that_has_moved_gets_a_new_alarm_and_the_old_one_stays(self, store: Ledger) -> None:
        active = await store.commit(provisioned(await store.commit(accepted(), now=NOW)), now=NOW)
        extended = move(active, Happened(event=Event.EXTENDED, at=NOW), ends_at=NOW + timedelta(hours=3))

        written = await store.commit(extended, now=NOW)

        alarms = [row for row in await due_rows(store) if row.kind == "alarm"]
        assert [row.at for row in alarms] == [NOW + timedelta(hours=2), NOW + timedelta(hours=3)]
        assert written.alarm == alarms[1].key

    async def test_the_second_to_write_a_version_conflicts_and_leaves_only_due_rows(
        self, store: Ledger, bus: FakeBus
    ) -> None:
        first = await store.commit(accepted(), now=NOW)
        won = await store.commit(provisioned(first), now=NOW)
        sent = len(bus.sent)

        with pytest.raises(Conflict):
            await store.commit(move(first, Happened(event=Event.CANCELED, at=NOW), sends=(TELL,)), now=NOW)

        assert await store.activation(ACTIVATION) == won
        assert len(bus.sent) == sent

    async def test_the_same_new_activation_twice_conflicts(self, store: Ledger) -> None:
        won = await store.commit(accepted(), now=NOW)

        with pytest.raises(Conflict):
            await store.commit(accepted(), now=NOW)

        assert await store.activation(ACTIVATION) == won

    async def test_what_a_command_said_is_kept_with_its_effect(self, store: Ledger) -> None:
        written = await store.commit(accepted(), now=NOW)
        given = replace(provisioned(written, command="cmd-1"), content="said")
        await store.commit(given, now=NOW)

        assert await store.content_seen(ACTIVATION, "cmd-1") == "said"
        assert await store.content_seen(ACTIVATION, "run-1") == "", "nothing was said with it"
        assert await store.content_seen(ACTIVATION, "cmd-2") is None

    async def test_a_command_has_its_effect_once(self, store: Ledger) -> None:
        first = await store.commit(accepted(), now=NOW)
        assert not await store.seen(ACTIVATION, "press-1")
        active = await store.commit(provisioned(first, command="press-1"), now=NOW)
        assert await store.seen(ACTIVATION, "press-1")

        with pytest.raises(Conflict):
            await store.commit(move(active, Happened(event=Event.DEACTIVATED, at=NOW), command="press-1"), now=NOW)

        assert await store.activation(ACTIVATION) == active

    async def test_an_instant_keeps_its_zone_and_nothing_finer_than_was_given(self, store: Ledger) -> None:
        written = await store.commit(
            accepted(asked_for(ends_at=datetime.fromisoformat("2026-03-02T12:00:00+01:00"))), now=NOW
        )

        found = await store.activation(ACTIVATION)
        assert found is not None
        assert found.ends_at == written.ends_at


class TestTheOutbox:
    async def test_effects_leave_with_their_ids_their_correlation_and_their_time_and_their_rows_go(
        self, store: Ledger, bus: FakeBus
    ) -> None:
        await store.commit(accepted(sends=(TELL, START)), now=NOW)

        assert [(m.queue, m.message_id, m.correlation_id, m.at) for m in bus.sent] == [
            ("activation-events", f"{ACTIVATION}-000001", "flow-run-1", NOW),
            ("notifications", f"{ACTIVATION}-000002", "flow-run-1", NOW),
            ("provisioning", f"{ACTIVATION}-000003", "flow-run-1", NOW + timedelta(minutes=5)),
            ("expirations", f"{ACTIVATION}-000004", "flow-run-1", NOW + timedelta(hours=2)),
        ]
        assert json.loads(bus.sent[1].body) == TELL.body
        assert await store.flush(ACTIVATION, now=NOW)

    async def test_a_bus_that_is_down_fails_no_commit_and_loses_no_effect(self, store: Ledger, bus: FakeBus) -> None:
        bus.down = True

        written = await store.commit(accepted(sends=(TELL,)), now=NOW)

        assert await store.activation(ACTIVATION) == written
        assert not await store.flush(ACTIVATION, now=NOW)
        assert not await store.flush(ACTIVATION, now=NOW + SENDER_GRACE)

        bus.down = False
        assert await store.flush(ACTIVATION, now=NOW + SENDER_GRACE)

        assert [message.message_id for message in bus.sent] == [f"{ACTIVATION}-{number:06d}" for number in (1, 2, 3)]
        assert await store.flush(ACTIVATION, now=NOW)

    async def test_fresh_effects_are_left_to_the_worker_that_is_sending_them(self, store: Ledger, bus: FakeBus) -> None:
        bus.down = True
        await store.commit(accepted(sends=(TELL,)), now=NOW)
        bus.down = False

        assert not await store.flush(ACTIVATION, now=NOW + SENDER_GRACE - timedelta(seconds=1))
        assert bus.sent == []

    async def test_an_empty_outbox_may_be_flushed(self, store: Ledger, bus: FakeBus) -> None:
        assert await store.flush(ACTIVATION, now=NOW)
        assert bus.sent == []

    async def test_a_message_id_is_never_used_for_another_effect(self, store: Ledger, bus: FakeBus) -> None:
        first = await store.commit(accepted(sends=(TELL,)), now=NOW)
        second = await store.commit(provisioned(first, TELL, TELL), now=NOW)
        await store.commit(move(second, Happened(event=Event.DEACTIVATED, at=NOW), sends=(TELL,)), now=NOW)

        sent = [message.message_id for message in bus.sent]
        assert len(sent) == len(set(sent)) == 3 + 3 + 2

    async def test_rows_that_can_not_be_deleted_after_sending_fail_no_commit(
        self, store: Ledger, watched: WatchedTables, bus: FakeBus
    ) -> None:
        watched.fault = lambda _, operations: later() if _deletes(operations) else None

        written = await store.commit(accepted(sends=(TELL,)), now=NOW)

        assert await store.activation(ACTIVATION) == written
        assert not await store.flush(ACTIVATION, now=NOW)

    async def test_nor_does_it_when_somebody_else_has_deleted_some_and_then_the_tables_fail(
        self, store: Ledger, watched: WatchedTables, bus: FakeBus
    ) -> None:
        def fault(_: str, operations: Sequence[Operation]) -> Exception | None:
            return None if not _deletes(operations) else later() if len(operations) == 1 else Conflict("gone")

        watched.fault = fault

        written = await store.commit(accepted(sends=(TELL,)), now=NOW)

        assert await store.activation(ACTIVATION) == written

    async def test_rows_that_somebody_else_deleted_meanwhile_do_no_harm(
        self, store: Ledger, watched: WatchedTables, bus: FakeBus
    ) -> None:
        bus.down = True
        await store.commit(accepted(sends=(TELL,)), now=NOW)
        bus.down = False
        raced: list[bool] = []

        def fault(_: str, operations: Sequence[Operation]) -> Exception | None:
            if _deletes(operations) and not raced:
                raced.append(True)
                return Conflict("somebody else was quicker")
            return None

        watched.fault = fault

        await store.flush(ACTIVATION, now=NOW + SENDER_GRACE)

        assert raced
        assert await store.flush(ACTIVATION, now=NOW)


class TestWhatIsRecorded:
    async def test_each_event_is_chained_to_the_one_before(self, store: Ledger, watched: WatchedTables) -> None:
        last = await store.commit(provisioned(await store.commit(accepted(), now=NOW)), now=NOW)

        previous = ""
        events = await rows_of(watched, keys.EVENTS)
        for row in events:
            record = {key: value for key, value in row.values.items() if key not in {"hash", "previous"}}
            assert row.values["previous"] == previous
            previous = str(row.values["hash"])
            assert previous == ids.chained(str(row.values["previous"]), record)
        assert last.chain == previous
        assert [(row.values["number"], row.values["event"], row.values["state"]) for row in events] == [
            (1, "activation.accepted", "provisioning"),
            (2, "activation.provisioned", "active"),
        ]

    async def test_an_event_that_was_changed_breaks_the_chain(self, store: Ledger, watched: WatchedTables) -> None:
        await store.commit(accepted(), now=NOW)
        (row,) = await rows_of(watched, keys.EVENTS)
        record = {key: value for key, value in row.values.items() if key not in {"hash", "previous"}}

        assert ids.chained("", {**record, "by": "nobody"}) != row.values["hash"]

    async def test_the_audit_has_a_copy_under_the_day_of_the_event(self, store: Ledger, watched: WatchedTables) -> None:
        await store.commit(accepted(), now=NOW)

        partition, key = keys.audit(NOW, ACTIVATION, 1)
        copy, (event,) = await watched.get("audit", partition, key), await rows_of(watched, keys.EVENTS)
        assert copy is not None
        assert json.loads(str(copy.values["record"])) == event.values

    async def test_the_principal_has_it_in_their_list_newest_first(self, store: Ledger, watched: WatchedTables) -> None:
        later = NOW + timedelta(minutes=1)
        for key, at in (("a1" * 16, NOW), ("a2" * 16, later)):
            happened = Happened(event=Event.ACCEPTED, at=at)
            await store.commit(begin(asked_for(key, at=at), happened, command="run-1"), now=at)

        listed = [row async for row in watched.query("byprincipal", ADA_ADMIN, start="0", end="~")]

        assert [row.values["activation"] for row in listed] == ["a2" * 16, "a1" * 16]

    async def test_the_newest_of_an_account_are_listed_by_role_within_a_bound(self, store: Ledger) -> None:
        for number, role in enumerate(("backup-operators", "helpdesk", "backup-operators")):
            at = NOW + timedelta(minutes=number)
            new = replace(asked_for(f"a{number}" * 16, at=at), role=role)
            await store.commit(begin(new, Happened(event=Event.ACCEPTED, at=at), command="run-1"), now=at)

        assert await store.newest_of(ADA_ADMIN, "backup-operators", limit=3) == ("a2" * 16, "a0" * 16)
        assert await store.newest_of(ADA_ADMIN, "backup-operators", limit=2) == ("a2" * 16,)
        assert await store.newest_of(ADA, "backup-operators", limit=3) == ()

    async def test_the_approvers_who_were_asked_are_read_back(self, store: Ledger) -> None:
        bo = Asked(account="b-1", name="Bo", address="bo@contoso.example", card=True, nonce="n-1", asked_at=NOW)
        cy = replace(bo, account="c-1", name="Cy", address="cy@contoso.example", card=False)
        pending = await store.commit(
            begin(
                replace(asked_for(ends_at=None), lapses_at=NOW + timedelta(hours=1)),
                Happened(event=Event.REQUESTED, at=NOW),
                command="run-1",
            ),
            now=NOW,
        )

        await store.commit(
            move(pending, Happened(event=Event.APPROVERS_ASKED, at=NOW), asked=(cy, bo), sends=(TELL, TELL)), now=NOW
        )

        assert await store.asked(ACTIVATION) == (bo, cy)

    async def test_nobody_was_asked_about_what_is_not_there(self, store: Ledger) -> None:
        assert await store.asked(ACTIVATION) == ()


def _key(operation: Operation) -> str:
    return operation.key if isinstance(operation, Delete) else operation.row.key


def _deletes(operations: Sequence[Operation]) -> bool:
    return all(isinstance(operation, Delete) for operation in operations)
