"""The inbox in a real browser: what a person sees, and what their presses do."""

import json
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.directory.testing import RunningDirectory
from local.mailbox.testing import RunningMailbox

from .conftest import BO, App, actionable_mail, approval_card, decided_card, send

pytestmark = [pytest.mark.browser, pytest.mark.real]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if a script of ours does."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def mail(directory: RunningDirectory, app: App) -> str:
    return send(directory, actionable_mail(approval_card(app.url)))


def test_a_person_finds_their_mail_and_sees_the_card_instead_of_the_text(
    page: Page, mailbox: RunningMailbox, mail: str
) -> None:
    page.goto(mailbox.url)
    page.get_by_role("link", name="Bo Berg bo@contoso.example").click()
    page.get_by_role("link", name=re.compile("Decide: Backup Operators")).click()

    card = page.locator("#card")
    expect(card.get_by_text("Ada Adair asks for Backup Operators")).to_be_visible()
    expect(card.locator("strong")).to_have_text("payroll")
    expect(card.locator(".ac-pushButton")).to_have_text(["Approve", "Deny", "Open the page"])
    expect(page.locator("#body")).to_be_hidden()
    expect(page.locator(".message.unread")).to_have_count(0)
    assert mailbox.mail(BO)[0]["read"] is True


def test_a_press_shows_the_status_and_the_new_card_which_stays(
    page: Page, mailbox: RunningMailbox, app: App, mail: str
) -> None:
    app.will_answer(200, json.dumps(decided_card(app.url)), CARD_UPDATE_IN_BODY="true", CARD_ACTION_STATUS="Thank you.")
    page.goto(f"{mailbox.url}/{BO}?mail={mail}")
    page.get_by_label("Your reason").fill("Planned restore")
    page.get_by_label("Give it for").select_option("60")
    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("status")).to_have_text("Thank you.")
    expect(page.locator("#card").get_by_text("Bo Berg approved")).to_be_visible()
    assert json.loads(app.presses[0].body) == {"decision": "approve", "reason": "Planned restore", "minutes": "60"}

    page.reload()
    expect(page.locator("#card").get_by_text("Bo Berg approved")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_required_input_is_asked_for_and_nothing_is_sent(
    page: Page, mailbox: RunningMailbox, app: App, mail: str
) -> None:
    page.goto(f"{mailbox.url}/{BO}?mail={mail}")

    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_text("Say why: it goes into the audit.")).to_be_visible()
    assert app.presses == []


def test_a_refusal_is_shown_and_the_card_stays(page: Page, mailbox: RunningMailbox, app: App, mail: str) -> None:
    app.will_answer(403, CARD_ACTION_STATUS="You asked for this yourself.")
    page.goto(f"{mailbox.url}/{BO}?mail={mail}")
    page.get_by_label("Your reason").fill("x")

    page.get_by_role("button", name="Approve").click()

    expect(page.get_by_role("status")).to_have_text("You asked for this yourself.")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()


def test_a_link_opens_a_page_of_its_own(page: Page, mailbox: RunningMailbox, app: App, mail: str) -> None:
    page.goto(f"{mailbox.url}/{BO}?mail={mail}")

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the page").click()

    assert opened.value.url == f"{app.url}/page"


def test_the_card_brings_itself_up_to_date_when_the_mail_is_opened(
    page: Page, mailbox: RunningMailbox, app: App, directory: RunningDirectory
) -> None:
    refresh = {"type": "Action.Http", "method": "POST", "url": f"{app.url}/refresh", "body": "{}"}
    mail = send(directory, actionable_mail(approval_card(app.url, autoInvokeAction=refresh)))
    app.will_answer(200, json.dumps(decided_card(app.url)), CARD_UPDATE_IN_BODY="true")

    page.goto(f"{mailbox.url}/{BO}?mail={mail}")

    expect(page.locator("#card").get_by_text("Bo Berg approved")).to_be_visible()


def test_the_text_of_a_mail_is_shown_but_its_scripts_do_not_run(
    page: Page, mailbox: RunningMailbox, directory: RunningDirectory
) -> None:
    html = "<body><p>It has ended.</p><script>document.body.textContent = 'owned'</script><img src=x onerror=owned()></body>"
    mail = send(directory, html, subject="Ended")

    page.goto(f"{mailbox.url}/{BO}?mail={mail}")

    text = page.frame_locator("#body")
    expect(text.get_by_text("It has ended.")).to_be_visible()
    expect(text.get_by_text("owned", exact=True)).to_have_count(0)


def test_what_somebody_typed_never_becomes_markup_of_the_card(
    page: Page, mailbox: RunningMailbox, app: App, directory: RunningDirectory
) -> None:
    text = "<img src=x onerror=alert(1)> **bold** [link](https://example.com/) [bad](javascript:alert(1))"
    card = approval_card(app.url, body=[{"type": "TextBlock", "text": text, "wrap": True}])
    mail = send(directory, actionable_mail(card))

    page.goto(f"{mailbox.url}/{BO}?mail={mail}")

    block = page.locator("#card .ac-textBlock")
    expect(block).to_contain_text("<img src=x onerror=alert(1)> bold link [bad](javascript:alert(1))")
    expect(block.locator("img")).to_have_count(0)
    expect(block.locator("a")).to_have_attribute("href", "https://example.com/")


def test_a_new_mail_appears_by_itself(page: Page, mailbox: RunningMailbox, directory: RunningDirectory) -> None:
    page.goto(f"{mailbox.url}/{BO}")
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()

    send(directory, "<p>Hello</p>", subject="Fresh news")

    expect(page.get_by_text("Fresh news")).to_be_visible()
    expect(page.locator(".message.unread")).to_have_count(1)


def test_on_a_phone_one_thing_is_shown_at_a_time(page: Page, mailbox: RunningMailbox, mail: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{mailbox.url}/{BO}")
    expect(page.get_by_role("navigation", name="Messages")).to_be_visible()

    page.get_by_role("link", name=re.compile("Decide")).click()

    expect(page.get_by_role("navigation", name="Messages")).to_be_hidden()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Inbox").click()
    expect(page.get_by_role("navigation", name="Messages")).to_be_visible()
