"""What the directory keeps, the admin API that changes it, and the page that shows it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.directory.model import User
from local.directory.records import Records
from local.directory.tenant import Tenant
from local.directory.testing import SAMPLE_TENANT, AdminClient, RunningDirectory

from .conftest import app_headers
from .people import ADA, ADA_ADMIN, ADA_CONTRACTOR, APPROVERS, BACKUP_OPERATORS, BO, DEE, HELPDESK


def seed(**changes: Any) -> Mapping[str, Any]:
    return {**json.loads(SAMPLE_TENANT.read_text(encoding="utf-8")), **changes}


def test_the_sample_tenant_has_the_usual_case_and_the_odd_ones() -> None:
    users = {user.id: user for user in Tenant.from_file(SAMPLE_TENANT).users}

    assert users[ADA].has_mailbox
    assert not users[ADA_ADMIN].has_mailbox
    assert users[ADA].properties["employeeId"] == users[ADA_ADMIN].properties["employeeId"]
    assert users[ADA_CONTRACTOR].properties["employeeId"] is None
    assert users[ADA].addresses == {"ada@contoso.example", "ada.adair@contoso.example"}


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({}, "A seed needs 'tenantId'"),
        (seed(users=[{"id": "1"}]), "A user needs displayName"),
        (seed(users=[{"id": "1", "displayName": "Ada", "shoeSize": 42}], groups=[]), "no property shoeSize"),
        (seed(users=[]), "No user or group has the id"),
    ],
)
def test_a_seed_that_makes_no_sense_is_refused(raw: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Tenant.from_json(raw)


def test_records_that_fail_together_leave_nothing(tmp_path: Path) -> None:
    records = Records(tmp_path)

    def fail_halfway() -> None:
        with records.together():
            records.put("kind", "one", 1)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail_halfway()

    assert records.all("kind") == {}
    records.close()


def test_mail_alone_proves_no_mailbox() -> None:
    plan = {"service": "exchange", "capabilityStatus": "Suspended"}
    eve = User.from_json({"id": "1", "displayName": "Eve", "mail": "eve@contoso.example", "assignedPlans": [plan]})

    assert not eve.has_mailbox


@pytest.mark.real
def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    with RunningDirectory(data=tmp_path) as before:
        before.admin.add_member(BACKUP_OPERATORS, ADA_ADMIN)
        before.admin.remove_member(APPROVERS, BO)
        before.admin.patch(f"/users/{DEE}", {"employeeId": "E9"})
        mail = {"body": {"content": "x"}, "toRecipients": [{"emailAddress": {"address": "bo@contoso.example"}}]}
        url = f"{before.url}/v1.0/users/hourglass@contoso.example/sendMail"
        httpx.post(url, headers=app_headers(before), json={"message": mail}, trust_env=False).raise_for_status()
        keys = before.state.records.all("key")

    with RunningDirectory(data=tmp_path) as after:
        assert after.admin.members(BACKUP_OPERATORS) == [ADA_ADMIN]
        assert BO not in after.admin.members(APPROVERS)
        assert after.admin.get(f"/users/{DEE}")["employeeId"] == "E9"
        assert len(after.admin.mail("bo@contoso.example")) == 1
        assert after.state.records.all("key") == keys
        after.admin.post("/reset")
        assert after.admin.members(BACKUP_OPERATORS) == []
        assert after.admin.mail("bo@contoso.example") == []


@pytest.mark.real
def test_people_and_groups_come_change_and_go(admin: AdminClient) -> None:
    fay, team = "00000000-0000-4000-a000-000000000601", "00000000-0000-4000-b000-000000000009"

    admin.put(f"/users/{fay}", {"displayName": "Fay", "userPrincipalName": "fay@contoso.example"})
    admin.put(f"/groups/{team}", {"displayName": "Team"})
    admin.add_member(team, fay)
    admin.patch(f"/users/{fay}", {"accountEnabled": False})

    assert admin.get(f"/users/{fay}")["accountEnabled"] is False
    assert fay in [user["id"] for user in admin.get("/users")]
    assert team in [group["id"] for group in admin.get("/groups")]
    admin.delete(f"/users/{fay}")
    assert admin.members(team) == []
    admin.delete(f"/groups/{team}")
    with pytest.raises(httpx.HTTPStatusError):
        admin.get(f"/groups/{team}")


@pytest.mark.real
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/users/{APPROVERS}", None, 404),
        ("GET", "/groups/nothing/members", None, 404),
        ("GET", "/mail/nothing", None, 404),
        ("PUT", f"/groups/{HELPDESK}/members/nothing", None, 404),
        ("PATCH", f"/users/{ADA}", {"shoeSize": 42}, 400),
        ("PUT", f"/users/{ADA}", {}, 400),
        ("PATCH", f"/users/{ADA}", [], 400),
    ],
)
def test_the_admin_api_says_what_is_wrong(
    directory: RunningDirectory, method: str, path: str, body: Any, status: int
) -> None:
    answer = httpx.request(method, f"{directory.url}/admin{path}", json=body, trust_env=False)

    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.real
def test_the_page_shows_who_is_where_and_nothing_can_break_out(directory: RunningDirectory, admin: AdminClient) -> None:
    admin.patch(f"/users/{ADA}", {"displayName": "<script>alert(1)</script>"})
    admin.add_member(BACKUP_OPERATORS, ADA)

    page = httpx.get(directory.url, trust_env=False).text

    assert "Backup Operators" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in page


@pytest.mark.real
def test_a_page_from_elsewhere_cannot_reach_the_directory(directory: RunningDirectory) -> None:
    answer = httpx.get(f"{directory.url}/admin", headers={"Host": "evil.example"}, trust_env=False)

    assert answer.status_code == 400
