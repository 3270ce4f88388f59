"""What the directory promises, in memory and by Microsoft's SDK: look-ups that are exact, calls that say what happened."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from access.adapters.directory import GraphDirectory
from access.errors import AlreadyAssigned, DirectoryRefused, NotAssigned, TryAgain
from access.hold import Presence
from access.model import Source, Target
from local.directory.testing import RunningDirectory
from tests.local.directory.people import (
    ADA,
    ADA_ADMIN,
    ADA_CONTRACTOR,
    APPROVERS,
    BACKUP_OPERATORS,
    BO,
    CY,
    ELIGIBLE,
    EVE,
    HELPDESK,
    INFRASTRUCTURE_ADMINS,
    STRANGER,
)
from tests.promises.conftest import FAKE_AND_REAL
from tests.promises.directories import Credential, FakeWorld, RealWorld, World, app_token, graph_at

GROUP = Target(Source.GROUP_MEMBER, BACKUP_OPERATORS)
GONE = Target(Source.GROUP_MEMBER, "00000000-0000-4000-b000-000000000999")


@pytest.fixture
async def real_world(directory: RunningDirectory) -> AsyncIterator[RealWorld]:
    async with graph_at(directory.url, Credential(app_token(directory.url))) as graph:
        yield RealWorld(directory, GraphDirectory(graph))


@pytest.fixture(params=FAKE_AND_REAL)
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    real: RealWorld = request.getfixturevalue("real_world")
    return real


def soon(world: World) -> float:
    return world.clock.monotonic() + 10


class TestAnAccount:
    @pytest.mark.parametrize(
        "reference", [ADA, ADA.upper(), "ada@contoso.example", "ADA@Contoso.Example"], ids=["id", "ID", "upn", "UPN"]
    )
    async def test_it_is_found_by_its_id_or_its_name_in_any_case(self, world: World, reference: str) -> None:
        found = await world.directory.account(reference)

        assert found is not None
        assert (found.id, found.name, found.user_principal_name) == (ADA, "Ada Adair", "ada@contoso.example")
        assert (found.employee_id, found.mail, found.has_mailbox, found.enabled) == (
            "E1001",
            "ada@contoso.example",
            True,
            True,
        )

    async def test_it_is_found_by_its_mail_address(self, world: World) -> None:
        world.change_user(ADA_CONTRACTOR, mail="ada.contractor@contoso.example")

        found = await world.directory.account("ada.contractor@contoso.example")

        assert found is not None
        assert found.id == ADA_CONTRACTOR

    async def test_an_account_without_an_exchange_plan_has_no_mailbox(self, world: World) -> None:
        found = await world.directory.account(ADA_ADMIN)

        assert found is not None
        assert (found.has_mailbox, found.mail) == (False, None)

    async def test_its_other_addresses_are_read(self, world: World) -> None:
        world.change_user(ADA_ADMIN, otherMails=("ada@home.example",))

        found = await world.directory.account(ADA_ADMIN)

        assert found is not None
        assert found.other_mails == ("ada@home.example",)

    async def test_a_disabled_account_is_found_and_says_so(self, world: World) -> None:
        found = await world.directory.account(EVE)

        assert found is not None
        assert not found.enabled

    @pytest.mark.parametrize("reference", [STRANGER, "nobody@contoso.example", "o'nobody@contoso.example", "Ada", ""])
    async def test_what_names_nobody_is_none(self, world: World, reference: str) -> None:
        assert await world.directory.account(reference) is None

    async def test_what_names_two_accounts_is_none(self, world: World) -> None:
        world.change_user(BO, mail="ada@contoso.example")

        assert await world.directory.account("ada@contoso.example") is None

    async def test_a_deleted_account_is_none(self, world: World) -> None:
        world.remove_user(ADA)

        assert await world.directory.account(ADA) is None

    async def test_accounts_with_one_employee_id_are_linked(self, world: World) -> None:
        assert {account.id for account in await world.directory.linked_accounts("E1001")} == {ADA, ADA_ADMIN}
        assert await world.directory.linked_accounts("E9999") == ()

    async def test_an_apostrophe_in_an_employee_id_is_a_character_like_any_other(self, world: World) -> None:
        world.change_user(CY, employeeId="O'1")

        assert [account.id for account in await world.directory.linked_accounts("O'1")] == [CY]


class TestGroups:
    async def test_membership_counts_through_other_groups(self, world: World) -> None:
        asked = [ELIGIBLE, INFRASTRUCTURE_ADMINS, APPROVERS, BACKUP_OPERATORS]

        assert await world.directory.groups_among(ADA_ADMIN, asked) == {ELIGIBLE, INFRASTRUCTURE_ADMINS}

    async def test_more_groups_than_one_question_takes_are_asked_in_turn(self, world: World) -> None:
        unknown = [f"00000000-0000-4000-c000-{number:012d}" for number in range(45)]

        assert await world.directory.groups_among(ADA_ADMIN, [*unknown, ELIGIBLE]) == {ELIGIBLE}

    async def test_who_is_not_there_is_in_no_group(self, world: World) -> None:
        assert await world.directory.groups_among(STRANGER, [ELIGIBLE]) == frozenset()

    async def test_the_people_in_a_group_are_users_however_deep(self, world: World) -> None:
        assert await world.directory.people_in(ELIGIBLE) == (ADA_ADMIN,)
        assert set(await world.directory.people_in(APPROVERS)) == {BO, CY, ADA_CONTRACTOR}

    async def test_nobody_is_in_a_group_that_is_gone(self, world: World) -> None:
        assert await world.directory.people_in(GONE.id) == ()

    async def test_a_target_that_was_deleted_does_not_exist(self, world: World) -> None:
        assert await world.directory.target_exists(GROUP)

        world.remove_group(GROUP.id)

        assert not await world.directory.target_exists(GROUP)


class TestPresence:
    async def test_a_member_holds_the_group(self, world: World) -> None:
        world.add_member(GROUP.id, ADA_ADMIN)

        assert await world.directory.presence(ADA_ADMIN, GROUP) is Presence.HELD

    async def test_who_is_no_member_does_not(self, world: World) -> None:
        assert await world.directory.presence(ADA_ADMIN, GROUP) is Presence.NOT_HELD

    async def test_a_member_of_a_group_inside_does_not_hold_it_itself(self, world: World) -> None:
        assert await world.directory.presence(ADA_ADMIN, Target(Source.GROUP_MEMBER, ELIGIBLE)) is Presence.NOT_HELD

    async def test_a_group_that_was_deleted_is_gone(self, world: World) -> None:
        assert await world.directory.presence(ADA_ADMIN, GONE) is Presence.GONE


class TestHolders:
    async def test_everybody_who_holds_the_target_itself_is_read(self, world: World) -> None:
        world.add_member(GROUP.id, BO)
        world.add_member(GROUP.id, ADA_ADMIN)

        held = await world.directory.holders(GROUP)

        assert held is not None
        assert sorted(held) == sorted([ADA_ADMIN, BO])

    async def test_a_group_that_is_a_member_is_a_holder_and_who_is_in_it_is_not(self, world: World) -> None:
        assert await world.directory.holders(Target(Source.GROUP_MEMBER, ELIGIBLE)) == (INFRASTRUCTURE_ADMINS,)

    async def test_nobody_is_an_answer_and_a_target_that_is_gone_is_another(self, world: World) -> None:
        assert await world.directory.holders(GROUP) == ()
        assert await world.directory.holders(GONE) is None

    async def test_more_holders_than_a_page_are_all_read(self, world: World) -> None:
        crowd = world.add_crowd(GROUP.id, 1_001)

        held = await world.directory.holders(GROUP)

        assert held is not None
        assert sorted(held) == crowd


class TestGivingAndTaking:
    async def test_what_is_given_is_held_and_what_is_taken_is_not(self, world: World) -> None:
        await world.directory.assign(ADA_ADMIN, GROUP, deadline=soon(world))
        assert world.members(GROUP.id) == [ADA_ADMIN]
        assert await world.directory.presence(ADA_ADMIN, GROUP) is Presence.HELD

        await world.directory.remove(ADA_ADMIN, GROUP, deadline=soon(world))
        assert world.members(GROUP.id) == []
        assert await world.directory.presence(ADA_ADMIN, GROUP) is Presence.NOT_HELD

    async def test_taking_takes_from_that_group_only_and_leaves_the_user(self, world: World) -> None:
        world.add_member(GROUP.id, BO)
        world.add_member(GROUP.id, ADA_ADMIN)

        await world.directory.remove(ADA_ADMIN, GROUP, deadline=soon(world))

        assert world.members(GROUP.id) == [BO]
        assert await world.directory.account(ADA_ADMIN) is not None
        assert world.members(INFRASTRUCTURE_ADMINS) == [ADA_ADMIN]

    async def test_giving_what_is_held_says_that_it_is(self, world: World) -> None:
        world.add_member(GROUP.id, ADA_ADMIN)

        with pytest.raises(AlreadyAssigned):
            await world.directory.assign(ADA_ADMIN, GROUP, deadline=soon(world))

    async def test_taking_what_is_not_held_says_that_it_is_not(self, world: World) -> None:
        with pytest.raises(NotAssigned):
            await world.directory.remove(ADA_ADMIN, GROUP, deadline=soon(world))

    async def test_taking_from_a_group_that_is_gone_says_that_it_is_not_held(self, world: World) -> None:
        with pytest.raises(NotAssigned):
            await world.directory.remove(ADA_ADMIN, GONE, deadline=soon(world))

    async def test_giving_a_group_that_is_gone_is_refused(self, world: World) -> None:
        with pytest.raises(DirectoryRefused):
            await world.directory.assign(ADA_ADMIN, GONE, deadline=soon(world))

    async def test_giving_to_somebody_who_is_gone_is_refused(self, world: World) -> None:
        with pytest.raises(DirectoryRefused):
            await world.directory.assign(STRANGER, GROUP, deadline=soon(world))

    async def test_after_the_deadline_nothing_is_given_or_taken(self, world: World) -> None:
        world.add_member(HELPDESK, ADA_ADMIN)
        helpdesk = Target(Source.GROUP_MEMBER, HELPDESK)
        over = world.clock.monotonic()

        with pytest.raises(TryAgain) as late:
            await world.directory.assign(ADA_ADMIN, GROUP, deadline=over)
        with pytest.raises(TryAgain):
            await world.directory.remove(ADA_ADMIN, helpdesk, deadline=over)

        assert late.value.fault
        assert late.value.after > timedelta()
        assert world.members(GROUP.id) == []
        assert ADA_ADMIN in world.members(HELPDESK)
