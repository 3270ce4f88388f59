"""What a stop says: to whom it applies, and what whoever asks is told."""

from dataclasses import replace

import pytest

from access.model import Scope, Stop
from access.policy import Allowed, NotAllowed, evaluate, is_restoring, stopped
from tests.access.contoso import NOW
from tests.access.test_policy import ASK, FACTS

EVERYTHING = Stop(scope=Scope(), by="eve", through="direct", at=NOW, reason="Incident 4711.")
ONE_ROLE = replace(EVERYTHING, scope=Scope(role="storage-admin"))
ONE_ACCOUNT = replace(EVERYTHING, scope=Scope(principal="1"))
RESTORING = replace(EVERYTHING, restoring=True)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), True),
        (Scope(role="storage-admin"), True),
        (Scope(principal="1"), True),
        (Scope(role="storage-admin", principal="1"), True),
        (Scope(role="helpdesk"), False),
        (Scope(principal="2"), False),
        (Scope(role="storage-admin", principal="2"), False),
        (Scope(role="helpdesk", principal="1"), False),
    ],
)
def test_a_scope_covers_what_all_of_its_parts_cover(scope: Scope, *, covered: bool) -> None:
    assert scope.covers("storage-admin", "1") is covered


@pytest.mark.parametrize(
    ("stop", "code", "what"),
    [
        (EVERYTHING, "HG-GRANTING-STOPPED", "Nothing is given since 2026-03-02 09:00 UTC: Incident 4711."),
        (ONE_ROLE, "HG-GRANTING-STOPPED", "This role is not given since 2026-03-02 09:00 UTC: Incident 4711."),
        (
            ONE_ACCOUNT,
            "HG-GRANTING-STOPPED",
            "Nothing is given to this account since 2026-03-02 09:00 UTC: Incident 4711.",
        ),
        (
            RESTORING,
            "HG-RESTORING",
            "Hourglass is being restored and changes nothing since 2026-03-02 09:00 UTC: Incident 4711.",
        ),
    ],
)
def test_whoever_asks_is_told_since_when_and_why_and_who_can_lift_it(stop: Stop, code: str, what: str) -> None:
    unmet = stopped(replace(stop, at=NOW.replace(month=3, day=2, hour=9, minute=0)))

    assert (unmet.code, unmet.what) == (code, what)
    assert "eve, or others who run Hourglass," in unmet.remedy


def test_a_stop_is_one_unmet_demand_beside_the_others() -> None:
    facts = replace(FACTS, stopped=(EVERYTHING,), same_person=False)

    verdict = evaluate(ASK, facts, now=NOW)

    assert isinstance(verdict, NotAllowed)
    assert [unmet.code for unmet in verdict.unmet] == ["HG-GRANTING-STOPPED", "HG-NOT-SAME-PERSON"]


def test_without_a_stop_the_same_request_is_allowed() -> None:
    assert isinstance(evaluate(ASK, FACTS, now=NOW), Allowed)


def test_a_stop_is_said_where_the_role_is_unknown_too() -> None:
    verdict = evaluate(ASK, replace(FACTS, settings=None, stopped=(EVERYTHING,)), now=NOW)

    assert isinstance(verdict, NotAllowed)
    assert [unmet.code for unmet in verdict.unmet] == ["HG-GRANTING-STOPPED", "HG-ROLE-UNKNOWN"]


@pytest.mark.parametrize(
    ("stops", "restoring"), [((), False), ((EVERYTHING, ONE_ROLE), False), ((EVERYTHING, RESTORING), True)]
)
def test_only_a_restore_withholds_every_change(stops: tuple[Stop, ...], *, restoring: bool) -> None:
    assert is_restoring(stops) is restoring
