"""The whole of the local directory as one ASGI application."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from local.directory import graph_groups, graph_mail, graph_users, page
from local.directory.admin import Admin
from local.directory.calls import CallLog
from local.directory.directory import Directory
from local.directory.entra import Entra
from local.directory.faults import Faults
from local.directory.graph_call import answering, no_such_call
from local.directory.model import Clock, system_clock
from local.directory.quota import Quota
from local.directory.records import Records
from local.directory.serving import Connections
from local.directory.signing import KeyRing
from local.directory.tenant import Tenant
from local.directory.tokens import TokenOffice
from local.directory.weather import Weather

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def open_directory(tenant: Tenant, *, data: Path | None = None, clock: Clock = system_clock) -> Directory:
    """Open a directory: with ``data``, a folder, it goes on where it was; without, it begins with the seed."""
    return Directory(tenant, records=Records(data), clock=clock)


def build(directory: Directory, authority: str, connections: Connections) -> Starlette:
    """Return the application that answers for a directory at an authority such as ``http://127.0.0.1:7080``."""
    tokens = TokenOffice(directory, KeyRing(directory.records), authority)
    faults, quota, calls = Faults(), Quota(directory.clock), CallLog()
    graph = [
        Route(f"/v1.0{path}", answering(directory, tokens, handler), methods=[method])
        for operations in (graph_users, graph_groups, graph_mail)
        for method, path, handler in operations.operations()
    ]
    return Starlette(
        routes=[
            *page.routes(directory),
            *graph,
            Route("/v1.0/{rest:path}", answering(directory, tokens, no_such_call), methods=_METHODS),
            *Admin(directory, tokens, faults, quota, calls).routes(),
            *Entra(directory, tokens).routes(),
        ],
        middleware=[
            # Without this a page on the internet whose name resolves to 127.0.0.1 could mint tokens here.
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
            Middleware(
                Weather, faults=faults, quota=quota, calls=calls, clock=directory.clock, connections=connections
            ),
        ],
    )
