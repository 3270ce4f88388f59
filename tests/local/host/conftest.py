"""The real parts that a host needs: a broker, and blobs."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .running_host import ROOT, until

QUEUES = ("text", "raw", "copies", "broken", "slow", "batch")
TOPOLOGY = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "sample",
                "Queues": [
                    {"Name": name, "Properties": {"MaxDeliveryCount": 3, "LockDuration": "PT5S"}} for name in QUEUES
                ],
                "Topics": [{"Name": "news", "Properties": {}, "Subscriptions": [{"Name": "reader", "Properties": {}}]}],
            }
        ]
    }
}


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a blob service."""
    port = free_port()
    script = ROOT / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    location: Path = tmp_path_factory.mktemp("azurite")
    node = shutil.which("node")
    assert node, "Node.js is missing"
    process = subprocess.Popen(
        [node, str(script), "--silent", "--location", str(location), "--blobPort", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: answers(port))
    yield (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )
    process.terminate()
    process.wait(10)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
