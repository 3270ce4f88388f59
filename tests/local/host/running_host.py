"""A host in a process of its own, as `make demo` runs it, and what it has said so far."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

APPS = Path(__file__).parent / "apps"
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0


def until[T](ask: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """Return the first answer that is true; fail when none comes in time."""
    deadline = time.monotonic() + patience
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


class RunningHost:
    """``python -m local.host`` for one of the sample apps."""

    def __init__(
        self,
        app: Path,
        directory: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        name: str = "host",
    ) -> None:
        self._errors = directory / f"{name}.log"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.host", "--app", str(app), "--port", "0", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=dict(os.environ) | dict(environment or {}),
            )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline().decode()
        self.ready: dict[str, Any] = json.loads(self.first_line or "{}")

    def __enter__(self) -> Self:
        assert self.ready.get("ready"), self.log
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ready['port']}"

    @property
    def log(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged as JSON, the app's lines and the host's."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the app's lines about one event."""
        return [line for line in self.lines() if line.get("event") == name]

    def wait_for(self, name: str, *, count: int = 1) -> list[dict[str, Any]]:
        """Return the app's lines about an event, once there are so many."""
        return until(lambda: found if len(found := self.events(name)) >= count else [])

    def wait_for_line(self, text: str) -> dict[str, Any]:
        """Return the first of the host's lines whose message holds a text."""
        return until(lambda: next((line for line in self.lines() if text in line.get("message", "")), {}))

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        return code
