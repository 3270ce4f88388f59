"""Users, asked through the unmodified Microsoft Graph SDK."""

import httpx
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.item.check_member_groups.check_member_groups_post_request_body import (
    CheckMemberGroupsPostRequestBody,
)
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from .people import ADA, ADA_ADMIN, APPROVERS, BO, DEE, ELIGIBLE, INFRASTRUCTURE_ADMINS, STRANGER

pytestmark = pytest.mark.real

ItemQuery = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters
ListQuery = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters


@pytest.mark.parametrize("key", [ADA, "ada@contoso.example", "ADA@contoso.example"])
async def test_a_user_is_found_by_id_and_by_user_principal_name(graph: GraphServiceClient, key: str) -> None:
    user = await graph.users.by_user_id(key).get()

    assert (user.id, user.display_name, user.mail) == (ADA, "Ada Adair", "ada@contoso.example")


async def test_only_the_properties_that_were_asked_for_come_back(graph: GraphServiceClient) -> None:
    query = ItemQuery(select=["id", "employeeId", "accountEnabled", "assignedPlans"])

    user = await graph.users.by_user_id(ADA).get(RequestConfiguration(query_parameters=query))

    assert (user.employee_id, user.account_enabled, user.display_name) == ("E1001", True, None)
    assert [plan.service for plan in user.assigned_plans] == ["exchange"]


async def test_without_select_the_interesting_properties_stay_away(graph: GraphServiceClient) -> None:
    user = await graph.users.by_user_id(ADA).get()

    assert (user.employee_id, user.account_enabled, user.proxy_addresses) == (None, None, None)


async def test_a_stranger_is_refused_with_graphs_words(graph: GraphServiceClient) -> None:
    with pytest.raises(ODataError) as refusal:
        await graph.users.by_user_id(STRANGER).get()

    assert refusal.value.response_status_code == 404
    assert refusal.value.error.code == "Request_ResourceNotFound"
    assert refusal.value.error.message == (
        f"Resource '{STRANGER}' does not exist or one of its queried reference-property objects are not present."
    )


async def test_a_filter_finds_every_account_of_a_person(graph: GraphServiceClient) -> None:
    query = ListQuery(filter="employeeId eq 'E1001' or mail eq 'bo@contoso.example'", select=["id"])

    users = await graph.users.get(RequestConfiguration(query_parameters=query))

    assert [user.id for user in users.value] == [ADA, ADA_ADMIN, BO]


async def test_an_alias_leads_to_its_owner(graph: GraphServiceClient) -> None:
    query = ListQuery(filter="proxyAddresses/any(x:x eq 'smtp:ada.adair@contoso.example')", count=True)
    configuration = RequestConfiguration(query_parameters=query)
    configuration.headers.add("ConsistencyLevel", "eventual")

    users = await graph.users.get(configuration)

    assert [user.id for user in users.value] == [ADA]
    assert users.odata_count == 1


async def test_pages_follow_one_another_until_everybody_was_there(graph: GraphServiceClient) -> None:
    query = ListQuery(top=4, select=["id"])
    page = await graph.users.get(RequestConfiguration(query_parameters=query))
    sizes = [len(page.value)]
    seen = [user.id for user in page.value]

    while page.odata_next_link:
        page = await graph.users.with_url(page.odata_next_link).get()
        sizes.append(len(page.value))
        seen += [user.id for user in page.value]

    assert sizes == [4, 4, 1]
    assert len(set(seen)) == 9


async def test_membership_is_checked_through_nested_groups(graph: GraphServiceClient) -> None:
    body = CheckMemberGroupsPostRequestBody(group_ids=[ELIGIBLE, INFRASTRUCTURE_ADMINS, APPROVERS])

    ada_admin = await graph.users.by_user_id(ADA_ADMIN).check_member_groups.post(body)
    dee = await graph.users.by_user_id(DEE).check_member_groups.post(body)

    assert ada_admin.value == [ELIGIBLE, INFRASTRUCTURE_ADMINS]
    assert dee.value == []


def test_any_object_can_be_looked_up_and_checked(http: httpx.Client) -> None:
    group = http.get(f"/directoryObjects/{APPROVERS}", params={"$select": "id,displayName,employeeId"}).json()
    checked = http.post(f"/directoryObjects/{ADA_ADMIN}/checkMemberObjects", json={"ids": [ELIGIBLE]}).json()

    assert group["@odata.type"] == "#microsoft.graph.group"
    assert group["displayName"] == "Backup approvers"
    assert checked["value"] == [ELIGIBLE]
    assert http.get(f"/directoryObjects/{STRANGER}").status_code == 404
    assert http.post(f"/directoryObjects/{STRANGER}/checkMemberGroups", json={"groupIds": []}).status_code == 404


def test_more_than_twenty_groups_at_once_are_too_many(http: httpx.Client) -> None:
    twenty = http.post(f"/users/{ADA}/checkMemberGroups", json={"groupIds": [APPROVERS] * 20})
    one_more = http.post(f"/users/{ADA}/checkMemberGroups", json={"groupIds": [APPROVERS] * 21})

    assert twenty.status_code == 200
    assert (one_more.status_code, one_more.json()["error"]["code"]) == (400, "Request_BadRequest")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/users?$select=shoeSize", "Could not find a property named 'shoeSize' on type 'microsoft.graph.user'."),
        ("/users?$filter=shoeSize eq '42'", "Could not find a property named 'shoeSize'"),
        ("/users?$top=1000", "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."),
        ("/nonsense", "Resource not found for the segment 'nonsense'."),
        ("/users?$skiptoken=x", "The specified page token value has expired."),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(http: httpx.Client, path: str, message: str) -> None:
    answer = http.get(path)

    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"groupIds": "one"}'])
def test_a_body_that_makes_no_sense_is_refused(http: httpx.Client, body: bytes) -> None:
    assert http.post(f"/users/{ADA}/checkMemberGroups", content=body).status_code == 400
