"""The admin API under ``/admin``: for tests, the demo and the mailbox. No token, no lag, no faults.

========================================  ==============================================================================
``GET /admin``                            the tenant: id, domain, app, issuer
``GET /admin/users``, ``/admin/groups``   everything; ``/{id}``: GET, PUT (whole), PATCH (some properties), DELETE
``GET /admin/groups/{id}/members``        the truth, without lag; ``/{oid}``: PUT, DELETE, behind the app's back;
                                          the same for ``owners``
``GET /admin/mail?address=``              newest first; ``/{id}``; DELETE forgets all
``GET /admin/calls``                      the calls to Graph, oldest first; DELETE forgets them
``POST /admin/faults``                    one fault, or a list (``faults.py`` has the fields); GET, DELETE
``PUT /admin/quota``                      how many writes Graph takes in a window (``quota.py``); GET, DELETE
``POST /admin/token``                     a token for a person (``tokens.py``, ``for_user``, has the fields)
``POST /admin/keys/rotate``               sign with a new key; ``{"retire": true}``: publish only that one
``POST /admin/reset``                     back to the seed: no mails, faults, quota, calls
========================================  ==============================================================================
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.directory.calls import CallLog
from local.directory.directory import Directory
from local.directory.faults import Fault, Faults
from local.directory.model import Group, Relation, User
from local.directory.quota import Quota
from local.directory.tokens import TokenOffice

type Endpoint = Callable[[Request], Awaitable[Response]]


class Absent(LookupError):  # noqa: N818 - named for what was refused
    """What the path names is not there."""


class Admin:
    """Changes to the tenant that need no permission."""

    def __init__(self, directory: Directory, tokens: TokenOffice, faults: Faults, quota: Quota, calls: CallLog) -> None:
        self._directory = directory
        self._tokens = tokens
        self._faults = faults
        self._quota = quota
        self._calls = calls

    def routes(self) -> list[Route]:
        """Return what to serve."""
        routes = [
            _route("/admin", GET=self.describe),
            _route("/admin/mail", GET=self.list_mail, DELETE=self.forget_mail),
            _route("/admin/mail/{mail}", GET=self.get_mail),
            _route("/admin/calls", GET=self.list_calls, DELETE=self.forget_calls),
            _route("/admin/faults", GET=self.list_faults, POST=self.script_faults, DELETE=self.clear_faults),
            _route("/admin/quota", GET=self.show_quota, PUT=self.set_quota, DELETE=self.lift_quota),
            _route("/admin/token", POST=self.mint),
            _route("/admin/keys/rotate", POST=self.rotate_keys),
            _route("/admin/reset", POST=self.reset),
        ]
        kinds: tuple[type[User | Group], ...] = (User, Group)
        for kind in kinds:
            shelf = _Shelf(self._directory, kind)
            routes += [
                _route(f"/admin/{kind.kind}s", GET=shelf.list),
                _route(
                    f"/admin/{kind.kind}s/{{id}}", GET=shelf.get, PUT=shelf.put, PATCH=shelf.patch, DELETE=shelf.delete
                ),
            ]
        for relation in Relation:
            bond = _Bond(self._directory, relation)
            place = f"/admin/groups/{{id}}/{relation}"
            routes += [_route(place, GET=bond.list), _route(f"{place}/{{object}}", PUT=bond.add, DELETE=bond.remove)]
        return routes

    async def describe(self, _request: Request) -> Response:
        """Answer what the other parts of the local tenant need to know."""
        tenant = self._directory.tenant
        return JSONResponse(
            {
                "tenantId": tenant.id,
                "domain": tenant.domain,
                "appClientId": tenant.app_client_id,
                "appPermissions": list(tenant.app_permissions),
                "issuer": self._tokens.issuer,
            }
        )

    async def list_mail(self, request: Request) -> Response:
        """Answer the mails of one mailbox, or all."""
        address = request.query_params.get("address")
        addresses = self._directory.addresses_of(address) if address else None
        return JSONResponse([mail.to_json() for mail in self._directory.mail.newest_first(addresses)])

    async def get_mail(self, request: Request) -> Response:
        """Answer one mail."""
        mail = self._directory.mail.find(request.path_params["mail"])
        if mail is None:
            raise Absent(request.path_params["mail"])
        return JSONResponse(mail.to_json())

    async def forget_mail(self, _request: Request) -> Response:
        """Delete every mail."""
        self._directory.mail.forget()
        return Response(status_code=204)

    async def list_calls(self, _request: Request) -> Response:
        """Answer the calls to Graph."""
        return JSONResponse(self._calls.to_json())

    async def forget_calls(self, _request: Request) -> Response:
        """Forget the calls to Graph."""
        self._calls.clear()
        return Response(status_code=204)

    async def list_faults(self, _request: Request) -> Response:
        """Answer the scripted faults, with what is left of them."""
        return JSONResponse(self._faults.to_json())

    async def script_faults(self, request: Request) -> Response:
        """Add faults to the script."""
        body = await _json(request)
        self._faults.script([Fault.from_json(fault) for fault in (body if isinstance(body, list) else [body])])
        return JSONResponse(self._faults.to_json(), 201)

    async def clear_faults(self, _request: Request) -> Response:
        """Let everything go well again."""
        self._faults.clear()
        return Response(status_code=204)

    async def show_quota(self, _request: Request) -> Response:
        """Answer the quota of writes, and what of it is used."""
        return JSONResponse(self._quota.to_json())

    async def set_quota(self, request: Request) -> Response:
        """Begin to count writes."""
        self._quota.set(await _json(request))
        return JSONResponse(self._quota.to_json())

    async def lift_quota(self, _request: Request) -> Response:
        """Let every write through again."""
        self._quota.lift()
        return Response(status_code=204)

    async def mint(self, request: Request) -> Response:
        """Answer a token for a person."""
        order = await _json(request)
        key = str(order.get("user", ""))
        user = self._directory.find_mailbox(key)
        if user is None:
            raise Absent(key)
        return JSONResponse({"access_token": self._tokens.for_user(user, order), "token_type": "Bearer"})

    async def rotate_keys(self, request: Request) -> Response:
        """Sign with a new key from now on."""
        key = self._tokens.keys.rotate(retire=bool((await _json(request)).get("retire")))
        return JSONResponse({"kid": key.kid})

    async def reset(self, _request: Request) -> Response:
        """Go back to the seed."""
        self._directory.reset()
        self._faults.clear()
        self._quota.lift()
        self._calls.clear()
        return Response(status_code=204)


class _Shelf:
    """All users, or all groups."""

    def __init__(self, directory: Directory, kind: type[User | Group]) -> None:
        self._directory = directory
        self._kind = kind

    async def list(self, _request: Request) -> Response:
        things = (*self._directory.users.values(), *self._directory.groups.values())
        return JSONResponse([thing.properties for thing in things if isinstance(thing, self._kind)])

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._find(request).properties)

    async def put(self, request: Request) -> Response:
        thing = self._kind.from_json({**await _json(request), "id": request.path_params["id"]})
        self._directory.put(thing)
        return JSONResponse(thing.properties)

    async def patch(self, request: Request) -> Response:
        before = self._find(request)
        thing = self._kind.from_json({**before.properties, **await _json(request), "id": before.id})
        self._directory.put(thing)
        return JSONResponse(thing.properties)

    async def delete(self, request: Request) -> Response:
        self._directory.delete(self._find(request).id)
        return Response(status_code=204)

    def _find(self, request: Request) -> User | Group:
        thing = self._directory.find_object(request.path_params["id"])
        if not isinstance(thing, self._kind):
            raise Absent(request.path_params["id"])
        return thing


class _Bond:
    """The members, or the owners, of groups."""

    def __init__(self, directory: Directory, relation: Relation) -> None:
        self._directory = directory
        self._relation = relation

    async def list(self, request: Request) -> Response:
        return JSONResponse(sorted(self._directory.related(self._group(request).id, self._relation)))

    async def add(self, request: Request) -> Response:
        thing = self._directory.find_object(request.path_params["object"])
        if thing is None:
            raise Absent(request.path_params["object"])
        self._directory.relate(self._group(request).id, self._relation, thing.id)
        return Response(status_code=204)

    async def remove(self, request: Request) -> Response:
        group, object_id = self._group(request), request.path_params["object"].lower()
        self._directory.unrelate(group.id, self._relation, object_id)
        return Response(status_code=204)

    def _group(self, request: Request) -> Group:
        group = self._directory.groups.get(request.path_params["id"].lower())
        if group is None:
            raise Absent(request.path_params["id"])
        return group


async def _json(request: Request) -> Any:
    raw = await request.body()
    return json.loads(raw) if raw else {}


def _route(path: str, **by_method: Endpoint) -> Route:
    async def endpoint(request: Request) -> Response:
        handler = by_method["GET" if request.method == "HEAD" else request.method]
        try:
            return await handler(request)
        except Absent as absent:
            return JSONResponse({"error": f"There is no {absent} here."}, 404)
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return Route(path, endpoint, methods=list(by_method))
