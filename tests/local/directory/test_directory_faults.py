"""Throttling, errors, lost answers, late landings and lag: on demand, as the SDK sees them."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_http.middleware.options import RetryHandlerOption
from msgraph import GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate

from local.directory.testing import AdminClient

from .conftest import StoppedClock
from .people import ADA, ADA_ADMIN, BACKUP_OPERATORS, BO, ELIGIBLE, INFRASTRUCTURE_ADMINS

pytestmark = pytest.mark.real

ADD = f"/groups/{BACKUP_OPERATORS}/members/$ref"
REFERENCE = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{ADA_ADMIN}"}
NO_RETRY = RequestConfiguration(options=[RetryHandlerOption(max_retries=0, should_retry=False)])
DEADLINE = 10.0


def eventually(fact: Callable[[], bool]) -> bool:
    until = time.monotonic() + DEADLINE
    while not fact():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


async def test_throttling_reaches_the_sdk_as_an_error_with_retry_after(
    graph: GraphServiceClient, admin: AdminClient
) -> None:
    admin.faults({"status": 429, "retryAfter": 7, "method": "POST", "path": r"/members/\$ref$"})

    body = ReferenceCreate(odata_id=REFERENCE["@odata.id"])

    with pytest.raises(ODataError) as refusal:
        await graph.groups.by_group_id(BACKUP_OPERATORS).members.ref.post(body, NO_RETRY)

    assert (refusal.value.response_status_code, refusal.value.error.code) == (429, "TooManyRequests")
    assert refusal.value.response_headers["retry-after"] == "7"
    assert admin.members(BACKUP_OPERATORS) == []


async def test_the_sdk_obeys_retry_after_and_then_succeeds(graph: GraphServiceClient, admin: AdminClient) -> None:
    admin.faults({"status": 429, "retryAfter": 1})

    user = await graph.users.by_user_id(ADA).get()

    assert user.id == ADA
    assert [call["status"] for call in admin.calls()] == [429, 200]


@pytest.mark.parametrize("status", [403, 500, 502, 503, 504])
def test_any_error_can_be_scripted_for_so_many_calls(http: httpx.Client, admin: AdminClient, status: int) -> None:
    admin.faults({"status": status, "count": 2, "path": "/users$"})

    assert http.get(f"/users/{ADA}").status_code == 200
    assert [http.get("/users").status_code for _ in range(3)] == [status, status, 200]
    assert [fault["remaining"] for fault in admin.get("/faults")] == [0]


def test_retry_after_can_be_a_date(http: httpx.Client, admin: AdminClient, clock: StoppedClock) -> None:
    admin.faults({"status": 503, "retryAfterDate": 90})

    header = http.get("/users").headers["retry-after"]

    assert (parsedate_to_datetime(header) - clock.now).total_seconds() == 90


def test_a_lost_answer_has_its_effect_all_the_same(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"kind": "lost-answer", "method": "POST"})

    with pytest.raises(httpx.RemoteProtocolError):
        http.post(ADD, json=REFERENCE)

    assert admin.members(BACKUP_OPERATORS) == [ADA_ADMIN]
    assert [(call["status"], call["fault"]) for call in admin.calls()] == [(204, "lost-answer")]
    assert http.post(ADD, json=REFERENCE).status_code == 400


def test_a_call_that_timed_out_may_land_later(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"kind": "time-out", "seconds": 3, "landsAfter": 2})

    with pytest.raises(httpx.ReadTimeout):
        http.post(ADD, json=REFERENCE, timeout=0.1)
    before = admin.members(BACKUP_OPERATORS)

    assert before == []
    assert eventually(lambda: admin.members(BACKUP_OPERATORS) == [ADA_ADMIN])


def test_a_call_that_timed_out_may_never_land(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"kind": "time-out", "seconds": 0.1})

    with pytest.raises(httpx.RemoteProtocolError):
        http.post(ADD, json=REFERENCE)

    assert admin.members(BACKUP_OPERATORS) == []
    assert [call["status"] for call in admin.calls()] == [None]


def test_a_slow_call_is_answered_in_the_end(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"kind": "slow", "seconds": 0.05})

    assert http.get("/users").status_code == 200


def test_a_lagging_replica_does_not_know_a_fresh_member(
    http: httpx.Client, admin: AdminClient, clock: StoppedClock
) -> None:
    def seen() -> bool:
        return any(
            member["id"] == ADA_ADMIN for member in http.get(f"/groups/{BACKUP_OPERATORS}/members").json()["value"]
        )

    admin.faults({"kind": "lag", "seconds": 30, "method": "GET"})
    http.post(ADD, json=REFERENCE)

    assert not seen()
    assert admin.members(BACKUP_OPERATORS) == [ADA_ADMIN]
    assert http.post(ADD, json=REFERENCE).status_code == 400
    clock.forward(30)
    assert seen()


def test_a_lagging_replica_still_has_who_was_removed(
    http: httpx.Client, admin: AdminClient, clock: StoppedClock
) -> None:
    admin.faults({"kind": "lag", "seconds": 30})
    clock.forward(60)

    admin.remove_member(INFRASTRUCTURE_ADMINS, ADA_ADMIN)

    def held() -> list[str]:
        return list(http.post(f"/users/{ADA_ADMIN}/checkMemberGroups", json={"groupIds": [ELIGIBLE]}).json()["value"])

    assert held() == [ELIGIBLE]
    clock.forward(30)
    assert held() == []


def test_lag_by_chance_mixes_old_and_new_answers(http: httpx.Client, admin: AdminClient, clock: StoppedClock) -> None:
    admin.faults({"kind": "lag", "seconds": 30, "random": True})
    admin.add_member(BACKUP_OPERATORS, BO)
    clock.forward(15)

    sizes: set[int] = set()

    def both_seen() -> bool:
        sizes.add(len(http.get(f"/groups/{BACKUP_OPERATORS}/members").json()["value"]))
        return sizes == {0, 1}

    assert eventually(both_seen)


def test_a_fault_can_happen_to_a_share_of_the_calls(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"status": 500, "count": None, "share": 0.5})

    assert {http.get("/users").status_code for _ in range(100)} == {200, 500}


def test_clearing_the_script_ends_all_trouble(http: httpx.Client, admin: AdminClient) -> None:
    admin.faults({"status": 500, "count": None})
    assert [http.get("/users").status_code for _ in range(3)] == [500, 500, 500]

    admin.delete("/faults")

    assert http.get("/users").status_code == 200


@pytest.mark.parametrize(
    "fault", [{"kind": "earthquake"}, {"kind": "status"}, {"status": 500, "path": "("}, {"status": 500, "when": "now"}]
)
def test_a_fault_that_makes_no_sense_is_refused(admin: AdminClient, fault: dict[str, object]) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        admin.faults(fault)

    assert refusal.value.response.status_code == 400


def test_the_log_has_every_call_with_its_ids(http: httpx.Client, admin: AdminClient) -> None:
    answer = http.get(f"/users/{ADA}?$select=id", headers={"client-request-id": "mine"})

    [call] = admin.calls()
    assert (call["method"], call["path"], call["status"]) == ("GET", f"/v1.0/users/{ADA}", 200)
    assert call["client-request-id"] == answer.headers["client-request-id"] == "mine"
    assert call["request-id"] == answer.headers["request-id"]
    admin.delete("/calls")
    assert admin.calls() == []
