"""The quota of writes: so many in any window, the rest refused with the seconds to wait; on demand."""

import httpx
import pytest

from local.directory.testing import AdminClient

from .conftest import StoppedClock
from .people import ADA, ADA_ADMIN, BACKUP_OPERATORS, BO

pytestmark = pytest.mark.real

MEMBERS = f"/groups/{BACKUP_OPERATORS}/members"


def add(http: httpx.Client, account: str) -> httpx.Response:
    return http.post(
        f"{MEMBERS}/$ref", json={"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{account}"}
    )


def remove(http: httpx.Client, account: str) -> httpx.Response:
    return http.delete(f"{MEMBERS}/{account}/$ref")


def test_there_is_none_until_it_is_set(http: httpx.Client, admin: AdminClient) -> None:
    assert admin.get("/quota")["writes"] is None
    for _ in range(20):
        assert [add(http, ADA_ADMIN).status_code, remove(http, ADA_ADMIN).status_code] == [204, 204]


def test_a_write_beyond_it_is_refused_without_effect_and_told_when_to_come_back(
    http: httpx.Client, admin: AdminClient, clock: StoppedClock
) -> None:
    admin.put("/quota", {"writes": 2, "window": 150})

    add(http, ADA_ADMIN)
    clock.forward(30)
    add(http, ADA)
    refused = add(http, BO)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "120")
    assert refused.json()["error"]["code"] == "TooManyRequests"
    assert admin.members(BACKUP_OPERATORS) == sorted([ADA, ADA_ADMIN])
    assert admin.get("/quota") == {"writes": 2, "window": 150.0, "used": 2, "refused": 1}


def test_the_window_slides(http: httpx.Client, admin: AdminClient, clock: StoppedClock) -> None:
    admin.put("/quota", {"writes": 2, "window": 150})
    add(http, ADA_ADMIN)
    clock.forward(30)
    add(http, ADA)

    clock.forward(120)

    assert [add(http, BO).status_code, remove(http, BO).status_code] == [204, 429]
    clock.forward(30)
    assert remove(http, BO).status_code == 204


def test_what_changes_neither_users_nor_groups_is_not_counted(http: httpx.Client, admin: AdminClient) -> None:
    admin.put("/quota", {"writes": 1, "window": 150})

    for _ in range(3):
        assert http.get(MEMBERS).status_code == 200
        assert http.post(f"/users/{ADA}/checkMemberGroups", json={"groupIds": [BACKUP_OPERATORS]}).status_code == 200
        message = {
            "subject": "s",
            "body": {"contentType": "html", "content": "<p>c</p>"},
            "toRecipients": [{"emailAddress": {"address": "bo@contoso.example"}}],
        }
        assert http.post(f"/users/{ADA}/sendMail", json={"message": message}).status_code == 202

    assert add(http, ADA_ADMIN).status_code == 204


def test_it_can_be_lifted(http: httpx.Client, admin: AdminClient) -> None:
    admin.put("/quota", {"writes": 1, "window": 150})
    assert [add(http, ADA_ADMIN).status_code, remove(http, ADA_ADMIN).status_code] == [204, 429]

    admin.delete("/quota")

    assert remove(http, ADA_ADMIN).status_code == 204


@pytest.mark.parametrize(
    "quota", [{}, {"writes": 1}, {"writes": 0, "window": 1}, {"writes": 1, "window": 0}, {"writes": "x", "window": 1}]
)
def test_a_quota_that_makes_no_sense_is_refused(admin: AdminClient, quota: dict[str, object]) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        admin.put("/quota", quota)

    assert refusal.value.response.status_code == 400
