"""``python -m local.host --app DIR``: run a function app until SIGTERM or Ctrl-C.

Prints one line of JSON to standard output when ready; everything else goes to standard error.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import TextIO

from local.host.errors import AppRefused
from local.host.host import Host
from local.host.log import host_log, set_up_logging
from local.host.settings import load_local_settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parse(arguments)
    app = options.app.resolve()
    # What the app prints goes where its logs go: standard output has one line, for whoever started the host.
    answers, sys.stdout = sys.stdout, sys.stderr
    try:
        listening = _listen(options.port)
        _load_settings(app, options.settings)
        set_up_logging()
        return asyncio.run(_run(app, listening, options, answers))
    except AppRefused as refusal:
        sys.stderr.write(f"local.host: {refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 130


async def _run(app: Path, listening: socket.socket, options: argparse.Namespace, answers: TextIO) -> int:
    host = Host(app, host_id=options.host_id or _host_id(app), settings=os.environ)
    functions = await host.start(listening, options.functions)
    # Before this line a signal ends the process at once: nothing runs that could be drained.
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_leave, stop)
    names = [function.name for function in functions]
    answers.write(json.dumps({"ready": True, "port": listening.getsockname()[1], "functions": names}) + "\n")
    answers.flush()
    await stop.wait()
    host_log.info("Draining")
    if not await host.drain():
        # A thread that never ends would keep the process here.
        sys.stderr.flush()
        os._exit(1)
    host_log.info("Stopped")
    return 0


def _stop_or_leave(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(1)
    stop.set()


def _load_settings(app: Path, file: Path | None) -> None:
    if file is not None:
        load_local_settings(file, os.environ)
    elif (standard := app / "local.settings.json").is_file():
        load_local_settings(standard, os.environ)


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: 40 ms for every answer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        raise AppRefused(f"port {port} is taken; choose another with --port ({error.strerror})") from error
    return listening


def _host_id(app: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", app.name.lower()).strip("-") or "app"
    return f"{name[:20]}-{hashlib.sha256(str(app).encode()).hexdigest()[:8]}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="the directory of function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="for HTTP, on 127.0.0.1 (7071); 0 takes a free one")
    parser.add_argument("--settings", type=Path, help="instead of local.settings.json in the app's directory")
    parser.add_argument("--functions", nargs="+", default=[], metavar="NAME", help="run only these")
    parser.add_argument("--host-id", help="hosts with the same id share timers: one of them runs each")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
