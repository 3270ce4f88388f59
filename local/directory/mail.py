"""The mails that were sent: the tenant's Exchange, as far as anybody here looks at it."""

import html
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any
from uuid import uuid4

from local.directory.model import Clock
from local.directory.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as it arrived. ``delivered_to`` has every recipient's address, in lower case."""

    id: str
    sequence: int
    sender: str
    to: tuple[str, ...]
    delivered_to: tuple[str, ...]
    subject: str
    content_type: str
    content: str
    received_at: str

    def to_json(self) -> dict[str, Any]:
        """Return the mail as the admin API shows it; text becomes HTML that looks like text."""
        is_html = self.content_type == "html"
        return {
            "id": self.id,
            "from": self.sender,
            "to": list(self.to),
            "subject": self.subject,
            "contentType": self.content_type,
            "html": self.content if is_html else f"<pre>{html.escape(self.content)}</pre>",
            "receivedAt": self.received_at,
        }


class PostOffice:
    """Delivers at once and keeps everything until it is told to forget."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._mails: dict[str, Mail] = {}
        self._sequence = 0
        self.reload()

    def reload(self) -> None:
        """Read the mails again from the records."""
        kept = [
            Mail(**{**raw, "to": tuple(raw["to"]), "delivered_to": tuple(raw["delivered_to"])})
            for raw in self._records.all("mail").values()
        ]
        self._mails = {mail.id: mail for mail in sorted(kept, key=lambda mail: mail.sequence)}
        self._sequence = max((mail.sequence for mail in kept), default=0)

    def deliver(self, *, sender: str, to: list[str], copies: list[str], subject: str, body: tuple[str, str]) -> Mail:
        """Keep one mail; ``body`` is the content type (``html`` or ``text``) and the content."""
        content_type, content = body
        self._sequence += 1
        mail = Mail(
            id=str(uuid4()),
            sequence=self._sequence,
            sender=sender,
            to=tuple(to),
            delivered_to=tuple(address.lower() for address in (*to, *copies)),
            subject=subject,
            content_type=content_type,
            content=content,
            received_at=self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        self._records.put("mail", mail.id, asdict(mail))
        self._mails[mail.id] = mail
        return mail

    def newest_first(self, addresses: Iterable[str] | None = None) -> list[Mail]:
        """Return the mails to any of these addresses; without addresses, every mail."""
        wanted = None if addresses is None else {address.lower() for address in addresses}
        return [
            mail
            for mail in reversed(self._mails.values())
            if wanted is None or not wanted.isdisjoint(mail.delivered_to)
        ]

    def find(self, mail_id: str) -> Mail | None:
        """Return one mail, if it is here."""
        return self._mails.get(mail_id)

    def forget(self) -> None:
        """Delete every mail."""
        self._records.clear("mail")
        self._mails.clear()
