"""Take the README's pictures from a running tenant and from the demo itself: ``make pictures``.

Needs Chromium. Writes ``docs/pictures/*.png``; nothing in them is drawn by hand.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.text import Text

from local.demo.world import World
from local.tenant.ports import Ports
from local.tenant.tenant import Tenant

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
TIMING = {"CALL_LIMIT": "3", "CALL_TAIL": "2", "PROOF_WINDOW": "2"}
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BO, ADA = "bo@contoso.example", "ada@contoso.example"


async def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser_file = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_file is None:
        sys.exit("hourglass: Chromium is missing. On Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_file, args=list(CHROMIUM_FLAGS))
        with tempfile.TemporaryDirectory(prefix="hourglass-pictures-") as folder:
            await _inboxes(browser, Path(folder))
        await _demo(browser)
        await browser.close()


async def _inboxes(browser: Browser, folder: Path) -> None:
    """The card as an approver sees it, the same card once decided, and what the requester gets."""
    async with Tenant(folder / "state", ports=Ports.free(), extra=TIMING) as tenant:
        await _run("-m", "hourglass", "apply", "--direct", "--yes", "examples/roles.yaml", environment=tenant.settings)
        mailbox = f"http://127.0.0.1:{tenant.ports.mailbox}"
        directory = f"http://127.0.0.1:{tenant.ports.directory}"
        async with World(tenant.settings, directory=directory, mailbox=mailbox) as world:
            activation = await _ask(
                world, "run-1", duration="PT2H", justification="Restore the finance share after INC0012345"
            )
            await _ask(world, "run-2", duration="PT9H", justification="")
            page = await browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=2)
            mail = await _mail(world, BO, "wants to activate", activation)
            await _open(page, mailbox, BO, mail)
            await page.screenshot(path=PICTURES / "card.png")
            await page.get_by_role("button", name="Approve").click()
            await page.get_by_text("active until").or_(page.get_by_text("being granted")).first.wait_for()
            await page.screenshot(path=PICTURES / "decided.png")
            await _open(page, mailbox, ADA, await _mail(world, ADA, "can't be activated", ""))
            await page.screenshot(path=PICTURES / "refused.png")


async def _ask(world: World, run: str, **fields: str) -> str:
    body = {
        "requestId": run,
        "flow": "Request privileged access",
        "requester": ADA,
        "principal": "ada.admin@contoso.example",
        "role": "backup-operators",
        **fields,
    }
    raw = json.dumps(body).encode()
    await world.send(raw, message_id=run, correlation_id=run)
    return world.id_of(raw)


async def _mail(world: World, address: str, words: str, about: str) -> str:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        for mail in await world.mails(address):
            if words in mail["subject"] and about in mail["html"]:
                return str(mail["id"])
        await asyncio.sleep(0.3)
    raise TimeoutError(f"no mail to {address} about {words!r}")


async def _open(page: Page, mailbox: str, address: str, mail: str) -> None:
    await page.goto(f"{mailbox}/{address}?mail={mail}")
    await page.wait_for_load_state("networkidle")


async def _demo(browser: Browser) -> None:
    """The demo's own output, as a terminal shows it."""
    ports = Ports.free()
    names = ("blob", "queue", "table", "broker", "broker_admin", "directory", "mailbox", "host", "worker")
    moved = {f"LOCAL_{name.upper()}_PORT": str(getattr(ports, name)) for name in names}
    output = await _run("-m", "local.demo", environment={**moved, "FORCE_COLOR": "1", "COLUMNS": "104"})
    console = Console(record=True, width=104, file=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115, ASYNC230 - for the life of the script
    console.print(Text.from_ansi(output.rstrip()))
    page = await browser.new_page(device_scale_factor=1.5)
    await page.set_content(f"<body style='margin:0'>{console.export_svg(title='make demo')}</body>")
    await page.locator("svg").first.screenshot(path=PICTURES / "demo.png")


async def _run(*arguments: str, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        sys.exit(output.decode())
    return output.decode()


if __name__ == "__main__":
    asyncio.run(main())
