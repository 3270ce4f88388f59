"""A running mailbox for tests: ``with RunningMailbox(directory.url, app=url) as mailbox: ... mailbox.url``."""

from pathlib import Path
from typing import Any, Self

import httpx

from local.directory.records import Records
from local.directory.serving import RunningServer
from local.mailbox.application import NODE_MODULES, build
from local.mailbox.wiring import inboxes_for


class RunningMailbox:
    """The mailboxes of a directory, in a thread of their own, on a free port."""

    def __init__(
        self, directory: str, *, app: str, data: Path | None = None, node_modules: Path = NODE_MODULES
    ) -> None:
        """``app`` is the origin that buttons may call; ``data`` the folder that keeps replaced cards."""
        self._records = Records(data)
        inboxes = inboxes_for(directory, allowed=frozenset({app}), records=self._records)
        self._server = RunningServer(lambda _url, _connections: build(inboxes, node_modules))

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return self._server.url

    def mail(self, address: str) -> list[dict[str, Any]]:
        """Return what is in a mailbox, newest first."""
        answer = httpx.get(f"{self.url}/api/mail", params={"address": address}, trust_env=False)
        return list(answer.raise_for_status().json())

    def open(self, address: str, mail_id: str) -> dict[str, Any]:
        """Open a mail as its reader does."""
        return self._post("open", {"address": address, "mailId": mail_id})

    def press(self, address: str, mail_id: str, action: str | int, **inputs: str) -> dict[str, Any]:
        """Press a button by its title or number."""
        return self._post("press", {"address": address, "mailId": mail_id, "action": action, "inputs": inputs})

    def __enter__(self) -> Self:
        """Start."""
        self._server.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self._server.__exit__()
        self._records.close()

    def _post(self, verb: str, order: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/api/{verb}", json=order, trust_env=False, timeout=60)
        return dict(answer.raise_for_status().json())
