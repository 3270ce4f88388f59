"""The real parts, once for a run, and each port in its two shapes: in memory, and real over a socket.

A fixture that is named for a port runs its test twice. The real shape is marked ``real``: ``make check`` leaves it out.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from access.adapters.azure_tables import AzureTables
from access.adapters.tables import Tables
from local.directory.testing import RunningDirectory
from local.service_bus.testing import RunningBroker
from tests.fakes.clock import FakeClock
from tests.fakes.tables import FakeTables
from tests.promises.azurite import RunningAzurite

TOPOLOGY = Path(__file__).parents[2] / "local" / "topology.json"
FAKE_AND_REAL = ("fake", pytest.param("real", marks=pytest.mark.real))


def pytest_configure(config: pytest.Config) -> None:
    """The SDK warns about itself as it imports its own modules, when they are first used; ours stay errors."""
    config.addinivalue_line(
        "filterwarnings", r"ignore:.*deprecated:DeprecationWarning:(msgraph|kiota_abstractions)\..*"
    )


@pytest.fixture(scope="session")
def azurite() -> Iterator[RunningAzurite]:
    with RunningAzurite() as running:
        yield running


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with RunningBroker(topology=TOPOLOGY) as running:
        yield running


@pytest.fixture(scope="session")
def running_directory() -> Iterator[RunningDirectory]:
    with RunningDirectory() as running:
        yield running


@pytest.fixture
def directory(running_directory: RunningDirectory) -> RunningDirectory:
    """The sample tenant's directory, as if nothing had happened yet."""
    running_directory.admin.post("/reset")
    return running_directory


@dataclass
class Wire:
    """What the storage SDK put on the wire."""

    queries: list[dict[str, str]] = field(default_factory=list)

    def note(self, request: Any) -> None:
        self.queries.append(dict(request.http_request.query))


@dataclass(frozen=True)
class RealTables:
    """Azurite's tables, and what was asked of them."""

    tables: AzureTables
    service: TableServiceClient
    wire: Wire


@pytest.fixture
async def real_tables(azurite: RunningAzurite) -> AsyncIterator[RealTables]:
    """Tables on Azurite, with no table yet."""
    wire = Wire()
    service = TableServiceClient.from_connection_string(
        azurite.connection_string, raw_request_hook=wire.note, retry_total=0
    )
    async with service:
        yield RealTables(AzureTables(service), service, wire)
        for name in [table.name async for table in service.list_tables()]:
            await service.delete_table(name)


@pytest.fixture(params=FAKE_AND_REAL)
def tables(request: pytest.FixtureRequest) -> Tables:
    """The tables of the record, empty."""
    if request.param == "fake":
        return FakeTables()
    real: RealTables = request.getfixturevalue("real_tables")
    return real.tables


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
