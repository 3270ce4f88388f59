"""Graph's calls about users: look-ups, and the groups that somebody is in."""

from starlette.responses import JSONResponse, Response

from local.directory.graph_call import GraphCall, GraphHandler
from local.directory.graph_errors import bad_request, not_found
from local.directory.model import User

_MOST_IDS_CHECKED = 20

type Operation = tuple[str, str, GraphHandler]


def operations() -> list[Operation]:
    """Return method, path below ``/v1.0`` and handler of each call."""
    return [
        ("GET", "/users", list_users),
        ("GET", "/users/{user}", get_user),
        ("POST", "/users/{user}/checkMemberGroups", check_user),
        ("POST", "/users/{user}/checkMemberObjects", check_user),
        ("GET", "/directoryObjects/{object}", get_object),
        ("POST", "/directoryObjects/{object}/checkMemberGroups", check_object),
        ("POST", "/directoryObjects/{object}/checkMemberObjects", check_object),
    ]


def list_users(call: GraphCall) -> Response:
    """Answer the users that a filter lets through."""
    users, envelope = call.query.page(call.query.matching(call.directory.users.values(), User))
    return JSONResponse({**envelope, "value": [call.query.show(user) for user in users]})


def get_user(call: GraphCall) -> Response:
    """Answer one user, by id or user principal name."""
    return JSONResponse({"@odata.context": f"{call.query.context}#users/$entity", **call.query.show(call.user())})


def get_object(call: GraphCall) -> Response:
    """Answer a user or a group by its id."""
    key = call.path["object"]
    found = call.directory.find_object(key)
    if found is None:
        raise not_found(key)
    context = f"{call.query.context}#directoryObjects/$entity"
    return JSONResponse({"@odata.context": context, **call.query.show_related(found)})


def check_user(call: GraphCall) -> Response:
    """Answer which of the named groups a user is in, directly or through other groups."""
    return _check(call, call.user().id)


def check_object(call: GraphCall) -> Response:
    """Answer which of the named groups an object is in, directly or through other groups."""
    key = call.path["object"]
    found = call.directory.find_object(key)
    if found is None:
        raise not_found(key)
    return _check(call, found.id)


def _check(call: GraphCall, object_id: str) -> Response:
    body = call.json()
    asked = body.get("groupIds", body.get("ids"))
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        raise bad_request("Invalid value specified for property 'groupIds' of resource 'DirectoryObject'.")
    if len(asked) > _MOST_IDS_CHECKED:
        raise bad_request(
            f"Too many values specified for property 'groupIds': {len(asked)}. Maximum is {_MOST_IDS_CHECKED}."
        )
    members_of = [
        group_id
        for group_id in dict.fromkeys(one.lower() for one in asked)
        if group_id in call.directory.groups and object_id in call.directory.transitive_members(group_id, call.as_of)
    ]
    return JSONResponse({"@odata.context": f"{call.query.context}#Collection(Edm.String)", "value": members_of})
