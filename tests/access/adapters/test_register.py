"""What the register promises: the same suite runs on every implementation of ``Tables``."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access.adapters import keys
from access.adapters.changes import Author
from access.adapters.register import PersonLinks, TableRegister
from access.adapters.tables import Operation, Row, Tables
from access.errors import Conflict, TryAgain
from access.model import ApprovalDemand, DecideWith, Door, Eligibility, RoleSettings, Source, Target, TicketDemand
from tests.fakes.tables import FakeTables

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
AUTHOR = Author(by="ada", through="direct", at=NOW)
ADA, ADA_ADMIN, BO = "a-0101", "a-0102", "a-0201"
ELIGIBLE_GROUP = "b-0002"

ROLE = RoleSettings(
    key="backup-operators",
    name="Backup Operators",
    target=Target(Source.GROUP_MEMBER, "b-0001"),
    maximum_duration=timedelta(hours=8),
    default_duration=timedelta(hours=1),
    minimum_duration=timedelta(seconds=20),
    ticket=TicketDemand(pattern=r"INC\d{6,}"),
    approval=ApprovalDemand(groups=("b-0004",), lapses_after=timedelta(hours=4), decide_with=DecideWith.ACCOUNT),
    accepts=frozenset({Door.FLOW}),
    version=0,
)
FOR_GROUP = Eligibility(principal=ELIGIBLE_GROUP, role=ROLE.key, through_group=True)
FOR_BO = Eligibility(principal=BO, role=ROLE.key, starts_at=NOW, ends_at=NOW + timedelta(days=30))


@pytest.fixture
def tables() -> Tables:
    return FakeTables()


class TestRegister:
    async def test_a_role_is_read_back_as_it_was_written(self, tables: Tables) -> None:
        register = TableRegister(tables)

        await register.put_role(ROLE, AUTHOR)

        assert await register.role("Backup-Operators ") == replace(ROLE, version=1)

    async def test_a_role_that_nobody_wrote_is_none_whatever_its_name(self, tables: Tables) -> None:
        register = TableRegister(tables)

        found = [await register.role(name) for name in ("unknown", "", "a/b", "x" * 320, "Ä\u202e#?")]

        assert found == [None] * 5

    async def test_each_change_of_a_role_counts_up_its_version(self, tables: Tables) -> None:
        register = TableRegister(tables)
        first = await register.put_role(ROLE, AUTHOR)

        second = await register.put_role(replace(first, name="Backups"), AUTHOR)

        assert (first.version, second.version) == (1, 2)

    async def test_two_people_who_change_the_same_version_do_not_overwrite_each_other(self, tables: Tables) -> None:
        register = TableRegister(tables)
        first = await register.put_role(ROLE, AUTHOR)
        await register.put_role(replace(first, name="Ada's"), AUTHOR)

        with pytest.raises(Conflict):
            await register.put_role(replace(first, name="Bo's"), AUTHOR)

        stored = await register.role(ROLE.key)
        assert stored is not None
        assert stored.name == "Ada's"

    async def test_a_removed_role_is_gone_and_its_version_goes_on_when_it_comes_back(self, tables: Tables) -> None:
        register = TableRegister(tables)
        await register.put_role(ROLE, AUTHOR)

        await register.remove_role(ROLE.key, AUTHOR)
        gone = await register.role(ROLE.key), await register.roles()
        back = await register.put_role(ROLE, AUTHOR)

        assert gone == (None, {})
        assert back.version == 2

    async def test_an_eligibility_is_found_under_its_role_by_user_or_among_groups(self, tables: Tables) -> None:
        register = TableRegister(tables)

        await register.put_eligibility(FOR_BO, AUTHOR)
        await register.put_eligibility(FOR_GROUP, AUTHOR)

        assert await register.direct_eligibility(ROLE.key, BO) == FOR_BO
        assert await register.direct_eligibility(ROLE.key, ELIGIBLE_GROUP) is None
        assert await register.group_eligibilities(ROLE.key) == (FOR_GROUP,)

    async def test_an_eligibility_is_found_under_its_principal_too(self, tables: Tables) -> None:
        register = TableRegister(tables)

        await register.put_eligibility(FOR_BO, AUTHOR)

        found = await tables.get("eligibilities", keys.principal(BO), keys.role(ROLE.key))
        assert found is not None

    async def test_a_removed_eligibility_is_gone_in_both_directions(self, tables: Tables) -> None:
        register = TableRegister(tables)
        await register.put_eligibility(FOR_BO, AUTHOR)

        await register.remove_eligibility(FOR_BO, AUTHOR)

        assert await register.direct_eligibility(ROLE.key, BO) is None
        assert await tables.get("eligibilities", keys.principal(BO), keys.role(ROLE.key)) is None

    async def test_eligibilities_of_a_removed_role_are_still_listed_so_that_they_can_be_removed(
        self, tables: Tables
    ) -> None:
        register = TableRegister(tables)
        await register.put_role(ROLE, AUTHOR)
        await register.put_eligibility(FOR_BO, AUTHOR)

        await register.remove_role(ROLE.key, AUTHOR)

        assert await register.eligibilities() == {(ROLE.key, BO): FOR_BO}

    async def test_a_person_is_found_by_each_of_their_accounts(self, tables: Tables) -> None:
        register = TableRegister(tables)
        ada = PersonLinks((ADA, ADA_ADMIN), contact="ada@contoso.example", name="Ada")

        await register.put_person("ada", ada, AUTHOR)

        assert [await register.person_links(account) for account in (ADA, ADA_ADMIN, BO)] == [ada, ada, None]
        assert await register.people() == {"ada": ada}

    async def test_an_account_that_is_dropped_from_a_person_is_linked_no_more(self, tables: Tables) -> None:
        register = TableRegister(tables)
        await register.put_person("ada", PersonLinks((ADA, ADA_ADMIN)), AUTHOR)

        await register.put_person("ada", PersonLinks((ADA,)), AUTHOR)

        assert await register.person_links(ADA_ADMIN) is None
        assert await register.person_links(ADA) == PersonLinks((ADA,))

    async def test_an_account_goes_over_to_another_person_in_either_order(self, tables: Tables) -> None:
        register = TableRegister(tables)
        await register.put_person("ada", PersonLinks((ADA, BO)), AUTHOR)

        await register.put_person("bo", PersonLinks((BO,), name="Bo"), AUTHOR)
        await register.put_person("ada", PersonLinks((ADA,)), AUTHOR)

        assert await register.person_links(BO) == PersonLinks((BO,), name="Bo")

    async def test_a_removed_person_leaves_no_link_behind(self, tables: Tables) -> None:
        register = TableRegister(tables)
        await register.put_person("ada", PersonLinks((ADA, ADA_ADMIN)), AUTHOR)

        await register.remove_person("ada", AUTHOR)

        assert [await register.person_links(account) for account in (ADA, ADA_ADMIN)] == [None, None]
        assert await register.people() == {}

    async def test_every_change_is_audited_with_who_how_and_both_sides(self, tables: Tables) -> None:
        register = TableRegister(tables)

        first = await register.put_role(ROLE, AUTHOR)
        await register.put_role(replace(first, name="Backups"), AUTHOR)
        await register.put_eligibility(FOR_BO, AUTHOR)
        await register.remove_eligibility(FOR_BO, AUTHOR)
        await register.put_person("ada", PersonLinks((ADA,)), AUTHOR)

        records = await _audited(tables)
        assert sorted(record["event"] for record in records) == [
            "eligibility.added",
            "eligibility.removed",
            "person.added",
            "role.added",
            "role.changed",
        ]
        changed = next(record for record in records if record["event"] == "role.changed")
        assert (changed["by"], changed["through"], changed["at"]) == ("ada", "direct", "2026-01-05T09:00:00+00:00")
        assert (changed["before"]["name"], changed["after"]["name"]) == ("Backup Operators", "Backups")

    async def test_the_audit_stands_beside_the_role_in_the_same_partition(self, tables: Tables) -> None:
        register = TableRegister(tables)

        await register.put_role(ROLE, AUTHOR)

        beside = [row async for row in tables.query("roles", keys.ROLE, start="_change_", end="_change_~")]
        assert [json.loads(str(row.values["record"]))["event"] for row in beside] == ["role.added"]


class TestRegisterCutOff:
    """A crash after any number of writes leaves a difference that the next apply still sees."""

    @pytest.mark.parametrize("writes", range(3))
    async def test_an_eligibility_that_was_cut_off_does_not_count(self, writes: int) -> None:
        tables = FakeTables()

        with pytest.raises(TryAgain):
            await TableRegister(_CutOff(tables, after=writes)).put_eligibility(FOR_BO, AUTHOR)

        assert await TableRegister(tables).direct_eligibility(ROLE.key, BO) is None

    @pytest.mark.parametrize("writes", range(3))
    async def test_a_removal_that_was_cut_off_is_seen_and_made_whole(self, writes: int) -> None:
        tables = FakeTables()
        register = TableRegister(tables)
        await register.put_eligibility(FOR_BO, AUTHOR)

        with pytest.raises(TryAgain):
            await TableRegister(_CutOff(tables, after=writes)).remove_eligibility(FOR_BO, AUTHOR)
        seen = await register.direct_eligibility(ROLE.key, BO)
        await register.remove_eligibility(FOR_BO, AUTHOR)

        assert seen == FOR_BO
        assert await register.direct_eligibility(ROLE.key, BO) is None

    @pytest.mark.parametrize("writes", range(1, 6))
    async def test_a_person_that_was_cut_off_is_listed_as_unfinished(self, writes: int) -> None:
        tables = FakeTables()
        register = TableRegister(tables)
        await register.put_person("ada", PersonLinks((ADA, BO)), AUTHOR)

        with pytest.raises(TryAgain):
            await TableRegister(_CutOff(tables, after=writes)).put_person("ada", PersonLinks((ADA, ADA_ADMIN)), AUTHOR)

        assert await register.people() == {"ada": None}

    @pytest.mark.parametrize("writes", range(1, 6))
    async def test_no_link_outlives_a_person_whose_writing_was_cut_off(self, writes: int) -> None:
        tables = FakeTables()
        register = TableRegister(tables)
        await register.put_person("ada", PersonLinks((ADA, BO)), AUTHOR)
        with pytest.raises(TryAgain):
            await TableRegister(_CutOff(tables, after=writes)).put_person("ada", PersonLinks((ADA, ADA_ADMIN)), AUTHOR)

        await register.remove_person("ada", AUTHOR)

        assert [await register.person_links(account) for account in (ADA, ADA_ADMIN, BO)] == [None] * 3


class _CutOff(FakeTables):
    """The rows of other tables, which take only so many more writes."""

    def __init__(self, inner: FakeTables, *, after: int) -> None:
        super().__init__()
        self.rows = inner.rows
        self._left = after

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if self._left == 0:
            raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)
        self._left -= 1
        return await super().write(table, operations)


async def _audited(tables: Tables) -> list[dict[str, Any]]:
    rows: list[Row] = []
    for shard in keys.shards():
        partition = f"{keys.day(NOW)}-{shard}"
        rows += [row async for row in tables.query("audit", partition, start="0", end=keys.END)]
    return [json.loads(str(row.values["record"])) for row in rows]
