"""Microsoft's storage emulator as a process of the test run, in memory, on ports that were free."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = Path(__file__).parents[2] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
HOST = "127.0.0.1"
ATTEMPTS = 3
PATIENCE = 30.0  # seconds for it to start, or to stop
_WELL_KNOWN_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class RunningAzurite:
    """Azurite, to use as a context manager."""

    def __enter__(self) -> Self:
        # A port that was free may be somebody else's a moment later; Azurite stops then.
        for _ in range(ATTEMPTS):
            self._start()
            if self._listens():
                return self
        raise AssertionError("Azurite does not start")

    def _start(self) -> None:
        node = shutil.which("node")
        assert node, "Node.js is missing"
        self._blobs, self._queues, self._tables = free_ports(3)
        listen = [
            option
            for name, port in (("blob", self._blobs), ("queue", self._queues), ("table", self._tables))
            for option in (f"--{name}Host", HOST, f"--{name}Port", str(port))
        ]
        # The SDKs speak a newer version of the interface than this Azurite knows; what we use is in both.
        options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck"]
        self._process = subprocess.Popen(
            [node, str(PROGRAM), *listen, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE)

    @property
    def connection_string(self) -> str:
        account = "devstoreaccount1"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={_WELL_KNOWN_KEY};"
            f"BlobEndpoint=http://{HOST}:{self._blobs}/{account};TableEndpoint=http://{HOST}:{self._tables}/{account};"
        )

    def _listens(self) -> bool:
        """Wait until all ports answer; whether they do."""
        deadline = time.monotonic() + PATIENCE
        waiting = [self._blobs, self._queues, self._tables]
        while waiting and self._process.poll() is None:
            try:
                socket.create_connection((HOST, waiting[0]), timeout=1).close()
                waiting.pop(0)
            except OSError:
                assert time.monotonic() < deadline, "Azurite does not listen"
                time.sleep(0.05)
        return not waiting


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
