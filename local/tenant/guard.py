"""Start a command that ends when its parent does: ``python guard.py PARENT_ID COMMAND...``. A script of its own.

On Linux the kernel sees to it (a death signal outlives ``exec``), and the command takes this process's place. Elsewhere
this process stays, and watches.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command; return its exit code where this process stays."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if not sys.platform.startswith("linux"):
        return _watch(parent, command)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - that is the point
    return 1  # the parent died before the kernel was told to care


def _watch(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
            return child.wait()
        time.sleep(0.2)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
