"""What the register promises to those who only read it: what was decided, or nothing; on the fake and on real tables."""

from datetime import timedelta

import pytest

from access.adapters.changes import Author
from access.adapters.register import PersonLinks, TableRegister
from access.adapters.tables import Tables
from access.model import (
    ApprovalDemand,
    DecideWith,
    Door,
    Eligibility,
    RoleSettings,
    Source,
    Target,
    TicketDemand,
)
from access.ports import Register
from tests.promises.samples import ADA, ADA_ADMIN, NOW

OWNER = Author(by="owner", through="direct", at=NOW)
ROLE = RoleSettings(
    key="backup-operators",
    name="Backup Operators",
    target=Target(Source.GROUP_MEMBER, "b-0001"),
    maximum_duration=timedelta(hours=8),
    default_duration=timedelta(hours=1),
    minimum_duration=timedelta(seconds=20),
    ticket=TicketDemand(system="ServiceNow", pattern=r"INC\d{6}"),
    approval=ApprovalDemand(users=(ADA,), groups=("b-0004",), decide_with=DecideWith.ACCOUNT),
    accepts=frozenset({Door.SIGNED_IN}),
    version=0,
)
FOR_A_GROUP = Eligibility(principal="b-0002", role=ROLE.key, through_group=True)
FOR_ADA = Eligibility(principal=ADA_ADMIN, role=ROLE.key, starts_at=NOW, ends_at=NOW + timedelta(days=30))


@pytest.fixture
async def register(tables: Tables) -> Register:
    written = TableRegister(tables)
    await written.put_role(ROLE, OWNER)
    await written.put_eligibility(FOR_A_GROUP, OWNER)
    await written.put_eligibility(FOR_ADA, OWNER)
    return written


async def test_a_role_is_read_with_everything_it_demands(register: Register) -> None:
    found = await register.role("Backup-Operators")

    assert found is not None
    assert (found.ticket, found.approval, found.accepts) == (ROLE.ticket, ROLE.approval, ROLE.accepts)
    assert found.version == 1


async def test_a_role_that_is_not_there_is_none(register: Register) -> None:
    assert [await register.role(name) for name in ("domain-admins", "a/b", "")] == [None, None, None]


async def test_an_eligibility_of_ones_own_is_told_from_those_of_groups(register: Register) -> None:
    assert await register.direct_eligibility(ROLE.key, ADA_ADMIN) == FOR_ADA
    assert await register.direct_eligibility(ROLE.key, "b-0002") is None
    assert await register.group_eligibilities(ROLE.key) == (FOR_A_GROUP,)


async def test_nobody_is_eligible_for_a_role_that_is_not_there(register: Register) -> None:
    assert await register.direct_eligibility("domain-admins", ADA_ADMIN) is None
    assert await register.group_eligibilities("domain-admins") == ()


async def test_an_account_that_the_file_links_says_its_person(tables: Tables) -> None:
    register = TableRegister(tables)
    links = PersonLinks(accounts=(ADA, ADA_ADMIN), contact="ada@contoso.example", name="Ada")
    await register.put_person("ada", links, OWNER)

    assert await register.person_links(ADA_ADMIN) == links
    assert await register.person_links("b-0002") is None


async def test_before_anything_was_applied_there_is_nothing(tables: Tables) -> None:
    register = TableRegister(tables)

    assert await register.role(ROLE.key) is None
    assert await register.direct_eligibility(ROLE.key, ADA) is None
    assert await register.group_eligibilities(ROLE.key) == ()
    assert await register.person_links(ADA) is None
