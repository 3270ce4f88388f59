"""``python -m local.service_bus``: run a broker until SIGTERM or SIGINT.

Prints one line of JSON when it is ready: ``{"ready": true, "port": 5672, "adminPort": 5673}``.
"""

import argparse
import asyncio
import json
import logging
import signal
import sqlite3
import sys
from pathlib import Path

from local.service_bus.network.access import SharedAccessKey
from local.service_bus.semantics.topology import Topology, TopologyError
from local.service_bus.server import Options, PortTakenError, serve
from local.service_bus.storage import StorageError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code: 1 when the broker can't start, or can't go on."""
    logging.basicConfig(level=logging.WARNING, format="service_bus: %(levelname)s %(message)s")
    try:
        asyncio.run(_run(_options(arguments)))
    except (PortTakenError, TopologyError, StorageError, sqlite3.Error) as error:
        print(f"service_bus: {error}", file=sys.stderr)  # noqa: T201 - a command's own words
        return 1
    return 0


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m local.service_bus", description="A Service Bus for a laptop.")
    parser.add_argument(
        "--topology", type=Path, required=True, help="a file in the shape of the emulator's Config.json"
    )
    parser.add_argument("--port", type=int, default=5672, help="AMQP; 0: the system chooses (default: %(default)s)")
    parser.add_argument(
        "--admin-port", type=int, default=5673, help="HTTP; 0: the system chooses (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, help="a directory to keep messages in (default: in memory only)")
    parser.add_argument(
        "--shared-access-key",
        type=_key,
        metavar="NAME=KEY",
        help="check the tokens of clients with this key (default: no check)",
    )
    given = parser.parse_args(arguments)
    return Options(
        topology=Topology.load(given.topology),
        port=given.port,
        admin_port=given.admin_port,
        data=given.data,
        shared_access_key=given.shared_access_key,
    )


def _key(text: str) -> SharedAccessKey:
    name, _, key = text.partition("=")
    if not name or not key:
        raise argparse.ArgumentTypeError("NAME=KEY is expected")
    return SharedAccessKey(name, key)


async def _run(options: Options) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serve(options) as running:
        ready = {"ready": True, "port": running.port, "adminPort": running.admin_port}
        print(json.dumps(ready), flush=True)  # noqa: T201 - how the one who started it learns
        await running.until(stopped)


if __name__ == "__main__":
    sys.exit(main())
