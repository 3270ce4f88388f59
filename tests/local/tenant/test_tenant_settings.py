"""Ports and settings of a tenant."""

import argparse
import base64
from dataclasses import astuple
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.data.tables import TableServiceClient
from azure.servicebus import parse_connection_string
from azure.storage.blob import BlobServiceClient

from local.tenant import Ports, Tenant, TenantProblem
from local.tenant.app_settings import Seed
from local.tenant.parts import standard_parts


def flags(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    Ports.add_flags(parser)
    return parser.parse_args(arguments)


def test_a_flag_beats_the_environment_and_the_environment_the_default() -> None:
    environment = {"LOCAL_BLOB_PORT": "11000", "LOCAL_BROKER_ADMIN_PORT": "11001"}

    ports = Ports.chosen(flags("--blob-port", "12000"), environment)

    assert (ports.blob, ports.broker_admin, ports.host) == (12000, 11001, 7071)


@pytest.mark.parametrize("value", ["x", "0", "65536", "-1"])
def test_what_is_no_port_is_refused_by_name(value: str) -> None:
    with pytest.raises(TenantProblem, match="LOCAL_HOST_PORT"):
        Ports.chosen(flags(), {"LOCAL_HOST_PORT": value})


def test_free_ports_are_all_different() -> None:
    ports = astuple(Ports.free())

    assert len(set(ports)) == len(ports)


def test_the_sdks_take_the_connections_and_they_lead_to_the_parts(tmp_path: Path) -> None:
    ports = Ports.free()
    settings = Tenant(tmp_path, ports=ports, parts=[]).settings

    assert urlsplit(TableServiceClient.from_connection_string(settings["LEDGER"]).url).port == ports.table
    with BlobServiceClient.from_connection_string(settings["AzureWebJobsStorage"]) as blobs:
        assert urlsplit(blobs.url).port == ports.blob
    bus = parse_connection_string(settings["ServiceBus"])
    assert bus.endpoint == f"sb://127.0.0.1:{ports.broker}/"
    assert settings["PUBLIC_URL"] == f"http://127.0.0.1:{ports.host}"


def test_the_card_key_is_32_bytes_with_an_id(tmp_path: Path) -> None:
    settings = Tenant(tmp_path, parts=[]).settings

    key_id, _, key = settings["CARD_KEYS"].partition(":")

    assert key_id
    assert len(base64.urlsafe_b64decode(key + "=")) == 32
    assert settings["CARD_AUDIENCE"].endswith(f"/{settings['CARD_CLIENT_ID']}")


def test_extra_settings_win(tmp_path: Path) -> None:
    assert Tenant(tmp_path, parts=[], extra={"PART": "web"}).settings["PART"] == "web"


def test_a_seed_that_names_no_tenant_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text("{}", encoding="utf-8")

    with pytest.raises(TenantProblem, match="can't be read"):
        Seed.read(file)


def test_the_app_runs_as_one_host_or_as_two(tmp_path: Path) -> None:
    def hosts(*, split: bool) -> dict[str, str]:
        parts = standard_parts(Ports(), tmp_path, seed=tmp_path, app=tmp_path, split=split)
        return {part.name: part.environment.get("PART", "all") for part in parts if part.gets_settings}

    assert hosts(split=False) == {"host": "all"}
    assert hosts(split=True) == {"web": "web", "worker": "worker"}


def test_without_node_the_tenant_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(TenantProblem, match=r"Node\.js is missing"):
        standard_parts(Ports(), tmp_path, seed=tmp_path, app=tmp_path, split=False)
