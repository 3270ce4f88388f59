"""The command: ``python -m local.mailbox --port 7082 --directory URL --app URL [--data DIR]``."""

import argparse
import sys
from pathlib import Path

from local.directory.records import Records
from local.directory.serving import serve
from local.mailbox.application import build
from local.mailbox.wiring import inboxes_for


def main() -> int:
    """Serve the mailboxes until SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.mailbox", description="Inboxes of the local tenant.")
    parser.add_argument("--port", type=int, default=7082, help="0 takes a free one (default: 7082)")
    parser.add_argument("--directory", default="http://127.0.0.1:7080", help="where the local directory is")
    parser.add_argument("--app", action="append", help="an origin that buttons may call (may be given several times)")
    parser.add_argument("--data", type=Path, help="a folder that keeps replaced cards; without it, memory does")
    options = parser.parse_args()
    allowed = frozenset(options.app or ["http://127.0.0.1:7071"])
    inboxes = inboxes_for(options.directory, allowed=allowed, records=Records(options.data))
    return serve("local.mailbox", lambda _url, _connections: build(inboxes), options.port)


if __name__ == "__main__":
    sys.exit(main())
