"""Graph's calls about groups: look-ups, and changes of members and owners."""

import logging
import re
from functools import partial

from starlette.responses import JSONResponse, Response

from local.directory.graph_call import GraphCall
from local.directory.graph_errors import (
    GraphError,
    already_there,
    bad_request,
    denied,
    last_owner,
    mastered_on_premises,
    not_found,
)
from local.directory.graph_users import Operation
from local.directory.model import Group, Relation, User

log = logging.getLogger(__name__)

_REFERENCE = re.compile(r"/(?:directoryObjects|users|groups)(?:/|\(')(?P<id>[^/')]+)(?:'\))?$")


def operations() -> list[Operation]:
    """Return method, path below ``/v1.0`` and handler of each call."""
    found: list[Operation] = [
        ("GET", "/groups", list_groups),
        ("GET", "/groups/{group}", get_group),
        ("GET", "/groups/{group}/transitiveMembers", list_transitive_members),
        ("GET", "/groups/{group}/transitiveMembers/microsoft.graph.user", list_transitive_users),
        ("GET", "/groups/{group}/transitiveMembers/graph.user", list_transitive_users),
    ]
    for relation in Relation:
        place = f"/groups/{{group}}/{relation}"
        found += [
            ("GET", place, partial(list_related, relation=relation)),
            ("POST", f"{place}/$ref", partial(add_related, relation=relation)),
            ("DELETE", f"{place}/{{object}}/$ref", partial(remove_related, relation=relation)),
            ("DELETE", f"{place}/{{object}}", delete_the_object_itself),
        ]
    return found


def list_groups(call: GraphCall) -> Response:
    """Answer the groups that a filter lets through."""
    groups, envelope = call.query.page(call.query.matching(call.directory.groups.values(), Group))
    return JSONResponse({**envelope, "value": [call.query.show(group) for group in groups]})


def get_group(call: GraphCall) -> Response:
    """Answer one group."""
    return JSONResponse({"@odata.context": f"{call.query.context}#groups/$entity", **call.query.show(call.group())})


def list_related(call: GraphCall, relation: Relation) -> Response:
    """Answer the direct members or the owners of a group."""
    return _collection(call, call.directory.related(call.group().id, relation, call.as_of))


def list_transitive_members(call: GraphCall) -> Response:
    """Answer everything that is in a group, directly or through other groups."""
    return _collection(call, call.directory.transitive_members(call.group().id, call.as_of))


def list_transitive_users(call: GraphCall) -> Response:
    """Answer every user that is in a group, directly or through other groups."""
    found = call.directory.transitive_members(call.group().id, call.as_of)
    return _collection(call, found & call.directory.users.keys())


def add_related(call: GraphCall, relation: Relation) -> Response:
    """Make an object a member or an owner of a group."""
    group = _group_to_change(call, relation)
    reference = call.json().get("@odata.id")
    match = _REFERENCE.search(reference) if isinstance(reference, str) else None
    if match is None:
        raise bad_request("Invalid URL format specified in @odata.id property of the request.")
    added = call.directory.find_object(match["id"])
    if added is None or (relation is Relation.OWNERS and not isinstance(added, User)):
        raise not_found(match["id"])
    if added.id in call.directory.related(group.id, relation):
        raise already_there(relation)
    call.directory.relate(group.id, relation, added.id)
    return Response(status_code=204)


def remove_related(call: GraphCall, relation: Relation) -> Response:
    """End a membership or an ownership."""
    group = _group_to_change(call, relation)
    object_id = call.path["object"].lower()
    related = call.directory.related(group.id, relation)
    if object_id not in related:
        raise not_found(call.path["object"])
    if relation is Relation.OWNERS and related == {object_id}:
        raise last_owner()
    call.directory.unrelate(group.id, relation, object_id)
    return Response(status_code=204)


def delete_the_object_itself(call: GraphCall) -> Response:
    """Do what the real Graph does when ``/$ref`` is forgotten: delete the user or group, not the membership."""
    call.group()
    found = call.directory.find_object(call.path["object"])
    if found is None:
        raise not_found(call.path["object"])
    note = f"DELETED THE {found.kind.upper()} {found.id}: /$ref was missing"
    try:
        call.demand("User.ReadWrite.All" if isinstance(found, User) else "Group.ReadWrite.All")
    except GraphError:
        call.notes.append(note.replace("DELETED", "WOULD HAVE DELETED"))
        raise
    call.directory.delete(found.id)
    call.notes.append(note)
    log.error("directory.object_deleted: %s", note)
    return Response(status_code=204)


def _group_to_change(call: GraphCall, relation: Relation) -> Group:
    """Return the group of a change, once it is clear that this caller may change it."""
    group = call.group()
    call.demand("GroupMember.ReadWrite.All", "Group.ReadWrite.All")
    if group.is_role_assignable:
        call.demand("RoleManagement.ReadWrite.Directory")
    if group.is_synced:
        raise mastered_on_premises()
    if group.is_dynamic and relation is Relation.MEMBERS:
        raise denied()
    return group


def _collection(call: GraphCall, object_ids: frozenset[str]) -> Response:
    things, envelope = call.query.page(call.directory.objects(object_ids))
    return JSONResponse({**envelope, "value": [call.query.show_related(thing) for thing in things]})
