"""``python -m local.demo``: the tenant comes up, the roles are applied, the story is played, and everything stops."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from local.demo.early_ends import EarlyEnds
from local.demo.story import Story
from local.demo.timeline import Timeline
from local.demo.world import World
from local.tenant.ports import Ports
from local.tenant.problems import TenantProblem
from local.tenant.record import TenantRecord
from local.tenant.tenant import DEFAULT_SEED, Tenant

ROOT = Path(__file__).parents[2]
TIMING = {"CALL_LIMIT": "3", "CALL_TAIL": "2", "PROOF_WINDOW": "2"}
"""Seconds. Small, so that a proof doesn't keep you waiting; the defaults fit the real directory."""


KEPT = Path(".local") / "demo"
"""Where a demo that is kept has its data; begun anew each time."""


def main() -> int:
    """Run the command; 0 only if every step was true."""
    parser = argparse.ArgumentParser(prog="python -m local.demo")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end, until Ctrl-C")
    parser.add_argument(
        "--state", type=Path, default=None, help="where the tenant keeps its data (default: a new folder)"
    )
    parser.add_argument("--split", action="store_true", help="run the app as two hosts, web and worker")
    Ports.add_flags(parser)
    options = parser.parse_args()
    console = Console(highlight=False)
    try:
        if options.state or options.keep:
            return asyncio.run(_play(options, console, options.state or _begin_anew(KEPT)))
        with tempfile.TemporaryDirectory(prefix="hourglass-") as folder:
            return asyncio.run(_play(options, console, Path(folder)))
    except TenantProblem as problem:
        sys.stderr.write(f"hourglass: {problem}\n")
        return 1


def _begin_anew(state: Path) -> Path:
    """Empty the folder of an earlier demo.

    Raises:
        TenantProblem: that demo still runs.
    """
    record = TenantRecord.read(state)
    if record is not None and record.lives():
        raise TenantProblem(f"a demo is still running in {state} (process {record.id}); stop it first")
    shutil.rmtree(state, ignore_errors=True)
    return state


async def _play(options: argparse.Namespace, console: Console, state: Path) -> int:
    console.print("[bold]Hourglass[/bold]: the main job, on a tenant of its own on this machine")
    timeline = Timeline(console)
    ports = Ports.chosen(options, os.environ)
    async with Tenant(state, ports=ports, split=options.split, extra=TIMING) as tenant:
        timeline.chapter("The tenant")
        timeline.fact(
            f"Up: storage, broker, directory, mailbox, host, in {time.monotonic() - timeline.began:.1f} s", true=True
        )
        applied = await apply_roles(tenant)
        timeline.fact("`hourglass apply --direct examples/roles.yaml`: roles, eligibilities and people", true=applied)
        async with World(
            tenant.settings,
            directory=f"http://127.0.0.1:{ports.directory}",
            mailbox=f"http://127.0.0.1:{ports.mailbox}",
        ) as world:
            run = f"flow-{int(time.time())}"
            story = Story(world, timeline, sample_ids(), run)
            true = await _tell(story, EarlyEnds(world, timeline, sample_ids(), run), timeline)
        if options.keep:
            await _keep(console, tenant)
    return 0 if true else 1


async def _tell(story: Story, early: EarlyEnds, timeline: Timeline) -> bool:
    first = await story.main_job()
    await story.law_six()
    await story.refusal()
    await story.duplicate(first)
    await story.broken()
    await early.given_back()
    await early.kill_switch()
    await early.behind_our_back()
    await story.everything_final(first)
    return timeline.summary({**story.figures, "All of it": f"{time.monotonic() - timeline.began:.0f} s"})


async def apply_roles(tenant: Tenant) -> bool:
    """Apply the sample roles by the ``hourglass`` command; what it says is shown when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hourglass", "apply", "--direct", "--yes", "examples/roles.yaml"),
        cwd=ROOT,
        env={**os.environ, **tenant.settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        sys.stderr.write(output.decode())
    return process.returncode == 0


def sample_ids() -> dict[str, str]:
    """Return the object ids of the sample tenant that the story names."""
    seed = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
    users = {user["userPrincipalName"].partition("@")[0]: user["id"].lower() for user in seed["users"]}
    groups = {group["displayName"]: group["id"].lower() for group in seed["groups"]}
    return {
        **users,
        "target": groups["Backup Operators"],
        "approvers": groups["Backup approvers"],
        "helpdesk": groups["Helpdesk Tier 2"],
    }


async def _keep(console: Console, tenant: Tenant) -> None:
    """Leave everything running, and say what there is to look at and to try."""
    settings = tenant.state / "app.settings.json"
    settings.write_text(json.dumps({"Values": tenant.settings}, indent=2), encoding="utf-8")
    settings.chmod(0o600)
    shown = settings.relative_to(Path.cwd(), walk_up=True)
    ports, command = tenant.ports, f".venv/bin/python -m hourglass --settings {shown}"
    asked = "--requester ada@contoso.example --principal ada.admin@contoso.example --for PT2M --justification 'A try'"
    console.print("\n[bold]Everything keeps running.[/bold] Ctrl-C stops it.")
    for line in (
        f"  inboxes    http://127.0.0.1:{ports.mailbox}/",
        f"  directory  http://127.0.0.1:{ports.directory}/",
        f"  logs       {shown.parent / 'logs'}",
        "Try:",
        f"  {command} request --role backup-operators {asked}",
        f"  {command} list",
        f"  {command} show ID",
    ):
        console.print(line, soft_wrap=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
