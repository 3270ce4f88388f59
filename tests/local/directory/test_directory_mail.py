"""``sendMail`` through the unmodified Microsoft Graph SDK, and the mailboxes it reaches."""

from typing import Any

import httpx
import pytest
from msgraph import GraphServiceClient
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody

from local.directory.testing import AdminClient

pytestmark = pytest.mark.real

SENDER = "hourglass@contoso.example"
TO_ADA = [{"emailAddress": {"address": "ada@contoso.example"}}]
BODY = {"contentType": "html", "content": "<p>Hello</p>"}


async def test_a_mail_sent_with_the_sdk_arrives(graph: GraphServiceClient, admin: AdminClient) -> None:
    message = Message(
        subject="Bo, please decide",
        body=ItemBody(content_type=BodyType.Html, content="<p>Ada asks</p>"),
        to_recipients=[Recipient(email_address=EmailAddress(address="bo@contoso.example"))],
    )

    await graph.users.by_user_id(SENDER).send_mail.post(
        SendMailPostRequestBody(message=message, save_to_sent_items=False)
    )

    [mail] = admin.mail("bo@contoso.example")
    assert (mail["from"], mail["to"], mail["subject"]) == (SENDER, ["bo@contoso.example"], "Bo, please decide")
    assert mail["html"] == "<p>Ada asks</p>"
    assert admin.get(f"/mail/{mail['id']}") == mail
    assert admin.mail("ada@contoso.example") == []


def test_the_newest_mail_comes_first_and_an_alias_reaches_its_owner(http: httpx.Client, admin: AdminClient) -> None:
    for subject, address in (("first", "ada@contoso.example"), ("second", "Ada.Adair@contoso.example")):
        to = [{"emailAddress": {"address": address}}]
        http.post(f"/users/{SENDER}/sendMail", json={"message": {"subject": subject, "body": BODY, "toRecipients": to}})

    assert [mail["subject"] for mail in admin.mail("ada@contoso.example")] == ["second", "first"]
    admin.delete("/mail")
    assert admin.mail("ada@contoso.example") == []


def test_text_becomes_html_that_looks_like_text(http: httpx.Client, admin: AdminClient) -> None:
    body = {"contentType": "Text", "content": "1 < 2"}

    answer = http.post(f"/users/{SENDER}/sendMail", json={"message": {"body": body, "toRecipients": TO_ADA}})

    assert answer.status_code == 202
    assert admin.mail("ada@contoso.example")[0]["html"] == "<pre>1 &lt; 2</pre>"


@pytest.mark.parametrize(
    ("sender", "message", "refusal"),
    [
        ("nobody@contoso.example", {"body": BODY, "toRecipients": TO_ADA}, (404, "ErrorInvalidUser")),
        ("ada.admin@contoso.example", {"body": BODY, "toRecipients": TO_ADA}, (404, "MailboxNotEnabledForRESTAPI")),
        (SENDER, {"body": BODY, "toRecipients": []}, (400, "ErrorInvalidRecipients")),
        (SENDER, {"body": BODY, "toRecipients": [{"emailAddress": {}}]}, (400, "ErrorInvalidRecipients")),
        (SENDER, {"body": BODY, "toRecipients": ["ada@contoso.example"]}, (400, "ErrorInvalidRecipients")),
        (SENDER, {"body": {"contentType": "markdown"}, "toRecipients": TO_ADA}, (400, "RequestBodyRead")),
        (SENDER, {"toRecipients": TO_ADA}, (400, "ErrorInvalidParameter")),
        (SENDER, None, (400, "ErrorInvalidParameter")),
    ],
)
def test_a_mail_that_exchange_would_refuse_is_refused(
    http: httpx.Client, admin: AdminClient, sender: str, message: dict[str, Any] | None, refusal: tuple[int, str]
) -> None:
    answer = http.post(f"/users/{sender}/sendMail", json={"message": message})

    assert (answer.status_code, answer.json()["error"]["code"]) == refusal
    assert admin.get("/mail") == []
