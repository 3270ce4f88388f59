"""Wiring: importing it touches nothing, and what it gives is built once, at the first use."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from access.adapters import wiring
from access.adapters.settings import SettingsWrong

QUIET = """
import os, socket, sys

def refuse(*_):
    raise AssertionError("the import opened a socket")

socket.socket.connect = refuse
os.environ.clear()
from access.adapters import wiring
print(",".join(sorted(name for name in sys.modules if name.startswith(("azure", "msgraph", "httpx", "jwt", "access")))))
"""


@pytest.fixture(autouse=True)
def _unbuilt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PART", raising=False)
    wiring.settings.cache_clear()
    wiring.ports.cache_clear()
    yield
    wiring.settings.cache_clear()
    wiring.ports.cache_clear()


def test_importing_it_needs_no_setting_and_no_network_and_loads_no_sdk() -> None:
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout.split() == ["access,access.adapters,access.adapters.wiring"], done.stderr


@pytest.mark.parametrize(("stated", "part"), [("web", "web"), ("worker", "worker"), ("", "all"), (" all ", "all")])
def test_the_part_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, stated: str, part: str) -> None:
    monkeypatch.setenv("PART", stated)

    assert wiring.part() == part


def test_without_a_word_about_it_this_is_all_parts() -> None:
    assert wiring.part() == "all"


def test_a_part_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PART", "both")

    with pytest.raises(SettingsWrong, match="PART is 'both'"):
        wiring.part()


def test_settings_that_are_wrong_are_said_at_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENANT_ID", raising=False)

    with pytest.raises(SettingsWrong, match="TENANT_ID is missing"):
        wiring.ports()


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TENANT_ID": "c0470500-0000-4000-8000-000000000001",
        "ServiceBus": "Endpoint=sb://contoso.example/",
        "LEDGER": "AccountName=contoso",
        "MAIL_SENDER": "hourglass@contoso.example",
        "PUBLIC_URL": "https://hourglass.contoso.example",
        "CARD_KEYS": "k1:" + "a" * 43,
        "CARD_CLIENT_ID": "card-client",
    }.items():
        monkeypatch.setenv(name, value)

    first = wiring.settings()
    monkeypatch.setenv("MAIL_SENDER", "other@contoso.example")

    assert wiring.settings() is first
