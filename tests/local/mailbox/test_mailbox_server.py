"""The mailbox over sockets: presses as Microsoft's Actions service makes them, and what comes of the answers."""

import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from local.directory.testing import RunningDirectory
from local.directory.tokens import ACTIONS_SERVICE
from local.mailbox import actions_service
from local.mailbox.testing import RunningMailbox

from .conftest import BO, App, actionable_mail, approval_card, decided_card, send

pytestmark = pytest.mark.real


def claims(header: str, directory: RunningDirectory) -> dict[str, Any]:
    scheme, _, token = header.partition(" ")
    assert scheme == "Bearer"
    tenant = directory.state.tenant
    keys = jwt.PyJWKClient(f"{directory.url}/{tenant.id}/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["RS256"], audience=tenant.app_client_id)


def test_a_press_carries_the_persons_token_and_what_they_typed(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App
) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))

    outcome = mailbox.press(BO, mail, "Approve", reason="Planned", minutes="60")

    [press] = app.presses
    assert (outcome["status"], outcome["succeeded"], outcome["cardUpdated"]) == (200, True, False)
    assert press.path == "/decide"
    assert json.loads(press.body) == {"decision": "approve", "reason": "Planned", "minutes": "60"}
    token = claims(press.headers["Authorization"], directory)
    bo = next(user.id for user in directory.state.users.values() if user.user_principal_name == BO)
    assert (token["oid"], token["azp"], token["preferred_username"]) == (bo, ACTIONS_SERVICE, BO)
    assert press.headers["Card-Correlation-Id"] == "activation-1"
    assert press.headers["User-Agent"].startswith("Microsoft")


def test_each_press_has_an_id_of_its_own(directory: RunningDirectory, mailbox: RunningMailbox, app: App) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))

    for _ in range(2):
        mailbox.press(BO, mail, 1, reason="No")

    first, second = (press.headers["Action-Request-Id"] for press in app.presses)
    assert first != second


def test_the_token_moves_aside_for_an_app_that_needs_the_authorization_header(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App
) -> None:
    def action(authorization: str) -> dict[str, Any]:
        headers = [
            {"name": "Authorization", "value": authorization},
            {"name": "Content-Type", "value": "text/plain"},
            {"name": "X-Reason", "value": "{{reason.value}}"},
        ]
        return {"type": "Action.Http", "title": f"Go {authorization}", "url": app.url, "body": "x", "headers": headers}

    mail = send(directory, actionable_mail(approval_card(app.url, actions=[action(""), action("Basic YTpi")])))

    mailbox.press(BO, mail, 0, reason="r")
    mailbox.press(BO, mail, 1, reason="r")

    bare, own = app.presses
    assert "Authorization" not in bare.headers
    assert own.headers["Authorization"] == "Basic YTpi"
    assert claims(bare.headers["Action-Authorization"], directory)["preferred_username"] == BO
    assert (bare.headers["Content-Type"], bare.headers["X-Reason"]) == ("text/plain", "r")


def test_a_new_card_in_the_answer_replaces_the_old_one_for_good(
    directory: RunningDirectory, app: App, tmp_path: Path
) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))
    new = json.dumps(decided_card(app.url))
    app.will_answer(200, new, CARD_UPDATE_IN_BODY="true", CARD_ACTION_STATUS="Approved.")

    with RunningMailbox(directory.url, app=app.url, data=tmp_path) as mailbox:
        outcome = mailbox.press(BO, mail, "Approve", reason="Planned")
    with RunningMailbox(directory.url, app=app.url, data=tmp_path) as mailbox:
        [shown] = mailbox.mail(BO)

    assert (outcome["cardUpdated"], outcome["cardActionStatus"]) == (True, "Approved.")
    assert shown["card"] == decided_card(app.url)
    assert shown["actions"] == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (200, {}, "", "The action was completed."),
        (200, {"CARD_UPDATE_IN_BODY": "true"}, "nonsense", "its new card cannot be read"),
        (403, {"CARD_ACTION_STATUS": "You asked for this yourself."}, "", "You asked for this yourself."),
        (403, {"CARD_UPDATE_IN_BODY": "true"}, '{"type": "AdaptiveCard"}', "HTTP 403 Forbidden"),
        (500, {}, "", "The action could not be completed (HTTP 500 Internal Server Error)."),
    ],
)
def test_the_person_is_told_what_came_of_it(
    directory: RunningDirectory,
    mailbox: RunningMailbox,
    app: App,
    status: int,
    headers: dict[str, str],
    body: str,
    message: str,
) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))
    app.will_answer(status, body, **headers)

    outcome = mailbox.press(BO, mail, "Deny", reason="No")

    assert message in outcome["message"]
    assert (outcome["status"], outcome["cardUpdated"]) == (status, False)
    assert mailbox.mail(BO)[0]["card"] == approval_card(app.url)


def test_a_host_that_is_not_registered_is_never_called(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App
) -> None:
    with App() as elsewhere:
        mail = send(directory, actionable_mail(approval_card(elsewhere.url)))

        outcome = mailbox.press(BO, mail, "Approve", reason="Planned")

        assert outcome["status"] is None
        assert "not registered" in outcome["message"]
        assert elsewhere.presses == []


def test_an_app_that_is_away_is_a_failure_that_says_so(directory: RunningDirectory, mailbox: RunningMailbox) -> None:
    with App() as app:
        url = app.url
    with RunningMailbox(directory.url, app=url) as running:
        mail = send(directory, actionable_mail(approval_card(url)))

        outcome = running.press(BO, mail, "Approve", reason="Planned")

    assert (outcome["status"], outcome["message"]) == (None, "The app could not be reached.")


def test_opening_a_mail_marks_it_read_and_brings_its_card_up_to_date(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App
) -> None:
    refresh = {"type": "Action.Http", "method": "POST", "url": f"{app.url}/refresh", "body": "{}"}
    mail = send(directory, actionable_mail(approval_card(app.url, autoInvokeAction=refresh)))
    app.will_answer(200, json.dumps(decided_card(app.url)), CARD_UPDATE_IN_BODY="true")

    opened = mailbox.open(BO, mail)

    assert opened["refresh"]["cardUpdated"] is True
    assert opened["card"] == decided_card(app.url)
    assert app.presses[0].path == "/refresh"
    assert [(shown["read"], shown["card"]) for shown in mailbox.mail(BO)] == [(True, decided_card(app.url))]


def test_a_refresh_that_comes_too_late_leaves_the_old_card(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.mailbox.inbox.AUTO_INVOKE_PATIENCE", 0.05)
    refresh = {"type": "Action.Http", "method": "POST", "url": f"{app.url}/refresh", "body": "{}"}
    mail = send(directory, actionable_mail(approval_card(app.url, autoInvokeAction=refresh)))
    app.will_answer(200, json.dumps(decided_card(app.url)), CARD_UPDATE_IN_BODY="true")
    app.answers_after(1.0)

    opened = mailbox.open(BO, mail)

    assert actions_service.AUTO_INVOKE_PATIENCE == 2.0
    assert opened["refresh"]["status"] is None
    assert mailbox.mail(BO)[0]["card"]["body"] == approval_card(app.url)["body"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"address": "nobody@contoso.example"}, 404),
        ({"address": "cy@contoso.example"}, 404),
        ({"mailId": "nothing"}, 404),
        ({"action": "Shred"}, 404),
        ({"action": 7}, 404),
        ({"inputs": {"reason": ""}}, 422),
        ({"inputs": []}, 422),
        ({"inputs": "x"}, 400),
    ],
)
def test_a_press_that_nobody_could_make_is_refused(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App, change: dict[str, Any], status: int
) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))
    order = {"address": BO, "mailId": mail, "action": "Approve", "inputs": {"reason": "Planned"}}

    answer = httpx.post(f"{mailbox.url}/api/press", json=order | change, trust_env=False)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert app.presses == []


def test_an_alias_opens_the_same_inbox(directory: RunningDirectory, mailbox: RunningMailbox, app: App) -> None:
    alias = "ada.adair@contoso.example"
    mail = send(directory, actionable_mail(approval_card(app.url)), to=alias)

    mailbox.open(alias, mail)

    assert [(shown["id"], shown["read"]) for shown in mailbox.mail("ADA@contoso.example")] == [(mail, True)]
    assert httpx.get(f"{mailbox.url}/api/mail?address=nobody", trust_env=False).status_code == 404


def test_a_mail_without_a_card_has_nothing_to_press(directory: RunningDirectory, mailbox: RunningMailbox) -> None:
    mail = send(directory, "<p>Only text</p>")

    order = {"address": BO, "mailId": mail, "action": 0}

    assert httpx.post(f"{mailbox.url}/api/press", json=order, trust_env=False).status_code == 409


@pytest.mark.parametrize(("content", "kind", "status"), [("{}", "text/plain", 415), ("[]", "application/json", 400)])
def test_another_site_cannot_press_by_posting_a_form(
    mailbox: RunningMailbox, content: str, kind: str, status: int
) -> None:
    url = f"{mailbox.url}/api/press"

    assert httpx.post(url, content=content, headers={"Content-Type": kind}, trust_env=False).status_code == status


def test_pages_escape_what_mails_and_people_bring(
    directory: RunningDirectory, mailbox: RunningMailbox, app: App
) -> None:
    attack = "</script><script>alert(1)</script>"
    card = approval_card(app.url, body=[{"type": "TextBlock", "text": attack}])
    mail = send(
        directory,
        actionable_mail(card).replace(f'"{attack}"', json.dumps(attack).replace("</", "<\\/")),
        subject=attack,
    )

    page = httpx.get(f"{mailbox.url}/{BO}", params={"mail": mail}, trust_env=False)

    assert "<script>alert(1)" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_a_stranger_has_no_inbox_and_a_missing_directory_is_named(mailbox: RunningMailbox, app: App) -> None:
    stranger = httpx.get(f"{mailbox.url}/nobody@contoso.example", trust_env=False)
    with RunningMailbox(app.url, app=app.url) as lost:
        alone = httpx.get(lost.url, trust_env=False)

    assert (stranger.status_code, "Nobody has the mailbox" in stranger.text) == (404, True)
    assert (alone.status_code, "local directory does not answer" in alone.text) == (502, True)


def test_a_missing_renderer_is_named(directory: RunningDirectory, app: App, tmp_path: Path) -> None:
    mail = send(directory, actionable_mail(approval_card(app.url)))
    with RunningMailbox(directory.url, app=app.url, node_modules=tmp_path) as mailbox:
        page = httpx.get(f"{mailbox.url}/{BO}", params={"mail": mail}, trust_env=False)

        assert "npm ci" in page.text
        assert httpx.get(f"{mailbox.url}/renderer.js", trust_env=False).status_code == 404
