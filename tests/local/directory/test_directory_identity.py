"""Tokens: for the app's managed identity, for clients, and for people who press buttons in Outlook."""

from typing import Any

import httpx
import jwt
import pytest
from azure.identity import ManagedIdentityCredential

from local.directory.testing import AdminClient, RunningDirectory
from local.directory.tokens import ACTIONS_SERVICE

from .people import ADA, BO

pytestmark = pytest.mark.real

GRAPH = "https://graph.microsoft.com"


@pytest.fixture
def keys(directory: RunningDirectory) -> jwt.PyJWKClient:
    discovery = f"{tenant_url(directory)}/v2.0/.well-known/openid-configuration"
    return jwt.PyJWKClient(httpx.get(discovery, trust_env=False).json()["jwks_uri"], cooldown_duration=0)


@pytest.fixture
def token_url(directory: RunningDirectory) -> str:
    return f"{tenant_url(directory)}/oauth2/v2.0/token"


def tenant_url(directory: RunningDirectory) -> str:
    return f"{directory.url}/{directory.state.tenant.id}"


def read(directory: RunningDirectory, keys: jwt.PyJWKClient, token: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["RS256"],
        audience=directory.state.tenant.app_client_id,
        issuer=f"{tenant_url(directory)}/v2.0",
        options={"require": ["exp", "nbf", "iat", "aud", "iss", "oid", "tid", "azp", "scp"]},
    )


@pytest.mark.usefixtures("managed_identity")
def test_the_managed_identity_gets_a_token_that_graph_takes(directory: RunningDirectory) -> None:
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(f"{GRAPH}/.default").token

    answer = httpx.get(f"{directory.url}/v1.0/users", headers={"Authorization": f"Bearer {token}"}, trust_env=False)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"X-IDENTITY-HEADER": "wrong"}, 401), ({"X-IDENTITY-HEADER": "local"}, 400)]
)
def test_the_identity_endpoint_is_as_strict_as_app_service(
    directory: RunningDirectory, headers: dict[str, str], status: int
) -> None:
    assert httpx.get(f"{directory.url}/msi/token", headers=headers, trust_env=False).status_code == status


def test_a_client_with_a_secret_gets_a_token(token_url: str, directory: RunningDirectory) -> None:
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "any", "scope": f"{GRAPH}/.default"}

    answer = httpx.post(token_url, data=form, trust_env=False).json()

    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert httpx.get(f"{directory.url}/v1.0/groups", headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": ""}, "invalid_request"),
        ({"client_secret": ""}, "invalid_client"),
        ({"scope": "User.Read"}, "invalid_scope"),
    ],
)
def test_a_client_that_asks_wrongly_gets_none(token_url: str, change: dict[str, str], error: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "any", "scope": f"{GRAPH}/.default"}

    answer = httpx.post(token_url, data=form | change, trust_env=False)

    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error


@pytest.mark.parametrize(
    "path", ["/v2.0/.well-known/openid-configuration", "/discovery/v2.0/keys", "/oauth2/v2.0/token"]
)
def test_another_tenant_is_not_served(directory: RunningDirectory, path: str) -> None:
    method = "POST" if path.endswith("token") else "GET"

    answer = httpx.request(method, f"{directory.url}/fabrikam.example{path}", trust_env=False)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("", "Access token is empty."),
        ("Basic YTpi", "Access token is empty."),
        ("Bearer nonsense", "IDX14100"),
        ("audience", "Invalid audience"),
        ("expired", "the token is expired"),
        ("other key", "Access token validation failure"),
        ("unknown kid", "Signing key is invalid"),
    ],
)
def test_graph_takes_no_other_token(
    directory: RunningDirectory, admin: AdminClient, authorization: str, message: str
) -> None:
    orders: dict[str, dict[str, Any]] = {
        "audience": {},
        "expired": {"audience": GRAPH, "expired": True},
        "other key": {"audience": GRAPH, "key": "other"},
        "unknown kid": {"audience": GRAPH, "kid": "unknown"},
    }
    if authorization in orders:
        authorization = f"Bearer {admin.token(ADA, **orders[authorization])}"

    answer = httpx.get(f"{directory.url}/v1.0/users", headers={"Authorization": authorization}, trust_env=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("person", [BO, "bo@contoso.example"])
def test_a_press_in_outlook_is_proven_by_the_token(
    directory: RunningDirectory, admin: AdminClient, keys: jwt.PyJWKClient, person: str
) -> None:
    claims = read(directory, keys, admin.token(person))

    assert (claims["oid"], claims["tid"]) == (BO, directory.state.tenant.id)
    assert (claims["azp"], claims["scp"], claims["ver"]) == (ACTIONS_SERVICE, "Actions.Invoke", "2.0")
    assert claims["preferred_username"] == "bo@contoso.example"


def test_a_signed_in_caller_is_not_the_actions_service(
    directory: RunningDirectory, admin: AdminClient, keys: jwt.PyJWKClient
) -> None:
    claims = read(directory, keys, admin.token(ADA, kind="signed-in", claims={"acrs": ["c1"]}))

    assert claims["azp"] == directory.state.tenant.app_client_id
    assert (claims["amr"], claims["acrs"]) == (["pwd", "mfa"], ["c1"])


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"expired": True}, jwt.ExpiredSignatureError),
        ({"notYetValid": True}, jwt.ImmatureSignatureError),
        ({"audience": "another"}, jwt.InvalidAudienceError),
        ({"tenant": "00000000-0000-4000-8000-000000000009"}, jwt.InvalidIssuerError),
        ({"claims": {"iss": "https://sts.windows.net/x/"}}, jwt.InvalidIssuerError),
        ({"without": ["oid"]}, jwt.MissingRequiredClaimError),
        ({"key": "other"}, jwt.InvalidSignatureError),
        ({"kid": "unknown"}, jwt.PyJWKClientError),
        ({"alg": "HS256"}, jwt.InvalidAlgorithmError),
        ({"alg": "none"}, jwt.InvalidAlgorithmError),
    ],
)
def test_a_token_that_is_wrong_on_purpose_is_wrong(
    directory: RunningDirectory,
    admin: AdminClient,
    keys: jwt.PyJWKClient,
    order: dict[str, Any],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        read(directory, keys, admin.token(BO, **order))


def test_after_a_rotation_new_tokens_have_a_new_key_and_old_ones_stay_good(
    directory: RunningDirectory, admin: AdminClient, keys: jwt.PyJWKClient
) -> None:
    old = admin.token(BO)

    kid = admin.post("/keys/rotate")["kid"]
    new = admin.token(BO)

    assert jwt.get_unverified_header(new)["kid"] == kid
    assert jwt.get_unverified_header(old)["kid"] != kid
    assert read(directory, keys, old)["oid"] == read(directory, keys, new)["oid"] == BO


def test_a_retired_key_is_published_no_longer(
    directory: RunningDirectory, admin: AdminClient, keys: jwt.PyJWKClient
) -> None:
    old = admin.token(BO)

    kid = admin.post("/keys/rotate", {"retire": True})["kid"]

    assert [key.key_id for key in keys.get_signing_keys()] == [kid]
    with pytest.raises(jwt.PyJWKClientError):
        keys.get_signing_key_from_jwt(old)


@pytest.mark.parametrize(
    ("order", "status"),
    [({"user": "nobody"}, 404), ({"user": BO, "kind": "robot"}, 400), ({"user": BO, "alg": "RS1"}, 400)],
)
def test_an_order_for_nobody_or_nonsense_is_refused(admin: AdminClient, order: dict[str, str], status: int) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        admin.post("/token", order)

    assert refusal.value.response.status_code == status
