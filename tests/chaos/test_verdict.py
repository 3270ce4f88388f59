"""The verdict sees what it is there to see: each law, broken once."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from access.expiry import ALARM_ROW, NOW_ROW
from access.model import Activation, Due, State
from tests.access.contoso import NOW, activation
from tests.chaos.verdict import Found, broken_laws

ID, WHO, GROUP = "a" * 32, "person1@contoso.example", "group"
MINUTE = timedelta(minutes=1)


def ended() -> Activation:
    return activation(State.ENDED, id=ID, version=4, alarm="the-last-look", look_at=NOW + 15 * MINUTE)


def mail(subject: str, at: datetime = NOW) -> dict[str, object]:
    return {"to": [WHO], "subject": f"Hourglass: {subject}", "html": f"... {ID} ...", "receivedAt": at.isoformat()}


def due(kind: str = NOW_ROW, *, key: str = "row", at: datetime = NOW, version: int = 4) -> Due:
    return Due(shard="00", key=key, at=at, activation=ID, version=version, kind=kind, since=at)


GOOD = Found(
    asked={ID: WHO},
    requests={"run-1": ID},
    given_back={},
    refusals=frozenset(),
    activations={ID: ended()},
    events={ID: ["activation.accepted", "activation.provisioned", "activation.end_due", "removal.proven"]},
    broken_chains={},
    audited={ID: 4},
    outbox={ID: []},
    due=[due(ALARM_ROW, key="the-last-look", at=NOW + 15 * MINUTE)],
    members={GROUP: frozenset({"theirs"})},
    theirs={GROUP: frozenset({"theirs"})},
    mails=[mail("Left is active until 2026-01-05 09:00 UTC"), mail("Left has ended")],
    dead={"provisioning": 0},
    waiting={"provisioning": 0},
    set_aside=[],
    troubles=[],
    at=NOW,
)


def test_a_run_that_settled_breaks_no_law() -> None:
    assert broken_laws(GOOD) == []


SET_ASIDE = {"queue": "activation-requests", "identity": "run-1", "code": "HG-DEAD-LETTERED", "what": "given up"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": {GROUP: frozenset({"theirs", "ours"})}}, "ours is still held in group"),
        ({"members": {GROUP: frozenset()}}, "theirs was in group before us, and was taken out"),
        ({"activations": {}, "due": []}, "is lost"),
        ({"activations": {ID: replace(ended(), state=State.ENDING)}, "due": []}, "is still ending"),
        ({"given_back": {"wish": ID}}, "the wish to give back"),
        ({"mails": GOOD.mails[:1]}, "was never told that"),
        ({"mails": GOOD.mails[1:]}, "was given"),
        ({"mails": [*GOOD.mails, mail("Left has ended", NOW + MINUTE)]}, "twice, and nothing had gone wrong"),
        ({"events": {ID: ["removal.proven"] * 2}, "audited": {ID: 2}}, "has 2 events removal.proven"),
        ({"broken_chains": {ID: "event 2 is missing"}}, "are no chain: event 2 is missing"),
        ({"audited": {ID: 3}}, "has 4 events, and the audit 3"),
        ({"outbox": {ID: ["out-000001"]}}, "effects left in its outbox: out-000001"),
        ({"due": [due(at=NOW - MINUTE)]}, "a due row is left"),
        ({"due": [due("retry", at=NOW - MINUTE)]}, "a due row is left"),
        ({"dead": {"provisioning": 1}}, "1 dead letters are left in provisioning"),
        ({"waiting": {"provisioning": 2}}, "2 messages are left in provisioning"),
        ({"set_aside": [{**SET_ASIDE, "code": "HG-BODY-NOT-JSON"}]}, "was set aside"),
        ({"set_aside": [{**SET_ASIDE, "identity": "run-2"}]}, "was set aside"),
    ],
)
def test_a_broken_law_is_said(change: dict[str, object], said: str) -> None:
    found = replace(GOOD, **change)  # type: ignore[arg-type] # by name

    assert any(said in law for law in broken_laws(found)), broken_laws(found)


def test_a_mail_may_come_twice_beside_a_kill() -> None:
    mails = [*GOOD.mails, mail("Left has ended", NOW + MINUTE)]

    assert broken_laws(replace(GOOD, mails=mails, troubles=[(NOW + MINUTE / 2, NOW + MINUTE / 2)])) == []
    assert broken_laws(replace(GOOD, mails=mails, troubles=[(NOW + 2 * MINUTE, NOW + 3 * MINUTE)])) != []


def test_a_wish_to_give_back_is_granted_or_refused() -> None:
    wish = replace(GOOD, given_back={"wish": ID})
    given_back = ["activation.accepted", "activation.provisioned", "activation.deactivated", "removal.proven"]

    assert broken_laws(replace(wish, refusals=frozenset({"wish"}))) == []
    assert broken_laws(replace(wish, events={ID: given_back})) == []


def test_a_dead_letter_of_work_that_was_done_is_explained() -> None:
    assert broken_laws(replace(GOOD, set_aside=[SET_ASIDE])) == []


@pytest.mark.parametrize(
    "row",
    [due(at=NOW + MINUTE), due(at=NOW - MINUTE / 2), due(version=5), due(ALARM_ROW, at=NOW + MINUTE)],
    ids=["later", "this minute", "orphan", "old alarm"],
)
def test_a_due_row_that_is_dropped_by_itself_is_explained(row: Due) -> None:
    assert broken_laws(replace(GOOD, due=[row])) == []
