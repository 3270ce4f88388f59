"""The inboxes: mails from the directory, and what happened to their cards since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.directory.records import Records
from local.mailbox.actions_service import AUTO_INVOKE_PATIENCE, ActionsService, Outcome
from local.mailbox.cards import Card, HttpAction, http_actions, marked, read_mail
from local.mailbox.tenant_client import Person, TenantClient


class Refused(Exception):  # noqa: N818 - named for what was refused
    """A press that cannot be made; ``status`` is what a script is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMail:
    """One mail in one inbox, with the card as it is now."""

    id: str
    sender: str
    sender_name: str
    to: tuple[str, ...]
    subject: str
    received_at: str
    html: str
    preview: str
    card: Card | None
    problem: str | None
    is_read: bool

    @property
    def hides_body(self) -> bool:
        """Whether the card asks to be shown instead of the mail's text."""
        return self.card is not None and self.card.get("hideOriginalBody") is True

    @property
    def card_to_show(self) -> Card | None:
        """The card with its buttons numbered."""
        return None if self.card is None else marked(self.card)

    def to_json(self) -> dict[str, Any]:
        """Return the mail for scripts."""
        return {
            "id": self.id,
            "from": self.sender,
            "to": list(self.to),
            "subject": self.subject,
            "receivedAt": self.received_at,
            "html": self.html,
            "card": self.card,
            "problem": self.problem,
            "hideOriginalBody": self.hides_body,
            "actions": [action.title for action in http_actions(self.card)] if self.card else [],
            "read": self.is_read,
        }


class Inboxes:
    """Everybody's inbox. Replaced cards and read marks are kept in the records."""

    def __init__(self, tenant: TenantClient, actions: ActionsService, records: Records) -> None:
        self.tenant = tenant
        self._actions = actions
        self._records = records

    async def mails(self, address: str) -> list[InboxMail]:
        """Return what is in a mailbox, newest first."""
        names = {one.address.lower(): one.name for one in await self.tenant.people()}
        replaced, read = self._records.all("card"), self._records.all("read")
        return [self._mail(raw, address, names, replaced, read) for raw in await self.tenant.mails(address)]

    async def open(self, address: str, mail_id: str) -> tuple[InboxMail, Outcome | None]:
        """Open a mail as a person does: it is read, and its card may bring itself up to date.

        The action for that is given two seconds; after them the old card stays.

        Raises:
            Refused: there is no such mail in this mailbox.
        """
        person, mail = await self._find(address, mail_id)
        self._records.put("read", _key(person.address, mail_id), True)  # noqa: FBT003 - a document that says yes
        action = (mail.card or {}).get("autoInvokeAction")
        if mail.card is None or not isinstance(action, dict):
            return mail, None
        refresh = HttpAction(index=-1, title="", action=action, inputs=())
        outcome = await self._actions.press(mail.card, refresh, {}, person=person.id, patience=AUTO_INVOKE_PATIENCE)
        return await self._keep(person, mail_id, outcome), outcome

    async def press(
        self, address: str, mail_id: str, which: str | int, given: Mapping[str, str], *, request_id: str | None = None
    ) -> tuple[InboxMail, Outcome]:
        """Press a button by its title or number.

        Raises:
            Refused: no such mail, no such button, or a required input is empty.
        """
        person, mail = await self._find(address, mail_id)
        if mail.card is None:
            raise Refused(409, mail.problem or "This mail has no card.")
        action = next((one for one in http_actions(mail.card) if which in (one.index, one.title)), None)
        if action is None:
            raise Refused(404, f"The card has no action {which!r}.")
        values = action.values(given)
        if missing := action.missing(values):
            raise Refused(422, f"Required and empty: {', '.join(missing)}.")
        outcome = await self._actions.press(mail.card, action, values, person=person.id, request_id=request_id)
        return await self._keep(person, mail_id, outcome), outcome

    async def close(self) -> None:
        """Close the connections."""
        await self._actions.close()
        await self.tenant.close()

    async def _keep(self, person: Person, mail_id: str, outcome: Outcome) -> InboxMail:
        if outcome.card is not None:
            self._records.put("card", _key(person.address, mail_id), outcome.card)
        _, mail = await self._find(person.address, mail_id)
        return mail

    async def _find(self, address: str, mail_id: str) -> tuple[Person, InboxMail]:
        person = await self.tenant.person(address)
        if person is None:
            raise Refused(404, f"Nobody has the mailbox {address}.")
        mail = next((one for one in await self.mails(person.address) if one.id == mail_id), None)
        if mail is None:
            raise Refused(404, f"There is no mail {mail_id} in the mailbox {address}.")
        return person, mail

    @staticmethod
    def _mail(
        raw: Mapping[str, Any],
        address: str,
        names: Mapping[str, str],
        replaced: Mapping[str, Any],
        read: Mapping[str, Any],
    ) -> InboxMail:
        content = read_mail(raw["html"])
        key = _key(address, raw["id"])
        return InboxMail(
            id=raw["id"],
            sender=raw["from"],
            sender_name=names.get(raw["from"].lower(), raw["from"]),
            to=tuple(raw["to"]),
            subject=raw["subject"],
            received_at=raw["receivedAt"],
            html=raw["html"],
            preview=content.preview,
            card=replaced.get(key, content.card),
            problem=content.problem,
            is_read=key in read,
        )


def _key(address: str, mail_id: str) -> str:
    return f"{address.lower()}/{mail_id}"
