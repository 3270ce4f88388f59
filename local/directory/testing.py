"""A running directory for tests: ``with RunningDirectory() as directory: ... directory.url``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from local.directory.application import build, open_directory
from local.directory.directory import Directory
from local.directory.model import Clock, system_clock
from local.directory.serving import RunningServer
from local.directory.tenant import Tenant

SAMPLE_TENANT = Path(__file__).parents[2] / "examples" / "tenant.json"


class AdminClient:
    """The admin API, for tests. Every call raises ``httpx.HTTPStatusError`` if it is refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._root = f"{url}/admin"
        self._client = httpx.Client(trust_env=False)

    def get(self, path: str, **params: str) -> Any:
        """Return what a path of the admin API answers."""
        return self._send("GET", path, params=params)

    def put(self, path: str, body: Any = None) -> Any:
        """Put."""
        return self._send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change some properties."""
        return self._send("PATCH", path, json=body)

    def post(self, path: str, body: Any = None) -> Any:
        """Post."""
        return self._send("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Delete."""
        self._send("DELETE", path)

    def members(self, group_id: str) -> list[str]:
        """Return the object ids of a group's members: the truth, without lag."""
        return list(self.get(f"/groups/{group_id}/members"))

    def add_member(self, group_id: str, object_id: str) -> None:
        """Add a member behind the app's back."""
        self.put(f"/groups/{group_id}/members/{object_id}")

    def remove_member(self, group_id: str, object_id: str) -> None:
        """Remove a member behind the app's back."""
        self.delete(f"/groups/{group_id}/members/{object_id}")

    def mail(self, address: str) -> list[dict[str, Any]]:
        """Return the mails of a mailbox, newest first."""
        return list(self.get("/mail", address=address))

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls to Graph, oldest first."""
        return list(self.get("/calls"))

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Script faults; ``faults.py`` has the fields."""
        self.post("/faults", [dict(fault) for fault in faults])

    def token(self, user: str, **order: Any) -> str:
        """Return a token for a person; ``TokenOffice.for_user`` has the fields."""
        return str(self.post("/token", {"user": user, **order})["access_token"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, method: str, path: str, **options: Any) -> Any:
        answer = self._client.request(method, f"{self._root}{path}", **options).raise_for_status()
        return answer.json() if answer.content else None


class RunningDirectory:
    """A directory in a thread of its own, on a free port."""

    def __init__(
        self, seed: Tenant | Path = SAMPLE_TENANT, *, data: Path | None = None, clock: Clock = system_clock
    ) -> None:
        """Prepare a directory; ``data`` is the folder that keeps its state, ``clock`` what its lag goes by."""
        tenant = seed if isinstance(seed, Tenant) else Tenant.from_file(seed)
        self.state: Directory = open_directory(tenant, data=data, clock=clock)
        self._server = RunningServer(lambda url, connections: build(self.state, url, connections))
        self.admin = AdminClient(self.url)

    @property
    def url(self) -> str:
        """The address, without a slash at the end: Graph is at ``/v1.0`` below it."""
        return self._server.url

    def __enter__(self) -> Self:
        """Start."""
        self._server.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self.admin.close()
        self._server.__exit__()
        self.state.records.close()
