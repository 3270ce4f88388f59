"""What a card's own token promises: it says whose card it is and for how long, and nobody else can make one."""

import base64
import json
from datetime import timedelta

import jwt
import pytest

from access.adapters.card_tokens import SignedCardTokens, same
from access.errors import Code, Refused
from tests.promises.samples import ACTIVATION, ADA, NOW

KEY, NEW_KEY, FOREIGN_KEY = b"k" * 32, b"n" * 32, b"f" * 32
ENDS = NOW + timedelta(hours=4)


@pytest.fixture
def cards() -> SignedCardTokens:
    return SignedCardTokens({"k1": KEY})


def issued(cards: SignedCardTokens) -> str:
    return cards.issue(activation=ACTIVATION, approver=ADA, nonce="n-1", expires_at=ENDS)


def signed(key: bytes = KEY, kid: str | None = "k1", algorithm: str = "HS256", **claims: object) -> str:
    content = {
        "aud": "hourglass-card",
        "aid": ACTIVATION,
        "sub": ADA,
        "jti": "n-1",
        "exp": int(ENDS.timestamp()),
        **claims,
    }
    kept = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def unsigned() -> str:
    parts = [
        {"alg": "none", "kid": "k1"},
        {"aud": "hourglass-card", "aid": ACTIVATION, "sub": ADA, "jti": "n", "exp": 2**31},
    ]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def tampered(token: str) -> str:
    head, _, tail = token.split(".")
    claims = {"aud": "hourglass-card", "aid": ACTIVATION, "sub": "somebody-else", "jti": "n-1", "exp": 2**31}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{head}.{body}.{tail}"


def test_a_token_says_again_what_it_was_issued_for(cards: SignedCardTokens) -> None:
    assert cards.read(issued(cards), now=NOW) == (ACTIVATION, ADA, "n-1")


def test_the_same_card_has_the_same_token(cards: SignedCardTokens) -> None:
    assert issued(cards) == issued(cards)


def test_it_counts_until_its_end_which_is_exclusive(cards: SignedCardTokens) -> None:
    token = issued(cards)
    cards.read(token, now=ENDS - timedelta(seconds=1))

    with pytest.raises(Refused) as refusal:
        cards.read(token, now=ENDS)

    assert [demand.code for demand in refusal.value.unmet] == [Code.CARD_TOO_LATE]


def test_a_card_of_the_key_before_is_read_and_new_cards_are_signed_with_the_new_key(cards: SignedCardTokens) -> None:
    rotated = SignedCardTokens({"k2": NEW_KEY, "k1": KEY})

    assert rotated.read(issued(cards), now=NOW) == (ACTIVATION, ADA, "n-1")
    assert jwt.get_unverified_header(issued(rotated))["kid"] == "k2"


def test_a_card_of_a_key_that_was_taken_away_is_refused(cards: SignedCardTokens) -> None:
    with pytest.raises(Refused):
        SignedCardTokens({"k2": NEW_KEY}).read(issued(cards), now=NOW)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(FOREIGN_KEY), id="signed with another key"),
        pytest.param(signed(kid="k9"), id="key unknown"),
        pytest.param(signed(kid=None), id="key not named"),
        pytest.param(signed(algorithm="HS512", key=KEY * 2), id="another algorithm"),
        pytest.param(unsigned(), id="not signed"),
        pytest.param(tampered(signed()), id="changed"),
        pytest.param(signed(aud="something-else"), id="for something else"),
        pytest.param(signed(aud=None), id="for nothing"),
        pytest.param(signed(exp=None), id="without end"),
        pytest.param(signed(aid=None), id="without activation"),
        pytest.param(signed(sub=None), id="without approver"),
        pytest.param(signed(jti=None), id="without nonce"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="garbage"),
        pytest.param("ä.ö.ü", id="not ASCII"),
        pytest.param("\ud800.a.b", id="half a character"),
        pytest.param("a" * 100_000, id="long"),
    ],
)
def test_anything_else_is_no_card_of_ours(cards: SignedCardTokens, token: str) -> None:
    with pytest.raises(Refused) as refusal:
        cards.read(token, now=NOW)

    assert [demand.code for demand in refusal.value.unmet] == [Code.CARD_INVALID]


def test_nonces_are_compared_as_texts() -> None:
    assert same("n-ä", "n-ä")
    assert not same("n-1", "n-2")
    assert not same("n-1", "")
