"""A running directory, and the unmodified Microsoft Graph SDK that talks to it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.identity.aio import ManagedIdentityCredential
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient

from local.directory.tenant import Tenant
from local.directory.testing import SAMPLE_TENANT, AdminClient, RunningDirectory


def pytest_configure(config: pytest.Config) -> None:
    """The SDK warns about itself as it imports its own modules, when they are first used; ours stay errors."""
    config.addinivalue_line(
        "filterwarnings", r"ignore:.*deprecated:DeprecationWarning:(msgraph|kiota_abstractions)\..*"
    )


class StoppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture(scope="session")
def server(clock: StoppedClock) -> Iterator[RunningDirectory]:
    with RunningDirectory(clock=clock) as running:
        yield running


@pytest.fixture
def directory(server: RunningDirectory) -> RunningDirectory:
    server.admin.post("/reset")
    return server


@pytest.fixture
def admin(directory: RunningDirectory) -> AdminClient:
    return directory.admin


@pytest.fixture
def powerless() -> Iterator[RunningDirectory]:
    """A directory whose app was granted nothing but the right to read."""
    seed = json.loads(SAMPLE_TENANT.read_text(encoding="utf-8")) | {"appPermissions": ["User.Read.All"]}
    with RunningDirectory(Tenant.from_json(seed)) as running:
        yield running


@pytest.fixture
def powerful() -> Iterator[RunningDirectory]:
    """A directory whose app may change even the groups that hold directory roles."""
    granted = ["GroupMember.ReadWrite.All", "RoleManagement.ReadWrite.Directory"]
    seed = json.loads(SAMPLE_TENANT.read_text(encoding="utf-8")) | {"appPermissions": granted}
    with RunningDirectory(Tenant.from_json(seed)) as running:
        yield running


@pytest.fixture
def managed_identity(directory: RunningDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{directory.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "local")


@pytest.fixture
async def graph(directory: RunningDirectory, managed_identity: None) -> AsyncIterator[GraphServiceClient]:
    async with connected(directory) as client:
        yield client


class connected:  # noqa: N801 - reads as a statement: async with connected(directory)
    """The SDK against a directory, with the app's managed identity."""

    def __init__(self, directory: RunningDirectory) -> None:
        self._credential = ManagedIdentityCredential()
        authentication = AzureIdentityAuthenticationProvider(
            self._credential,
            scopes=["https://graph.microsoft.com/.default"],
            allowed_hosts=["127.0.0.1", "graph.microsoft.com"],
        )
        self._adapter = GraphRequestAdapter(authentication)
        self._adapter.base_url = f"{directory.url}/v1.0"

    async def __aenter__(self) -> GraphServiceClient:
        return GraphServiceClient(request_adapter=self._adapter)

    async def __aexit__(self, *_exception: object) -> None:
        # The SDK wraps the transport that holds the connections, and its own aclose() does not reach it.
        await self._adapter._http_client._transport.transport.aclose()
        await self._credential.close()


@pytest.fixture
def http(directory: RunningDirectory) -> Iterator[httpx.Client]:
    """A plain client with the app's token, for what the SDK cannot say."""
    with httpx.Client(base_url=f"{directory.url}/v1.0", headers=app_headers(directory), trust_env=False) as client:
        yield client


def app_headers(directory: RunningDirectory) -> dict[str, str]:
    answer = httpx.get(
        f"{directory.url}/msi/token",
        params={"resource": "https://graph.microsoft.com", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": "local"},
        trust_env=False,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}
