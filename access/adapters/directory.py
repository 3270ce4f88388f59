"""Microsoft Graph as the rules need it: look up, give, take back, read back. Vendor errors are translated here, once.

Source: Microsoft Graph v1.0, group: add members, remove member, list members; user: checkMemberGroups.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder
from msgraph.generated.groups.item.group_item_request_builder import GroupItemRequestBuilder
from msgraph.generated.groups.item.members.members_request_builder import MembersRequestBuilder
from msgraph.generated.groups.item.transitive_members.graph_user.graph_user_request_builder import (
    GraphUserRequestBuilder,
)
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.users.item.check_member_groups.check_member_groups_post_request_body import (
    CheckMemberGroupsPostRequestBody,
)
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

from access.adapters.graph import Graph, GraphFault
from access.errors import AlreadyAssigned, DirectoryRefused, NotAssigned
from access.hold import Presence
from access.model import Account, Target

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FIELDS = [
    "id",
    "displayName",
    "userPrincipalName",
    "mail",
    "otherMails",
    "employeeId",
    "accountEnabled",
    "assignedPlans",
]
_CHECK_LIMIT = 20
"""Groups that one checkMemberGroups takes."""

_PAGE = 999
_OBJECTS = "https://graph.microsoft.com/v1.0/directoryObjects"
_MISSING, _BAD, _FORBIDDEN = 404, 400, 403


def member_path(graph: Graph, target: Target, principal: str) -> RequestInformation:
    """Return the request that takes a member out of a group: ``.../members/{id}/$ref``.

    Without the ``$ref`` at its end this request deletes the *user*; nothing else builds it, and a test pins it.
    """
    member = graph.service.groups.by_group_id(target.id).members.by_directory_object_id(principal)
    return member.ref.to_delete_request_information()


class GraphDirectory:
    """Implements ``ports.Directory``."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def account(self, reference: str) -> Account | None:
        """Return the one account that ``reference`` names; None: none, or several."""
        if not _GUID.fullmatch(reference):
            quoted = reference.replace("'", "''")
            found = await self._users(f"userPrincipalName eq '{quoted}' or mail eq '{quoted}'", top=2)
            return found[0] if len(found) == 1 else None
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=_FIELDS)
        request = self._graph.service.users.by_user_id(reference).to_get_request_information(
            RequestConfiguration(query_parameters=query)
        )
        try:
            return _account(await self._graph.read(request))
        except GraphFault as fault:
            if fault.status == _MISSING:
                return None
            raise fault.later() from fault

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        """Return all accounts with this employee id."""
        quoted = employee_id.replace("'", "''")
        return tuple(await self._users(f"employeeId eq '{quoted}'", top=_PAGE))

    async def _users(self, text: str, *, top: int) -> list[Account]:
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter=text, select=_FIELDS, top=top)
        request = self._graph.service.users.to_get_request_information(RequestConfiguration(query_parameters=query))
        try:
            return [_account(item) async for item in self._graph.pages(request)]
        except GraphFault as fault:
            raise fault.later() from fault

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        """Return which of ``groups`` the account belongs to, directly or through other groups."""
        found: set[str] = set()
        for start in range(0, len(groups), _CHECK_LIMIT):
            body = CheckMemberGroupsPostRequestBody(group_ids=list(groups[start : start + _CHECK_LIMIT]))
            builder = self._graph.service.users.by_user_id(account).check_member_groups
            try:
                answer = await self._graph.read(builder.to_post_request_information(body))
            except GraphFault as fault:
                if fault.status == _MISSING:
                    return frozenset()
                raise fault.later() from fault
            found.update(str(group).lower() for group in answer.get("value", []))
        return frozenset(found)

    async def people_in(self, group: str) -> tuple[str, ...]:
        """Return the object ids of the users in a group, directly or through other groups."""
        query = GraphUserRequestBuilder.GraphUserRequestBuilderGetQueryParameters(select=["id"], top=_PAGE)
        builder = self._graph.service.groups.by_group_id(group).transitive_members.graph_user
        request = builder.to_get_request_information(RequestConfiguration(query_parameters=query))
        try:
            return tuple([str(item["id"]).lower() async for item in self._graph.pages(request)])
        except GraphFault as fault:
            if fault.status == _MISSING:
                return ()
            raise fault.later() from fault

    async def target_exists(self, target: Target) -> bool:
        """Whether the group is there."""
        return await self.group(target.id) is not None

    async def group(self, reference: str) -> tuple[str, str] | None:
        """Return id and name of the one group that an object id or a display name names; None: none, or several."""
        service = self._graph.service.groups
        try:
            if _GUID.fullmatch(reference):
                item_query = GroupItemRequestBuilder.GroupItemRequestBuilderGetQueryParameters(
                    select=["id", "displayName"]
                )
                request = service.by_group_id(reference).to_get_request_information(
                    RequestConfiguration(query_parameters=item_query)
                )
                found = [await self._graph.read(request)]
            else:
                quoted = reference.replace("'", "''")
                query = GroupsRequestBuilder.GroupsRequestBuilderGetQueryParameters(
                    filter=f"displayName eq '{quoted}'", select=["id", "displayName"], top=2
                )
                request = service.to_get_request_information(RequestConfiguration(query_parameters=query))
                found = [item async for item in self._graph.pages(request)]
        except GraphFault as fault:
            if fault.status == _MISSING:
                return None
            raise fault.later() from fault
        return (str(found[0]["id"]).lower(), str(found[0].get("displayName") or "")) if len(found) == 1 else None

    async def presence(self, principal: str, target: Target) -> Presence:
        """Read the group's own members, and whether the principal is one."""
        try:
            async for member in self._members(target):
                if member == principal:
                    return Presence.HELD
        except GraphFault as fault:
            if fault.status == _MISSING:
                return Presence.GONE
            raise fault.later() from fault
        return Presence.NOT_HELD

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        """Read the group's own members, all of them."""
        try:
            return tuple([member async for member in self._members(target)])
        except GraphFault as fault:
            if fault.status == _MISSING:
                return None
            raise fault.later() from fault

    async def _members(self, target: Target) -> AsyncIterator[str]:
        """Yield members from the plain list, since the filtered one comes from an index of its own."""
        query = MembersRequestBuilder.MembersRequestBuilderGetQueryParameters(select=["id"], top=_PAGE)
        builder = self._graph.service.groups.by_group_id(target.id).members
        request = builder.to_get_request_information(RequestConfiguration(query_parameters=query))
        async for item in self._graph.pages(request):
            yield str(item["id"]).lower()

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        """Make the principal a member of the group."""
        reference = ReferenceCreate(odata_id=f"{_OBJECTS}/{principal}")
        members = self._graph.service.groups.by_group_id(target.id).members
        try:
            await self._graph.act(members.ref.to_post_request_information(reference), deadline=deadline)
        except GraphFault as fault:
            if fault.status == _BAD and "already exist" in fault.message:
                raise AlreadyAssigned from fault
            if fault.status in {_BAD, _FORBIDDEN, _MISSING}:
                raise DirectoryRefused(f"{fault.code}: {fault.message}") from fault
            raise fault.later() from fault

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        """Take the principal out of the group."""
        try:
            await self._graph.act(member_path(self._graph, target, principal), deadline=deadline)
        except GraphFault as fault:
            if fault.status == _MISSING or (fault.status == _BAD and "do not exist" in fault.message):
                raise NotAssigned from fault
            raise fault.later() from fault


def _account(item: dict[str, Any]) -> Account:
    plans = item.get("assignedPlans") or []
    mailbox = any(plan.get("service") == "exchange" and plan.get("capabilityStatus") == "Enabled" for plan in plans)
    return Account(
        id=str(item["id"]).lower(),
        name=str(item.get("displayName") or item.get("userPrincipalName") or item["id"]),
        user_principal_name=str(item.get("userPrincipalName") or ""),
        enabled=bool(item.get("accountEnabled")),
        employee_id=(str(item.get("employeeId") or "").strip() or None),
        mail=item.get("mail") or None,
        has_mailbox=mailbox,
        other_mails=tuple(str(mail) for mail in item.get("otherMails") or []),
    )
