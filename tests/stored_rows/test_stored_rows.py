"""Rows that version 1 wrote, a life in every state, under today's code: each is read, and goes on to its end."""

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access.adapters.quarantine import Verdict
from access.adapters.tables import TABLES, Row
from access.hold import Phase
from access.lifecycle import is_final
from access.model import Activation, State
from hourglass.record import Records
from tests.fakes.bus import FakeMessage
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tables import FakeTables
from tests.fakes.tenant import ADA_ADMIN, BO, OWNER, FakeTenant
from tests.story.acts import press

STORED: dict[str, Any] = json.loads((Path(__file__).parent / "version_1.json").read_text(encoding="utf-8"))
NOW = datetime.fromisoformat(STORED["now"])
UNTIL_ALL_IS_OVER = timedelta(hours=6)
UNTIL_EVERY_ALARM_HAS_RUNG = timedelta(hours=24)

WAS_AND_BECOMES = {
    "refused": (State.REFUSED, State.REFUSED),
    "denied": (State.DENIED, State.DENIED),
    "lapsed": (State.LAPSED, State.LAPSED),
    "withdrawn": (State.CANCELED, State.CANCELED),
    "failed": (State.FAILED, State.FAILED),
    "ended": (State.ENDED, State.ENDED),
    "shared-and-ended": (State.ENDED, State.ENDED),
    "shared-and-active": (State.ACTIVE, State.ENDED),
    "held-before": (State.ACTIVE, State.ENDED),
    "active": (State.ACTIVE, State.ENDED),
    "scheduled": (State.SCHEDULED, State.ENDED),
    "approved-for-later": (State.SCHEDULED, State.ENDED),
    "pending": (State.PENDING_APPROVAL, State.LAPSED),
    "removal-not-landed": (State.ENDING, State.ENDED),
    "removal-landed": (State.ENDING, State.ENDED),
    "removal-not-proven": (State.ENDING, State.ENDED),
    "claimed": (State.PROVISIONING, State.ENDED),
    "ask-not-landed": (State.PROVISIONING, State.ENDED),
    "ask-landed": (State.PROVISIONING, State.ENDED),
    "not-confirmed": (State.PROVISIONING, State.ENDED),
    "accepted-with-effects-left": (State.PROVISIONING, State.ENDED),
    "decided-with-effects-left": (State.PROVISIONING, State.ENDED),
}


class Deployed(FakeTenant):
    """Today's code on the tables that version 1 left behind."""

    def __init__(self, *, messages: bool) -> None:
        clock = FakeClock()
        clock.advance_to(NOW)
        tables, directory = FakeTables(), FakeDirectory(clock)
        tables.rows = _rows()
        super().__init__(clock=clock, tables=tables, directory=directory)
        for group, said in STORED["groups"].items():
            directory.add_group(group, said["name"], *said["members"])
        self.blobs.content = {name: base64.b64decode(content) for name, content in STORED["blobs"].items()}
        if messages:
            self.bus.messages += [_message(message) for message in STORED["messages"]]

    async def lives(self) -> dict[str, Activation]:
        """Return every activation by its role; a role is asked for once here."""
        return {activation.role: activation for activation in await self.activations()}

    def members(self, life: str) -> set[str]:
        """Return who is in the group of a role, in truth."""
        (group,) = [group for group, said in STORED["groups"].items() if said["name"] == life]
        return self.directory.groups[group]


def _rows() -> dict[tuple[str, str], dict[str, Row]]:
    return {
        (table, partition): {
            key: Row(partition=partition, key=key, values=values, etag=f"stored-{key}") for key, values in rows.items()
        }
        for table, partitions in STORED["tables"].items()
        for partition, rows in partitions.items()
    }


def _message(said: dict[str, Any]) -> FakeMessage:
    return FakeMessage(
        queue=said["queue"],
        body=said["body"].encode(),
        message_id=said["message_id"],
        correlation_id=said["correlation_id"],
        application_properties=said["properties"],
        enqueued_time_utc=NOW,
        at=datetime.fromisoformat(said["at"]),
    )


@pytest.fixture(params=[True, False], ids=["with its messages", "its messages lost"])
def deployed(request: pytest.FixtureRequest) -> Deployed:
    return Deployed(messages=request.param)


async def test_every_activation_is_read_in_its_state_and_its_events_are_chained(deployed: Deployed) -> None:
    lives = await deployed.lives()

    assert {life: activation.state for life, activation in lives.items()} == {
        life: was for life, (was, _) in WAS_AND_BECOMES.items()
    }
    for activation in lives.values():
        record = await Records(deployed.tables).record(activation.id)
        assert record is not None
        assert (record.chain_broken, len(record.events)) == (None, activation.events)


def test_there_is_a_life_in_every_state_and_a_row_in_every_table_that_version_1_had() -> None:
    assert {was for was, _ in WAS_AND_BECOMES.values()} == set(State)
    assert set(TABLES) - {"control", "drift"} == set(STORED["tables"])


async def test_each_life_goes_on_to_its_end_and_nothing_of_ours_is_held(deployed: Deployed) -> None:
    await deployed.run_for(UNTIL_ALL_IS_OVER)

    lives = await deployed.lives()
    assert {life: activation.state for life, activation in lives.items()} == {
        life: becomes for life, (_, becomes) in WAS_AND_BECOMES.items()
    }
    held = {said["name"] for group, said in STORED["groups"].items() if deployed.directory.holds(group, ADA_ADMIN.id)}
    assert held == {"Backup Operators eligible", "held-before"}


async def test_nothing_is_left_to_do_and_every_chain_holds_at_the_end(deployed: Deployed) -> None:
    await deployed.run_for(UNTIL_EVERY_ALARM_HAS_RUNG)

    for activation in (await deployed.lives()).values():
        record = await Records(deployed.tables).record(activation.id)
        assert record is not None
        assert is_final(record.activation.state)
        assert (record.chain_broken, record.outbox, record.due) == (None, (), ())
        assert record.hold is None or (record.hold.phase, record.hold.live) == (Phase.FREE, {})


async def test_whoever_asked_is_told_of_each_end_once(deployed: Deployed) -> None:
    await deployed.run_for(UNTIL_ALL_IS_OVER)

    subjects = [mail.subject for mail in deployed.mailer.mails if mail.to == "ada@contoso.example"]
    ended = [subject for subject in subjects if subject.endswith(" has ended")]
    goes_on = [life for life, (was, becomes) in WAS_AND_BECOMES.items() if was is not becomes is State.ENDED]
    assert len(ended) == len(set(ended)) == len(goes_on)


async def test_an_assignment_of_which_the_answer_was_lost_is_ours_and_goes(deployed: Deployed) -> None:
    await deployed.run_for(timedelta(minutes=5))

    lives = await deployed.lives()
    assert (lives["ask-landed"].state, lives["ask-landed"].held_before) == (State.ACTIVE, False)


async def test_a_question_that_version_1_asked_can_still_be_answered(deployed: Deployed) -> None:
    pending = (await deployed.lives())["pending"]
    assert pending.lapses_at is not None
    (asked,) = [asked for asked in await deployed.store.asked(pending.id) if asked.account == BO.id]
    token = deployed.cards.issue(activation=pending.id, approver=BO.id, nonce=asked.nonce, expires_at=pending.lapses_at)

    answer = await press(deployed, BO.id, token)

    assert answer.status == 200
    assert (await deployed.lives())["pending"].state is State.ACTIVE
    assert ADA_ADMIN.id in deployed.members("pending")


@pytest.mark.parametrize(
    ("life", "action", "becomes"),
    [
        ("active", "deactivate", State.ENDED),
        ("shared-and-active", "deactivate", State.ENDED),
        ("scheduled", "cancel", State.CANCELED),
        ("pending", "cancel", State.CANCELED),
    ],
)
async def test_what_version_1_did_not_know_can_be_asked_for_what_it_began(
    deployed: Deployed, life: str, action: str, becomes: State
) -> None:
    deployed.ask(message_id="m-later", requestId="later", action=action, role=life, duration=None)

    await deployed.run_for(timedelta(minutes=10))

    assert (await deployed.lives())[life].state is becomes


async def test_an_extension_prolongs_what_version_1_gave(deployed: Deployed) -> None:
    before = (await deployed.lives())["shared-and-active"]
    assert before.ends_at is not None

    deployed.ask(message_id="m-later", requestId="later", action="extend", role="shared-and-active", duration="PT1H")
    await deployed.run_for(timedelta(minutes=10))

    assert (await deployed.lives())["shared-and-active"].ends_at == before.ends_at + timedelta(hours=1)


async def test_roles_eligibilities_and_persons_are_as_they_were(deployed: Deployed) -> None:
    roles = await deployed.register.roles()

    assert set(roles) == set(WAS_AND_BECOMES) - {"refused"}
    assert roles["pending"].approval is not None
    assert roles["pending"].approval.lapses_after == timedelta(hours=5)
    assert {role for role, _ in await deployed.register.eligibilities()} == set(WAS_AND_BECOMES)
    links = await deployed.register.person_links(ADA_ADMIN.id)
    assert links is not None
    assert (links.contact, len(links.accounts)) == ("ada@contoso.example", 3)


async def test_what_version_1_set_aside_is_shown_and_put_back(deployed: Deployed) -> None:
    (entry,) = await deployed.quarantine.on(NOW)
    body = await deployed.quarantine.body(entry)

    assert (entry.identity, entry.code) == ("m-broken", "HG-BODY-NOT-JSON")
    assert (entry.properties, body) == (
        {"flow": "Ask for access", "a": "b=c"},
        b'{"requester": "ada@contoso.example"',
    )
    await deployed.quarantine.replay(entry, body or b"", deployed.bus, OWNER, "mended")
    (entry,) = await deployed.quarantine.on(NOW)
    assert (entry.verdict, entry.properties) == (Verdict.REPLAYED, {"flow": "Ask for access", "a": "b=c"})
