"""What the wiring builds from settings: every port, in both shapes of connection, without a word over the network."""

import asyncio
import socket
from collections.abc import Mapping
from typing import NoReturn

import pytest
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from access.adapters.azure_blobs import AzureBlobs
from access.adapters.build import build, build_container, build_credential
from access.adapters.settings import Settings, read
from access.errors import TryAgain

COMMON = {
    "TENANT_ID": "c0470500-0000-4000-8000-000000000001",
    "MAIL_SENDER": "hourglass@contoso.example",
    "PUBLIC_URL": "https://hourglass.contoso.example",
    "CARD_KEYS": "k1:" + "a" * 43,
    "CARD_CLIENT_ID": "card-client",
}
BY_SECRET = {
    "ServiceBus": "Endpoint=sb://contoso.example/;SharedAccessKeyName=app;SharedAccessKey=eA==",
    "LEDGER": "DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=eA==;EndpointSuffix=core.windows.net",
}
BY_IDENTITY = {
    "ServiceBus__fullyQualifiedNamespace": "contoso.servicebus.windows.net",
    "LEDGER__accountName": "contosoledger",
    "IDENTITY_ENDPOINT": "http://127.0.0.1:1/token",
}


def settings(connections: Mapping[str, str]) -> Settings:
    return read({**COMMON, **connections})


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("connections", [BY_SECRET, BY_IDENTITY], ids=["by secret", "by identity"])
async def test_every_port_is_built_and_none_connects_yet(no_network: None, connections: Mapping[str, str]) -> None:
    ports = build(settings(connections))

    assert ports.tenant == COMMON["TENANT_ID"]
    assert ports.public_url == COMMON["PUBLIC_URL"]
    assert ports.clock.now().microsecond == 0
    assert ports.clock.now().utcoffset() is not None


@pytest.mark.parametrize(("cloud", "suffix"), [("public", "core.windows.net"), ("china", "core.chinacloudapi.cn")])
async def test_the_ledgers_account_is_one_of_its_cloud(cloud: str, suffix: str) -> None:
    ports = build(settings({**BY_IDENTITY, "CLOUD": cloud}))

    tables = ports.store._tables  # type: ignore[attr-defined] # the ledger's own
    assert tables._service.url == f"https://contosoledger.table.{suffix}"


async def test_in_azure_the_managed_identity_is_used_and_elsewhere_whoever_is_signed_in() -> None:
    assert isinstance(build_credential(settings(BY_IDENTITY)), ManagedIdentityCredential)
    assert isinstance(build_credential(settings(BY_SECRET)), DefaultAzureCredential)


@pytest.mark.real
async def test_blobs_that_are_not_there_are_given_up_within_seconds() -> None:
    nobody = "http://127.0.0.1:9/contoso"
    away = {**BY_SECRET, "LEDGER": f"AccountName=contoso;AccountKey=eA==;BlobEndpoint={nobody};TableEndpoint={nobody}"}
    here = settings(away)
    async with build_credential(here) as credential, build_container(here, credential) as container:
        with pytest.raises(TryAgain):
            async with asyncio.timeout(12):
                await AzureBlobs(container).get("2026-03-02/d4e85f04")
