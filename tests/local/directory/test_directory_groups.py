"""Groups, their members and owners, through the unmodified Microsoft Graph SDK."""

import logging

import httpx
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder
from msgraph.generated.groups.item.members.members_request_builder import MembersRequestBuilder
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate

from local.directory.testing import AdminClient, RunningDirectory

from .conftest import app_headers
from .people import (
    ADA,
    ADA_ADMIN,
    ADA_CONTRACTOR,
    APPROVERS,
    BACKUP_OPERATORS,
    BO,
    BO_ADMIN,
    CY,
    DYNAMIC,
    ELIGIBLE,
    HELPDESK,
    INFRASTRUCTURE_ADMINS,
    ROLE_ASSIGNABLE,
    STRANGER,
    SYNCED,
)

pytestmark = pytest.mark.real


def reference(object_id: str) -> ReferenceCreate:
    return ReferenceCreate(odata_id=f"https://graph.microsoft.com/v1.0/directoryObjects/{object_id}")


async def test_a_group_is_found_by_id_and_by_name(graph: GraphServiceClient) -> None:
    query = GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters(filter="displayName eq 'Backup Operators'")

    by_id = await graph.groups.by_group_id(BACKUP_OPERATORS).get()
    by_name = await graph.groups.get(RequestConfiguration(query_parameters=query))

    assert by_id.display_name == "Backup Operators"
    assert [group.id for group in by_name.value] == [BACKUP_OPERATORS]


async def test_direct_members_come_in_pages(graph: GraphServiceClient) -> None:
    query = MembersRequestBuilder.MembersRequestBuilderGetQueryParameters(select=["id"], top=2)
    members = graph.groups.by_group_id(APPROVERS).members

    first = await members.get(RequestConfiguration(query_parameters=query))
    second = await members.with_url(first.odata_next_link).get()

    assert [member.id for member in first.value] == [ADA_CONTRACTOR, BO]
    assert [member.id for member in second.value] == [CY]
    assert second.odata_next_link is None


async def test_transitive_members_include_those_of_nested_groups(graph: GraphServiceClient) -> None:
    eligible = graph.groups.by_group_id(ELIGIBLE)

    direct = await eligible.members.get()
    everything = await eligible.transitive_members.get()
    users = await eligible.transitive_members.graph_user.get()

    assert [member.id for member in direct.value] == [INFRASTRUCTURE_ADMINS]
    assert {member.id for member in everything.value} == {INFRASTRUCTURE_ADMINS, ADA_ADMIN}
    assert [(user.id, user.display_name) for user in users.value] == [(ADA_ADMIN, "Ada Adair (admin)")]


async def test_a_member_is_added_and_removed(graph: GraphServiceClient, admin: AdminClient) -> None:
    members = graph.groups.by_group_id(BACKUP_OPERATORS).members

    await members.ref.post(reference(ADA_ADMIN))
    held = admin.members(BACKUP_OPERATORS)
    await members.by_directory_object_id(ADA_ADMIN).ref.delete()

    assert held == [ADA_ADMIN]
    assert admin.members(BACKUP_OPERATORS) == []


async def test_an_owner_is_added_and_removed_but_never_the_last(graph: GraphServiceClient, admin: AdminClient) -> None:
    owners = graph.groups.by_group_id(HELPDESK).owners

    await owners.ref.post(reference(CY))
    seen = await owners.get()
    await owners.by_directory_object_id(CY).ref.delete()
    with pytest.raises(ODataError) as refusal:
        await owners.by_directory_object_id(BO).ref.delete()

    assert [owner.id for owner in seen.value] == [BO, CY]
    assert admin.get(f"/groups/{HELPDESK}/owners") == [BO]
    assert refusal.value.error.message == (
        "The group must have at least one owner, hence this owner cannot be removed."
    )


async def test_adding_a_member_twice_is_refused_with_graphs_words(graph: GraphServiceClient) -> None:
    with pytest.raises(ODataError) as refusal:
        await graph.groups.by_group_id(APPROVERS).members.ref.post(reference(BO))

    assert refusal.value.response_status_code == 400
    assert refusal.value.error.code == "Request_BadRequest"
    assert refusal.value.error.message == (
        "One or more added object references already exist for the following modified properties: 'members'."
    )


@pytest.mark.parametrize(
    ("group", "member", "missing"), [(BACKUP_OPERATORS, STRANGER, STRANGER), (STRANGER, BO, STRANGER)]
)
async def test_adding_to_or_of_nothing_is_not_found(
    graph: GraphServiceClient, group: str, member: str, missing: str
) -> None:
    with pytest.raises(ODataError) as refusal:
        await graph.groups.by_group_id(group).members.ref.post(reference(member))

    assert (refusal.value.response_status_code, refusal.value.error.code) == (404, "Request_ResourceNotFound")
    assert missing in refusal.value.error.message


async def test_removing_who_is_no_member_is_not_found(graph: GraphServiceClient) -> None:
    with pytest.raises(ODataError) as refusal:
        await graph.groups.by_group_id(BACKUP_OPERATORS).members.by_directory_object_id(BO).ref.delete()

    assert (refusal.value.response_status_code, refusal.value.error.code) == (404, "Request_ResourceNotFound")
    assert refusal.value.error.message == (
        f"Resource '{BO}' does not exist or one of its queried reference-property objects are not present."
    )


@pytest.mark.parametrize(
    ("group", "status", "code"),
    [
        (DYNAMIC, 403, "Authorization_RequestDenied"),
        (SYNCED, 400, "Request_BadRequest"),
        (ROLE_ASSIGNABLE, 403, "Authorization_RequestDenied"),
    ],
)
async def test_some_groups_refuse_every_change(
    graph: GraphServiceClient, admin: AdminClient, group: str, status: int, code: str
) -> None:
    before = admin.members(group)

    for change in (
        graph.groups.by_group_id(group).members.ref.post(reference(ADA_ADMIN)),
        graph.groups.by_group_id(group).members.by_directory_object_id(CY).ref.delete(),
    ):
        with pytest.raises(ODataError) as refusal:
            await change
        assert (refusal.value.response_status_code, refusal.value.error.code) == (status, code)

    assert admin.members(group) == before


def test_an_app_without_the_permission_changes_nothing(powerless: RunningDirectory) -> None:
    change = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{ADA_ADMIN}"}
    with httpx.Client(base_url=powerless.url, headers=app_headers(powerless), trust_env=False) as http:
        answers = [
            http.post(f"/v1.0/groups/{BACKUP_OPERATORS}/members/$ref", json=change),
            http.delete(f"/v1.0/groups/{APPROVERS}/members/{BO}/$ref"),
            http.delete(f"/v1.0/groups/{APPROVERS}/members/{BO}"),
            http.post("/v1.0/users/hourglass@contoso.example/sendMail", json={}),
        ]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (403, "Authorization_RequestDenied")
    ] * 4
    assert "WOULD HAVE DELETED" in powerless.admin.calls()[2]["notes"][0]


def test_an_app_that_may_manage_roles_changes_role_assignable_groups(powerful: RunningDirectory) -> None:
    change = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{ADA_ADMIN}"}
    url = f"{powerful.url}/v1.0/groups/{ROLE_ASSIGNABLE}/members/$ref"

    answer = httpx.post(url, headers=app_headers(powerful), json=change, trust_env=False)

    assert answer.status_code == 204
    assert powerful.admin.members(ROLE_ASSIGNABLE) == [ADA_ADMIN]


def test_forgetting_ref_deletes_the_user_and_says_so_loudly(
    http: httpx.Client, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = http.delete(f"/groups/{HELPDESK}/members/{BO_ADMIN}")

    assert answer.status_code == 204
    assert http.get(f"/users/{BO_ADMIN}").status_code == 404
    assert admin.members(HELPDESK) == []
    assert f"DELETED THE USER {BO_ADMIN}" in caplog.text
    assert any("DELETED THE USER" in note for call in admin.calls() for note in call["notes"])
    assert http.delete(f"/groups/{HELPDESK}/members/{BO_ADMIN}").status_code == 404


@pytest.mark.parametrize("body", [{}, {"@odata.id": 7}, {"@odata.id": "nonsense"}])
def test_a_reference_that_names_nothing_is_refused(http: httpx.Client, body: dict[str, object]) -> None:
    answer = http.post(f"/groups/{BACKUP_OPERATORS}/members/$ref", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")


def test_a_group_owns_nothing(http: httpx.Client) -> None:
    body = {"@odata.id": f"https://graph.microsoft.com/v1.0/groups/{APPROVERS}"}

    assert http.post(f"/groups/{HELPDESK}/owners/$ref", json=body).status_code == 404
    assert http.post(f"/groups/{HELPDESK}/members/$ref", json=body).status_code == 204


def test_changes_behind_the_apps_back_are_seen(http: httpx.Client, admin: AdminClient) -> None:
    admin.add_member(BACKUP_OPERATORS, ADA)
    admin.remove_member(APPROVERS, CY)

    operators = http.get(f"/groups/{BACKUP_OPERATORS}/members?$select=id").json()["value"]
    approvers = http.get(f"/groups/{APPROVERS}/members?$select=id").json()["value"]

    assert operators == [{"@odata.type": "#microsoft.graph.user", "id": ADA}]
    assert [member["id"] for member in approvers] == [ADA_CONTRACTOR, BO]
