"""``python -m local.tenant up | down | status | settings``: the local tenant at the terminal."""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from local.tenant.parts import ROOT
from local.tenant.ports import Ports
from local.tenant.problems import TenantProblem
from local.tenant.record import TenantRecord, forget, is_alive
from local.tenant.tenant import DEFAULT_SEED, SETTINGS_FILE, Tenant

_DOWN_LIMIT = 45.0
_LOOK_AGAIN = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parse(arguments)
    try:
        match options.command:
            case "up" if options.detach:
                return _up_detached(options, list(sys.argv[1:] if arguments is None else arguments))
            case "up":
                return asyncio.run(_up(options))
            case "down":
                return _down(options.state)
            case "status":
                return _status(options.state)
            case _:
                return _settings(options.state)
    except TenantProblem as problem:
        sys.stderr.write(f"hourglass: {problem}\n")
        return 1


async def _up(options: argparse.Namespace) -> int:
    began = time.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tenant = Tenant(
        options.state,
        ports=Ports.chosen(options, os.environ),
        seed=options.seed,
        app=options.app,
        split=options.split,
    )
    starting = asyncio.ensure_future(tenant.__aenter__())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return 130
    await starting
    try:
        record = TenantRecord.read(tenant.state)
        _write(f"The tenant is up, in {time.monotonic() - began:.1f} s. Ctrl-C stops it.\n{_table(record)}")
        dying = asyncio.ensure_future(tenant.next_death())
        await asyncio.wait([dying, stopping], return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            raise dying.result()
        dying.cancel()
        _write("Stopping.")
        return 0
    finally:
        await tenant.close()


def _up_detached(options: argparse.Namespace, arguments: list[str]) -> int:
    options.state.mkdir(parents=True, exist_ok=True)
    before = TenantRecord.read(options.state)
    if before is not None and before.lives():
        raise TenantProblem(f"the tenant in {options.state} is up already (process {before.id})")
    log = options.state / "tenant.log"
    with log.open("wb") as output:
        manager = subprocess.Popen(
            [sys.executable, "-m", "local.tenant", *(text for text in arguments if text != "--detach")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while manager.poll() is None:
        record = TenantRecord.read(options.state)
        if record is not None and record.id == manager.pid and record.ready:
            _write(log.read_text(encoding="utf-8").replace("Ctrl-C stops it.", "`down` stops it.").rstrip())
            return 0
        time.sleep(_LOOK_AGAIN)
    sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
    return 1


def _down(state: Path) -> int:
    record = TenantRecord.read(state)
    if record is None or not record.lives():
        forget(state)
        _write("No tenant is up.")
        return 0
    os.kill(record.id, signal.SIGTERM)
    until = time.monotonic() + _DOWN_LIMIT
    while record.lives() and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN)
    if record.lives():
        os.kill(record.id, signal.SIGKILL)  # its parts follow it
        forget(state)
    _write("The tenant is down.")
    return 0


def _status(state: Path) -> int:
    record = TenantRecord.read(state)
    if record is None or not record.lives():
        _write("No tenant is up.")
        return 1
    _write(_table(record))
    return 0 if all(is_alive(part.id) for part in record.parts) else 1


def _settings(state: Path) -> int:
    record = TenantRecord.read(state)
    if record is None or not record.lives():
        _write("# No tenant is up.")
        return 1
    settings = json.loads((state / SETTINGS_FILE).read_text(encoding="utf-8"))
    _write("\n".join(f"export {name}={shlex.quote(value)}" for name, value in settings.items()))
    return 0


def _table(record: TenantRecord | None) -> str:
    parts = record.parts if record else []
    rows = [("part", "url", "process", "log")]
    rows += [(p.name, p.url, str(p.id) if is_alive(p.id) else "not running", _short(p.log)) for p in parts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _short(log: str) -> str:
    here = Path.cwd()
    return str(Path(log).relative_to(here)) if Path(log).is_relative_to(here) else log


def _write(text: str) -> None:
    # Whoever read along may have left: the tenant still stops in order.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.tenant", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and stay until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="return when it is ready; `down` stops it")
    up.add_argument("--seed", type=Path, default=DEFAULT_SEED, help="the tenant the directory begins with")
    up.add_argument("--app", type=Path, default=ROOT, help="the directory of function_app.py")
    up.add_argument("--split", action="store_true", help="the app as two hosts: web and worker")
    Ports.add_flags(up)
    down = commands.add_parser("down", help="stop a tenant that was started with `up`")
    status = commands.add_parser("status", help="show what runs")
    settings = commands.add_parser("settings", help="print what the app and the command get, for `eval` in a shell")
    for command in (up, down, status, settings):
        command.add_argument(
            "--state", type=Path, default=ROOT / ".local", help="the directory of its data, logs and keys"
        )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
