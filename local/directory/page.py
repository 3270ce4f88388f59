"""The page at ``/``: users, groups and who is in them, for a person to look at."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from local.directory.directory import Directory
from local.directory.model import Relation

_ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)


def routes(directory: Directory) -> list[Route]:
    """Return what to serve."""

    async def show(_request: Request) -> Response:
        rows = [
            (group, *(directory.objects(directory.related(group.id, relation)) for relation in Relation))
            for group in directory.groups.values()
        ]
        users = directory.users.values()
        page = _ENVIRONMENT.get_template("page.html").render(tenant=directory.tenant, groups=rows, users=users)
        return HTMLResponse(page)

    return [Route("/", show)]
