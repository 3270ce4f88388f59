"""What the findings promise: one row for each difference, written by one, forgotten when it is no longer so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from access.adapters import keys
from access.adapters.findings import TableFindings
from access.adapters.tables import Put, Row, Tables
from access.drift import Finding, Kind
from access.errors import Conflict
from access.model import Source, Target
from access.ports import Findings
from tests.promises.samples import ADA, ADA_ADMIN, NOW, TARGET

OTHER = Target(Source.GROUP_MEMBER, "99999999-0000-0000-0000-000000000002")
ADDED = Finding(kind=Kind.UNEXPLAINED, target=TARGET, principal=ADA, first_seen=NOW)


@pytest.fixture
def findings(tables: Tables) -> Findings:
    return TableFindings(tables)


async def test_where_nothing_was_found_there_is_nothing(findings: Findings) -> None:
    assert await findings.of(TARGET) == ()
    assert await findings.of(None) == ()


async def test_what_was_found_is_read_as_it_was_written_and_only_in_its_place(findings: Findings) -> None:
    removed = replace(ADDED, kind=Kind.MISSING, principal=ADA_ADMIN, confirmed=NOW + timedelta(hours=1))
    deleted = Finding(kind=Kind.GONE, target=OTHER, first_seen=NOW)
    account = Finding(kind=Kind.GONE, principal=ADA, first_seen=NOW)
    written = [await findings.write(each) for each in (ADDED, removed, deleted, account)]

    assert set(await findings.of(TARGET)) == set(written[:2])
    assert await findings.of(OTHER) == (written[2],)
    assert await findings.of(None) == (written[3],)


async def test_the_second_to_find_the_same_conflicts(findings: Findings) -> None:
    first = await findings.write(ADDED)

    with pytest.raises(Conflict):
        await findings.write(replace(ADDED, first_seen=NOW + timedelta(hours=1)))

    assert await findings.of(TARGET) == (first,)


async def test_the_second_to_confirm_it_conflicts(findings: Findings) -> None:
    found = await findings.write(ADDED)
    sure = await findings.write(replace(found, confirmed=NOW))

    with pytest.raises(Conflict):
        await findings.write(replace(found, confirmed=NOW + timedelta(hours=1)))

    assert await findings.of(TARGET) == (sure,)


async def test_what_is_no_longer_so_is_forgotten_and_twice_does_no_harm(findings: Findings) -> None:
    found = await findings.write(ADDED)

    await findings.forget(found)
    await findings.forget(found)

    assert await findings.of(TARGET) == ()
    await findings.write(ADDED)


async def test_one_person_can_differ_in_two_ways(findings: Findings) -> None:
    await findings.write(ADDED)
    await findings.write(replace(ADDED, kind=Kind.OVERDUE))

    assert {finding.kind for finding in await findings.of(TARGET)} == {Kind.UNEXPLAINED, Kind.OVERDUE}


async def test_what_a_person_did_about_it_stands_beside_and_is_no_finding(findings: Findings, tables: Tables) -> None:
    place = keys.drift(TARGET.source, TARGET.id)
    await tables.write("drift", [Put(Row(partition=place, key=keys.change(NOW, "c1"), values={"record": "{}"}))])

    assert await findings.of(TARGET) == ()
