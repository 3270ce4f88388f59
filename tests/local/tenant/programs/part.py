"""A stand-in for a part: says that it is ready, writes down when it starts and stops, and can misbehave.

`python part.py NAME JOURNAL [--port N] [--never-ready] [--deaf] [--with-child]`; SIGUSR1 lets it die.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("journal", type=Path)
parser.add_argument("--port", type=int)
parser.add_argument("--never-ready", action="store_true")
parser.add_argument("--deaf", action="store_true")
parser.add_argument("--with-child", action="store_true")
options = parser.parse_args()


def note(what: str) -> None:
    with options.journal.open("a", encoding="utf-8") as journal:
        journal.write(f"{what} {options.name} {os.getpid()}\n")


if options.port is not None:
    listening = socket.create_server(("127.0.0.1", options.port))


def die(*_: object) -> None:
    sys.stderr.write("the reason why it died\n")
    sys.exit(4)


stopped = threading.Event()
signal.signal(signal.SIGUSR1, die)
if options.deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
if options.with_child:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(f"child-{child.pid}")
if options.never_ready:
    sys.stderr.write("the reason why it is not ready\n")
    sys.exit(3)
note("started")
print('{"ready": true}', flush=True)  # noqa: T201 - as the real parts do
while not stopped.wait(0.05):
    pass
note("stopped")
