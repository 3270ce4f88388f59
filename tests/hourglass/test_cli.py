"""The command as a whole: settings, exit codes, and never a stack trace to a person."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from access.adapters.register import TableRegister
from hourglass.cli import app
from hourglass.outside import Tenant
from tests.hourglass.conftest import FakeOutside, Run

SETTINGS = {
    "TENANT_ID": "c0470500-0000-4000-8000-000000000001",
    "ServiceBus": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=x;SharedAccessKey=eA==;UseDevelopmentEmulator=true;",
    "LEDGER": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=eA==;TableEndpoint=http://127.0.0.1:9/a;",
}
_READ = ("TENANT_ID", "ServiceBus", "ServiceBus__fullyQualifiedNamespace", "LEDGER", "LEDGER__accountName")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither what the shell has set comes in, nor what a settings file sets goes on to the next test."""
    before = dict(os.environ)
    for name in _READ:
        monkeypatch.delenv(name, raising=False)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def in_a_shell(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80", **environment}, prog_name="hourglass")


def test_help_names_every_command_and_the_exit_codes(run: Run) -> None:
    result = run("--help")

    assert result.exit_code == 0
    assert [word for word in ("request", "show", "list", "apply") if f"\n  {word} " in result.stdout] == [
        "request",
        "show",
        "list",
        "apply",
    ]
    assert "Exit codes: 0 done, 1 refused or not found, 2 wrong use" in result.stdout


def test_a_command_that_is_misspelt_is_answered_with_the_nearest(run: Run) -> None:
    result = run("lst")

    assert result.exit_code == 2
    assert "Did you mean 'list'?" in result.stderr


def test_missing_settings_are_all_named_at_once() -> None:
    result = in_a_shell("list")

    assert result.exit_code == 2
    assert "TENANT_ID is missing" in result.stderr
    assert "ServiceBus and ServiceBus__fullyQualifiedNamespace are both missing" in result.stderr
    assert "LEDGER and LEDGER__accountName are both missing" in result.stderr


def test_the_command_needs_no_setting_that_only_the_app_uses() -> None:
    result = in_a_shell("list", **SETTINGS)

    assert result.exit_code == 1
    assert "settings" not in result.stderr.splitlines()[0]


def test_a_settings_file_stands_behind_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": SETTINGS}))
    monkeypatch.setenv("TENANT_ID", "c0470500-0000-4000-8000-000000000002")

    tenant = Tenant(file)

    assert tenant.tenant == "c0470500-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("{}", "holds no settings."),
        ("not JSON", "holds no settings."),
        ("[]", "holds no settings."),
        ('{"Values": {}, "IsEncrypted": true}', "is encrypted."),
    ],
)
def test_a_settings_file_that_is_none_is_wrong_use(tmp_path: Path, content: str, answer: str) -> None:
    file = tmp_path / "local.settings.json"
    file.write_text(content)

    result = in_a_shell("--settings", str(file), "list")

    assert result.exit_code == 2
    assert answer in result.stderr


def test_a_settings_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    result = in_a_shell("--settings", str(tmp_path / "none.json"), "list")

    assert result.exit_code == 2
    assert "can't be read: No such file or directory." in result.stderr


def test_tables_that_are_not_there_are_answered_in_words() -> None:
    result = in_a_shell("list", **SETTINGS)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Could not be done now: the tables." in result.stderr
    assert "Traceback" not in result.stderr


def test_a_queue_that_is_not_there_is_answered_in_words() -> None:
    result = in_a_shell("request", "--role", "r", "--requester", "ada@contoso.example", **SETTINGS)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Could not reach Service Bus" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_connection_string_that_is_none_is_wrong_use() -> None:
    result = in_a_shell(
        "request", "--role", "r", "--requester", "ada@contoso.example", **{**SETTINGS, "ServiceBus": "x"}
    )

    assert result.exit_code == 2
    assert "Could not reach Service Bus" in result.stderr


def test_a_bug_of_ours_is_admitted_without_a_stack_trace(
    outside: FakeOutside, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("shard")

    monkeypatch.setattr(outside.rows, "query", broken)
    result = run("list")

    assert result.exit_code == 1
    assert result.stderr == (
        "hourglass: Something went wrong that is not your doing (KeyError: 'shard').\n"
        "Run it again with --verbose, and report what is logged.\n"
    )


def test_verbose_logs_the_whole_of_it_for_a_report(
    outside: FakeOutside, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("shard")

    monkeypatch.setattr(outside.rows, "query", broken)
    result = run("--verbose", "list")

    assert "command.failed" in result.stderr


def test_the_role_that_a_file_says_is_the_one_that_the_rules_read(
    outside: FakeOutside, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "roles.yaml"
    file.write_text(
        "version: 1\nroles:\n  Backups:\n    name: Backups\n    gives: {group: Backup Operators}\n"
        "    maximum: PT30M\n    minimum: PT20M\n    accepts: [signed-in]\n    justification: optional\n"
    )

    run("apply", "--direct", "--yes", str(file))

    role = asyncio.run(TableRegister(outside.rows).role("backups"))
    assert role is not None
    assert (role.default_duration, role.justification_required) == (role.maximum_duration, False)
    assert [str(door) for door in role.accepts] == ["signed-in"]
