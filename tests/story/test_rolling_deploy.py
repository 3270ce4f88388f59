"""Two versions work on the same rows for a while: the older one loses nothing of the newer one's, or leaves it alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters import keys, rows
from access.adapters.tables import Value
from access.hold import Hold
from access.model import Activation, State
from tests.fakes.tenant import ADA_ADMIN, BO, CY, FakeTenant
from tests.story.acts import pending, press

NEWER: Mapping[str, Value] = {"colour": "red", "weight": 3, "fragile": True}
"""Columns that this version has no fields for."""


def rewritten_by_a_newer_version(tenant: FakeTenant, table: str, key: str, added: Mapping[str, Value]) -> None:
    """Have a newer worker write the only row of this key, with columns of its own."""
    places = [place for place, found in tenant.tables.rows.items() if place[0] == table and key in found]
    (found,) = [tenant.tables.rows[place] for place in places]
    found[key] = replace(found[key], values={**found[key].values, **added}, etag="a newer worker's")


def columns(tenant: FakeTenant, table: str, key: str) -> Mapping[str, Value]:
    """Return what the only row of this key says."""
    (row,) = [found[key] for place, found in tenant.tables.rows.items() if place[0] == table and key in found]
    return row.values


@pytest.mark.parametrize(("table", "key"), [("activations", keys.ACTIVATION), ("holds", keys.HOLD)])
async def test_what_a_newer_version_added_is_still_there_after_this_one_has_rewritten_the_row(
    tenant: FakeTenant, table: str, key: str
) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    rewritten_by_a_newer_version(tenant, table, key, NEWER)

    await tenant.run_for(timedelta(minutes=30))

    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()
    assert columns(tenant, table, key).items() >= NEWER.items()


async def test_an_approval_keeps_what_a_newer_version_added_to_the_request(tenant: FakeTenant) -> None:
    await pending(tenant)
    rewritten_by_a_newer_version(tenant, "activations", keys.ACTIVATION, NEWER)

    await press(tenant, BO.id, tenant.card_of(BO))

    assert tenant.is_held()
    assert columns(tenant, "activations", keys.ACTIVATION).items() >= NEWER.items()


@pytest.mark.parametrize(
    ("kind", "table", "key"), [(Activation, "activations", keys.ACTIVATION), (Hold, "holds", keys.HOLD)]
)
@pytest.mark.parametrize("messages", ["kept", "lost"])
async def test_what_this_version_must_not_touch_waits_for_a_newer_worker_and_then_ends(
    tenant: FakeTenant, monkeypatch: pytest.MonkeyPatch, kind: type, table: str, key: str, messages: str
) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    newer = rows.version_of(kind) + 1
    rewritten_by_a_newer_version(tenant, table, key, {rows.SCHEMA: newer})
    before = columns(tenant, table, key)

    await tenant.run_for(timedelta(minutes=20))
    assert columns(tenant, table, key) == before
    assert tenant.is_held()
    assert tenant.quarantine.codes == []

    if messages == "lost":
        tenant.bus.messages.clear()
    monkeypatch.setitem(rows.SCHEMA_VERSIONS, kind, newer)
    await tenant.run_for(timedelta(minutes=30))
    assert (await tenant.activation()).state is State.ENDED
    assert not tenant.is_held()


async def test_messages_do_not_breed_while_a_row_waits_for_a_newer_worker(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    tenant.ask(duration="PT5M")
    await tenant.run()
    rewritten_by_a_newer_version(tenant, "activations", keys.ACTIVATION, {rows.SCHEMA: 99})

    await tenant.run_for(timedelta(hours=3))

    tries = [message for message in tenant.bus.sent if message.queue == "expirations"]
    assert len(tries) < 200, "one a minute"
    assert len(tenant.bus.messages) < 10


async def test_a_decision_about_what_this_version_must_not_touch_is_not_taken(tenant: FakeTenant) -> None:
    await pending(tenant)
    rewritten_by_a_newer_version(tenant, "activations", keys.ACTIVATION, {rows.SCHEMA: 99})

    answer = await press(tenant, CY.id, tenant.card_of(CY))

    assert answer.status == 503
    assert not tenant.directory.holds(tenant.role.target.id, ADA_ADMIN.id)
