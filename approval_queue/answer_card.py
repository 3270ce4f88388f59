"""A button of a card was pressed: who presses, with whose card, and what do they see then?

Two proofs, both needed: Entra's token says who presses, the card's own token says for whom the card was made.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from access import ids
from access.cards import closed_card, status_line
from access.errors import Code, Refused, TryAgain, Unusable
from access.model import Unmet
from access.ports import Ports
from access.wire import read_press
from approval_queue.record_decision import Decision, record_decision

OK, BAD_REQUEST, UNAUTHORISED, FORBIDDEN, UNAVAILABLE = 200, 400, 401, 403, 503
_AUTHENTICATION = {Code.TOKEN_INVALID, Code.TOKEN_WITHOUT_OID}
_CLOSED = {Code.DECISION_TAKEN, Code.DECISION_LAPSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back to Outlook: a status line to show, and the card to show instead, where it changed."""

    status: int
    line: str
    card: Mapping[str, object] = field(default_factory=dict)


async def answer_card(raw: bytes, headers: Mapping[str, str], *, ports: Ports) -> Answer:
    """Check both tokens, record the decision, and say what became of it. ``headers`` have lower-case names."""
    activation_id = ""
    try:
        # Outlook moves its token aside when the card names Authorization itself (docs/messages/card-press.md).
        authorization = headers.get("action-authorization") or headers.get("authorization") or ""
        caller = await ports.callers.caller(authorization)
        press = read_press(raw)
        activation_id, approver, nonce = ports.cards.read(press.token, now=ports.clock.now())
        await _check_card(activation_id, approver, nonce, caller.account, ports)
        command = headers.get("action-request-id") or ids.digest("press", press.token, press.choice)
        decision = Decision(
            activation=activation_id,
            account=caller.account,
            choice=press.choice,
            note=press.note,
            command=f"card-{command}",
        )
        after = await record_decision(decision, ports=ports)
    except Unusable as broken:
        return Answer(status=BAD_REQUEST, line=f"{broken.what} ({broken.code})")
    except TryAgain as fault:
        return Answer(status=UNAVAILABLE, line=f"Could not check {fault.what}; press again in a minute.")
    except Refused as refused:
        return await _refusal(refused, activation_id, ports)
    verb = {"approve": "Approved", "deny": "Denied"}.get(after.decision, "Recorded")
    card = closed_card(after, url=ports.public_url, originator=ports.originator)
    return Answer(status=OK, line=f"{verb}.", card=card)


async def _check_card(activation: str, approver: str, nonce: str, account: str, ports: Ports) -> None:
    asked = {one.account: one for one in await ports.store.asked(activation)}
    mine = hmac.compare_digest(approver.encode(), account.encode())
    known = approver in asked and hmac.compare_digest(asked[approver].nonce.encode(), nonce.encode())
    if not mine or not known:
        raise Refused(
            Unmet(
                Code.CARD_NOT_YOURS,
                "This card was made for somebody else.",
                "Use the card in your own mail; a forwarded card can't be used.",
            )
        )


async def _refusal(refused: Refused, activation_id: str, ports: Ports) -> Answer:
    codes = {demand.code for demand in refused.unmet}
    if Code.TOKEN_WITHOUT_OID in codes:
        line = f"{status_line(refused.unmet[0])} See {ports.public_url}/about"
        return Answer(status=UNAUTHORISED, line=line)
    line = "; ".join(status_line(demand) for demand in refused.unmet)
    if codes & _CLOSED and (activation := await ports.store.activation(activation_id)) is not None:
        return Answer(
            status=OK, line=line, card=closed_card(activation, url=ports.public_url, originator=ports.originator)
        )
    status = UNAUTHORISED if codes & _AUTHENTICATION else FORBIDDEN
    return Answer(status=UNAVAILABLE if Code.COULD_NOT_CHECK in codes else status, line=line)
