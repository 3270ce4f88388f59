"""What the store promises to those who walk everything that is open: all of it, once, however much there is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from access import ids
from access.adapters import keys
from access.adapters.ledger import DUE_LIMIT, Ledger
from access.adapters.tables import Insert, Row, Tables
from access.change import begin, move
from access.events import Event, Happened
from access.model import Activation, Timing
from tests.fakes.bus import FakeBus
from tests.fakes.clock import FakeClock
from tests.promises.samples import ACTIVATION, NOW, asked_for


@pytest.fixture
def store(tables: Tables, clock: FakeClock) -> Ledger:
    return Ledger(tables, FakeBus(clock), Timing())


async def accepted(store: Ledger, key: str = ACTIVATION) -> Activation:
    return await store.commit(begin(asked_for(key), Happened(event=Event.ACCEPTED, at=NOW), command="run-1"), now=NOW)


async def found(store: Ledger) -> list[Activation]:
    return [activation async for activation in store.open_activations()]


async def test_where_nothing_is_open_there_is_nothing(store: Ledger) -> None:
    assert await found(store) == []


async def test_what_is_open_is_found_once_though_several_rows_are_due(store: Ledger) -> None:
    active = await store.commit(
        move(await accepted(store), Happened(event=Event.PROVISIONED, at=NOW)), now=NOW + timedelta(seconds=1)
    )

    assert await found(store) == [active]


async def test_what_is_final_is_not(store: Ledger) -> None:
    await store.commit(begin(asked_for(), Happened(event=Event.REFUSED, at=NOW), command="run-1"), now=NOW)

    assert await found(store) == []


async def test_a_row_whose_activation_was_never_written_is_nothing(store: Ledger, tables: Tables) -> None:
    row = Row(
        partition=keys.shard(ACTIVATION),
        key=keys.due(NOW, ACTIVATION, 1, "0a1b2c3d"),
        values={"kind": "now", "version": 1, "since": keys.instant(NOW), "tries": 0, "activation": ACTIVATION},
    )
    await tables.write("due", [Insert(row)])

    assert await found(store) == []


async def test_every_shard_is_walked(store: Ledger) -> None:
    asked = {ids.digest("activation", str(number)) for number in range(60)}
    for key in asked:
        await accepted(store, key)

    assert {keys.shard(key) for key in asked} == set(keys.shards())
    assert {activation.id for activation in await found(store)} == asked


async def test_more_rows_than_a_page_hide_nobody(store: Ledger, tables: Tables) -> None:
    late = next(
        key
        for key in (ids.digest("activation", str(number)) for number in range(1000))
        if keys.shard(key) == keys.shard(ACTIVATION)
    )
    first = await accepted(store)
    for number in range(DUE_LIMIT + 1):
        await store.remind(first, NOW + timedelta(minutes=1, seconds=number))
    ends_at = NOW + timedelta(hours=9)
    happened = Happened(event=Event.ACCEPTED, at=NOW)
    await store.commit(begin(replace(asked_for(late), ends_at=ends_at), happened, command="run-1"), now=ends_at)

    assert [activation.id for activation in await found(store)] == [ACTIVATION, late]
