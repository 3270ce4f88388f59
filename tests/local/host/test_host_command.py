"""`python -m local.host`: what it refuses, and what it says."""

import socket
from pathlib import Path

import pytest

from .running_host import APPS, RunningHost

pytestmark = pytest.mark.real

WITHOUT_TIMER = ("--functions", "people", "kept", "raises", "late", "rest")
SETTINGS = {"Bus": "", "AzureWebJobsStorage": ""}


def refused(app: Path, directory: Path, *arguments: str) -> str:
    host = RunningHost(app, directory, *arguments)
    assert host.wait() == 1
    assert host.first_line == ""
    return host.log


def test_a_function_that_azure_refuses_is_refused_with_azures_words(tmp_path: Path) -> None:
    log = refused(APPS / "refused", tmp_path)

    assert "cannot load the refused function: the following parameters are declared in Python" in log
    assert log.rstrip().endswith("0 functions found")


def test_an_app_whose_blueprint_was_never_registered_is_refused(tmp_path: Path) -> None:
    assert "0 functions found. Is there a function_app.py, and is every blueprint registered?" in refused(
        APPS / "empty", tmp_path
    )


def test_a_directory_that_is_no_app_is_refused(tmp_path: Path) -> None:
    assert "has no host.json: it is not a function app" in refused(tmp_path, tmp_path)


def test_a_timer_without_storage_is_refused(tmp_path: Path) -> None:
    log = refused(APPS / "sample", tmp_path, "--functions", "tick")

    assert "timers need storage: set AzureWebJobsStorage" in log


def test_a_connection_that_no_setting_describes_is_refused(tmp_path: Path) -> None:
    log = refused(APPS / "sample", tmp_path, "--functions", "text")

    assert "Service Bus connection 'Bus': set Bus to a connection string" in log


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        log = refused(APPS / "sample", tmp_path, "--port", str(port))

    assert log.startswith(f"local.host: port {port} is taken; choose another with --port")
    assert log.count("\n") == 1


def test_a_host_says_once_that_it_is_ready_and_with_which_functions(tmp_path: Path) -> None:
    off = {"AzureWebJobs.kept.Disabled": "true"}
    with RunningHost(APPS / "sample", tmp_path, *WITHOUT_TIMER, environment=off) as host:
        assert host.ready["functions"] == ["people", "raises", "late", "rest"]
        host.terminate()
        assert host.wait() == 0
