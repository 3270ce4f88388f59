"""What ``People`` promises: all accounts of one person, whatever links them, and never fewer because a read failed."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from access.adapters.directory import GraphDirectory
from access.adapters.people import LinkedPeople
from access.adapters.register import PersonLinks
from access.errors import TryAgain
from local.directory.testing import RunningDirectory
from tests.local.directory.people import ADA, ADA_ADMIN, ADA_CONTRACTOR, BO, BO_ADMIN, CY, STRANGER
from tests.promises.conftest import FAKE_AND_REAL
from tests.promises.directories import Credential, FakeWorld, RealWorld, World, app_token, graph_at


class RolesFile:
    """What the roles file says about persons."""

    def __init__(self, **persons: PersonLinks) -> None:
        self._persons = persons
        self.unreadable = False

    async def person_links(self, account: str) -> PersonLinks | None:
        if self.unreadable:
            raise TryAgain("the tables", after=timedelta(seconds=5), fault=True)
        return next((links for links in self._persons.values() if account in links.accounts), None)


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


async def accounts_of(world: World, account: str, **persons: PersonLinks) -> set[str]:
    person = await LinkedPeople(world.directory, RolesFile(**persons)).person_of(account)
    assert person is not None
    assert len(person.accounts) == len(person.ids)
    return set(person.ids)


@pytest.mark.parametrize("account", [ADA, ADA_ADMIN])
async def test_accounts_with_one_employee_id_are_one_person(world: World, account: str) -> None:
    assert await accounts_of(world, account) == {ADA, ADA_ADMIN}


async def test_an_account_that_nothing_links_is_a_person_of_its_own(world: World) -> None:
    assert await accounts_of(world, ADA_CONTRACTOR) == {ADA_CONTRACTOR}


@pytest.mark.parametrize("empty", ["", "   "])
async def test_an_employee_id_that_is_empty_links_nobody(world: World, empty: str) -> None:
    world.change_user(BO, employeeId=empty)
    world.change_user(CY, employeeId=empty)

    assert await accounts_of(world, BO) == {BO}


async def test_accounts_that_the_file_lists_together_are_one_person(world: World) -> None:
    listed = PersonLinks(accounts=(ADA_CONTRACTOR, CY))

    assert await accounts_of(world, ADA_CONTRACTOR, cy=listed) == {ADA_CONTRACTOR, CY}


@pytest.mark.parametrize("account", [ADA, ADA_ADMIN, ADA_CONTRACTOR])
async def test_links_of_both_kinds_are_followed_from_whichever_end(world: World, account: str) -> None:
    ada = PersonLinks(accounts=(ADA_ADMIN, ADA_CONTRACTOR))

    assert await accounts_of(world, account, ada=ada) == {ADA, ADA_ADMIN, ADA_CONTRACTOR}


async def test_links_that_go_round_in_a_circle_come_to_an_end(world: World) -> None:
    circle = {"one": PersonLinks(accounts=(ADA, BO_ADMIN)), "two": PersonLinks(accounts=(BO, ADA_ADMIN))}

    assert await accounts_of(world, ADA, **circle) == {ADA, ADA_ADMIN, BO, BO_ADMIN}


async def test_the_files_contact_is_the_persons_address(world: World) -> None:
    ada = PersonLinks(accounts=(ADA_ADMIN,), contact="ada@home.example")

    person = await LinkedPeople(world.directory, RolesFile(ada=ada)).person_of(ADA)

    assert person is not None
    assert person.address == "ada@home.example"


async def test_a_listed_account_that_was_deleted_is_left_out(world: World) -> None:
    world.remove_user(ADA_CONTRACTOR)

    assert await accounts_of(world, CY, cy=PersonLinks(accounts=(CY, ADA_CONTRACTOR))) == {CY}


async def test_an_account_that_is_not_there_is_nobody(world: World) -> None:
    assert await LinkedPeople(world.directory, RolesFile()).person_of(STRANGER) is None


async def test_links_that_can_not_be_read_are_not_taken_for_none(world: World) -> None:
    unreadable = RolesFile()
    unreadable.unreadable = True

    with pytest.raises(TryAgain):
        await LinkedPeople(world.directory, unreadable).person_of(ADA)


@pytest.mark.real
async def test_nor_are_accounts_that_the_directory_can_not_list(
    real_world: RealWorld, directory: RunningDirectory
) -> None:
    directory.admin.faults({"kind": "status", "status": 503, "path": r"/users$"})

    with pytest.raises(TryAgain):
        await LinkedPeople(real_world.directory, RolesFile()).person_of(ADA)
