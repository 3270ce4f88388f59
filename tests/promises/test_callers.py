"""What ``Callers`` promises: who pressed the button, from a token of our tenant's Entra for our card, and nobody else."""

import base64
import json
from typing import Any

import jwt
import pytest

from access.adapters.bearer import ACTIONS_SERVICE, EntraCallers
from access.errors import Code, Refused, TryAgain
from access.ports import Caller
from local.directory.testing import RunningDirectory
from tests.local.directory.people import BO
from tests.promises.scripted import CUT, Answer, ScriptedServer

pytestmark = pytest.mark.real

TENANT = "c0470500-0000-4000-8000-000000000001"
CLIENT = "c0470500-0000-4000-9000-000000000001"
APP_URI = f"api://auth-am-7d5f1f3e/{CLIENT}"
OTHER_TENANT = "c0470500-0000-4000-8000-00000000000f"
BO_CALLS = Caller(tenant=TENANT, account=BO, name="bo@contoso.example")
VERSION_1 = {
    "audience": APP_URI,
    "claims": {"iss": f"https://sts.windows.net/{TENANT}/", "appid": ACTIONS_SERVICE, "upn": "bo@contoso.example"},
    "without": ["azp", "preferred_username"],
}


def callers_at(url: str) -> EntraCallers:
    return EntraCallers(authority=url, tenant=TENANT, audiences=[CLIENT, APP_URI], scope="Actions.Invoke")


@pytest.fixture
def callers(directory: RunningDirectory) -> EntraCallers:
    return callers_at(directory.url)


def bearer(directory: RunningDirectory, **order: Any) -> str:
    return f"Bearer {directory.admin.token('bo@contoso.example', **order)}"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_the_token_of_an_approver_proves_them(callers: EntraCallers, directory: RunningDirectory) -> None:
    assert await callers.caller(bearer(directory)) == BO_CALLS


async def test_a_token_of_version_one_proves_them_too(callers: EntraCallers, directory: RunningDirectory) -> None:
    assert await callers.caller(bearer(directory, **VERSION_1)) == BO_CALLS


async def test_the_scheme_is_read_in_any_case(callers: EntraCallers, directory: RunningDirectory) -> None:
    assert await callers.caller(bearer(directory).replace("Bearer", "bearer")) == BO_CALLS


async def test_our_scope_may_stand_among_others(callers: EntraCallers, directory: RunningDirectory) -> None:
    assert await callers.caller(bearer(directory, scope="User.Read Actions.Invoke")) == BO_CALLS


async def test_ids_are_the_same_in_any_case(callers: EntraCallers, directory: RunningDirectory) -> None:
    assert await callers.caller(bearer(directory, claims={"oid": BO.upper(), "tid": TENANT.upper()})) == BO_CALLS


@pytest.mark.parametrize(
    "order",
    [
        pytest.param({"audience": "c0470500-0000-4000-9000-00000000000f"}, id="for another app"),
        pytest.param({"audience": "https://graph.microsoft.com"}, id="for Graph"),
        pytest.param({"tenant": OTHER_TENANT}, id="of another tenant"),
        pytest.param({"claims": {"tid": OTHER_TENANT}}, id="of another tenant, says tid"),
        pytest.param({"claims": {"iss": f"https://sts.windows.net/{OTHER_TENANT}/"}}, id="issued by another tenant"),
        pytest.param({"claims": {"iss": "https://substrate.office.com/sts/"}}, id="of the retired kind"),
        pytest.param({"claims": {"azp": CLIENT}}, id="issued to another client"),
        pytest.param({"without": ["azp"]}, id="issued to nobody"),
        pytest.param({"kind": "signed-in"}, id="of a sign-in"),
        pytest.param({"scope": "User.Read"}, id="with another scope"),
        pytest.param({"scope": "Actions.Invoke.All"}, id="with a longer scope"),
        pytest.param({"without": ["scp"]}, id="without scope"),
        pytest.param({"without": ["scp"], "claims": {"idtyp": "app", "roles": ["Actions.Invoke"]}}, id="of an app"),
        pytest.param({"expired": True}, id="expired"),
        pytest.param({"notYetValid": True}, id="not yet valid"),
        pytest.param({"without": ["exp"]}, id="without end"),
        pytest.param({"without": ["nbf"]}, id="without start"),
        pytest.param({"without": ["iat"]}, id="without time of issue"),
        pytest.param({"without": ["iss"]}, id="without issuer"),
        pytest.param({"without": ["aud"]}, id="without audience"),
        pytest.param({"without": ["tid"]}, id="without tenant"),
        pytest.param({"key": "other"}, id="forged under the name of our key"),
        pytest.param({"key": "other", "kid": "unknown"}, id="signed with an unknown key"),
        pytest.param({"kid": "unknown"}, id="naming an unknown key"),
        pytest.param({"alg": "none"}, id="not signed"),
        pytest.param({"alg": "HS256"}, id="signed with the public key as a secret"),
    ],
)
async def test_a_token_that_is_not_exactly_ours_proves_nobody(
    callers: EntraCallers, directory: RunningDirectory, order: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refusal:
        await callers.caller(bearer(directory, **order))

    assert [demand.code for demand in refusal.value.unmet] == [Code.TOKEN_INVALID]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRhOmFkYQ==",
        "garbage",
        "Bearer garbage",
        "Bearer a.b.c",
        "Bearer ä.ö.ü",
        f"Bearer {part([])}.{part([])}.x",
        f"Bearer {part({'alg': 'RS256', 'kid': ['x']})}.{part({})}.x",
        f"Bearer {part({'alg': 'RS256'})}.{part({})}.x",
    ],
)
async def test_garbage_proves_nobody(callers: EntraCallers, header: str) -> None:
    with pytest.raises(Refused) as refusal:
        await callers.caller(header)

    assert [demand.code for demand in refusal.value.unmet] == [Code.TOKEN_INVALID]


async def test_a_token_is_believed_by_its_signature_and_not_by_its_words(
    callers: EntraCallers, directory: RunningDirectory
) -> None:
    head, body, signature = bearer(directory).removeprefix("Bearer ").split(".")
    claims = jwt.decode(f"{head}.{body}.{signature}", options={"verify_signature": False})

    with pytest.raises(Refused):
        await callers.caller(f"Bearer {head}.{part({**claims, 'oid': 'somebody-else'})}.{signature}")


async def test_a_token_that_does_not_say_which_account_is_refused_by_a_code_of_its_own(
    callers: EntraCallers, directory: RunningDirectory
) -> None:
    with pytest.raises(Refused) as refusal:
        await callers.caller(bearer(directory, without=["oid"]))

    assert [demand.code for demand in refusal.value.unmet] == [Code.TOKEN_WITHOUT_OID]


async def test_clocks_may_differ_by_two_minutes(callers: EntraCallers, directory: RunningDirectory) -> None:
    now = int(jwt.decode(bearer(directory)[7:], options={"verify_signature": False})["iat"])

    fast = {"nbf": now + 60, "iat": now + 60}
    slow = {"exp": now - 60}

    assert await callers.caller(bearer(directory, claims=fast)) == BO_CALLS
    assert await callers.caller(bearer(directory, claims=slow)) == BO_CALLS


async def test_keys_that_were_read_once_serve_while_the_key_server_is_gone(running_directory: RunningDirectory) -> None:
    with RunningDirectory() as passing:
        callers, token = callers_at(passing.url), bearer(passing)
        await callers.caller(token)

    assert await callers.caller(token) == BO_CALLS


@pytest.mark.parametrize(
    "answer",
    [CUT, Answer(503), Answer(302, headers={"Location": "/elsewhere"}), Answer(200, b"<html>"), Answer(200, [])],
    ids=["cut", "503", "redirect", "not JSON", "not keys"],
)
async def test_keys_that_can_not_be_read_say_nothing_against_a_token(
    directory: RunningDirectory, answer: Answer
) -> None:
    async with ScriptedServer(answer) as server:
        with pytest.raises(TryAgain) as later:
            await callers_at(server.url).caller(bearer(directory))

    assert later.value.fault


async def test_a_key_server_that_does_not_listen_says_nothing_against_a_token(directory: RunningDirectory) -> None:
    async with ScriptedServer(CUT) as server:
        url = server.url

    with pytest.raises(TryAgain):
        await callers_at(url).caller(bearer(directory))
