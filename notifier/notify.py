"""One mail to one person, once: find who and where, write it, send it, record that it was sent.

At most once where we can know: a row is written before the call, which is sent in time or not at all. When a worker dies
between Exchange's answer and the record, can't write the record, or Exchange takes a mail and its answer is lost, the mail
goes out again: nobody is left untold, and those are the cases of a second mail.
"""

import logging

from access.cards import approval_card
from access.errors import Code, DirectoryRefused, TryAgain, Unusable
from access.expiry import is_open
from access.model import Activation, Asked
from access.ports import Mail, Ports
from access.wire import Telling
from notifier.mails import WORDS, render, validated

log = logging.getLogger(__name__)


async def notify(telling: Telling, *, ports: Ports) -> None:
    """Send one mail, unless it was sent.

    Raises:
        TryAgain: the directory or another worker is waited for.
        Unusable: there is no such mail, or no such activation.
    """
    now = ports.clock.now()
    activation = await ports.store.activation(telling.activation)
    asked = await _asked(telling, ports)
    if telling.what != "validated" and (activation is None or telling.what not in WORDS):
        raise Unusable(Code.NUDGE_INVALID, f"there is nothing to tell: {telling.what} of {telling.activation}")
    if telling.what == "approval_wanted" and (activation is None or asked is None or not is_open(activation, now=now)):
        return
    address = asked.address if asked else await _address(telling.to, ports)
    if address is None:
        log.warning(
            "mail.unreachable", extra={"activation_id": telling.activation, "account": telling.to, "what": telling.what}
        )
        return
    mail = _written(telling, activation, asked, address, ports)
    # Who is frozen after this row must not send when its lease is over: another worker has, by then.
    deadline, began = ports.clock.monotonic() + ports.timing.call_limit.total_seconds(), ports.clock.now()
    if not await ports.store.begin_telling(telling.activation, telling.identity, now=began):
        return
    try:
        await ports.mailer.send(mail, deadline=deadline)
    except TryAgain:
        await ports.store.stop_telling(telling.activation, telling.identity, began=began)
        raise
    except DirectoryRefused as refusal:
        log.warning(
            "mail.refused", extra={"activation_id": telling.activation, "what": telling.what, "why": str(refusal)}
        )
    else:
        log.info("mail.sent", extra={"activation_id": telling.activation, "what": telling.what})
    await ports.store.told(telling.activation, telling.identity, now=ports.clock.now())


async def _asked(telling: Telling, ports: Ports) -> Asked | None:
    """Return the approver's row, for mails to approvers: it names the address and the card."""
    if telling.what not in {"approval_wanted", "decided"}:
        return None
    rows = await ports.store.asked(telling.activation)
    return next((row for row in rows if row.account == telling.to), None)


async def _address(account: str, ports: Ports) -> str | None:
    person = await ports.people.person_of(account)
    return person.address if person else None


def _written(telling: Telling, activation: Activation | None, asked: Asked | None, address: str, ports: Ports) -> Mail:
    if activation is None or telling.what == "validated":
        words, card = validated(telling.outcome), None
    else:
        words, card = WORDS[telling.what](activation), _card(telling, activation, asked, ports)
    subject, html = render(words, reference=telling.activation, activation=activation, card=card)
    correlation = activation.correlation_id if activation else telling.activation
    return Mail(to=address, subject=subject, html=html, correlation_id=correlation)


def _card(telling: Telling, activation: Activation, asked: Asked | None, ports: Ports) -> dict[str, object] | None:
    if telling.what != "approval_wanted" or asked is None or not asked.card or activation.lapses_at is None:
        return None
    token = ports.cards.issue(
        activation=activation.id, approver=asked.account, nonce=asked.nonce, expires_at=activation.lapses_at
    )
    return approval_card(activation, token=token, url=ports.public_url, originator=ports.originator)
