"""The documents say what the command does: examples are its output, tables are made from the schema."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hourglass.roles_file import placed_yaml, reference, shape
from tests.fakes.tenant import FakeTenant
from tests.hourglass.conftest import EXAMPLES, FakeOutside, Run

DOCUMENTS = Path(__file__).parents[2] / "docs"
COMMAND = (DOCUMENTS / "command.md").read_text()
WRONG = """\
version: 1
roles:
  backup-operators:
    name: Backup Operators
    gives: {group: Backup Operators}
    maximum: 8 hours
    approvel: {}
"""


def example_of(command: str) -> tuple[str, str]:
    """The line that is typed in the example of a command, and what follows it."""
    found = re.search(rf"```console\n\$ (hourglass {command}[^\n]*)\n(.*?)```", COMMAND, re.DOTALL)
    assert found, f"no example of {command}"
    return found[1], found[2]


async def _ask(tenant: FakeTenant) -> None:
    await tenant.open()
    tenant.ask(flow="Ask for access")
    await tenant.run()


def test_the_example_of_request_is_its_output(run: Run) -> None:
    _, output = example_of("request")

    result = run(
        *("request", "--role", "backup-operators", "--requester", "ada@contoso.example"),
        *("--principal", "ada.admin@contoso.example", "--for", "PT2H"),
        *("--justification", "Restore the finance share", "--request-id", "run-1"),
    )

    assert result.stdout == output


def test_the_example_of_a_command_about_an_activation_is_its_output(run: Run) -> None:
    typed, output = example_of("extend")

    assert run(*shlex.split(typed)[1:]).stdout == output


@pytest.mark.parametrize("command", ["show", "list"])
def test_the_example_of_a_reading_command_is_its_output(tenant: FakeTenant, run: Run, command: str) -> None:
    asyncio.run(_ask(tenant))
    typed, output = example_of(command)

    result = run(*typed.split()[1:])

    assert result.stdout == output


@pytest.mark.parametrize("command", ["stop granting", "stops", "revoke", "restore"])
def test_the_example_of_a_command_that_ops_need_is_its_output(
    tenant: FakeTenant, outside: FakeOutside, run: Run, command: str
) -> None:
    async def hold() -> None:
        await tenant.open(approval=None)
        tenant.ask()
        await tenant.run()

    asyncio.run(hold())
    outside.works = tenant.run
    if command == "stops":
        run(*shlex.split(example_of("stop granting")[0])[1:])
    typed, output = example_of(command)

    result = run(*shlex.split(typed)[1:])

    assert result.stdout == output


@pytest.mark.parametrize("command", ["list", "show", "replay"])
def test_the_example_of_looking_at_what_was_set_aside_is_its_output(tenant: FakeTenant, run: Run, command: str) -> None:
    async def set_aside() -> None:
        body = b'{"requester": "ada@contoso.example", "justification": "the "big" share"}'
        tenant.bus.put("activation-requests", body, message_id="m-1", correlation_id="run-1")
        await tenant.run()

    asyncio.run(set_aside())
    typed, output = example_of(f"quarantine {command}")

    result = run(*typed.split()[1:])

    assert result.stdout == output


def test_the_example_of_apply_is_its_output(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    typed, output = example_of("apply --direct --dry-run")

    result = run(*typed.split()[1:])

    assert result.stdout == output


def test_the_example_of_a_wrong_file_is_its_output(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    typed, output = example_of("apply --direct wrong")

    result = run(*typed.split()[1:])

    assert result.stderr == output


def test_every_option_is_explained(run: Run) -> None:
    commands = (
        "request",
        "show",
        "list",
        "apply",
        "stop granting",
        "start granting",
        "stops",
        "revoke",
        "restore",
        "resume",
        "quarantine list",
        "quarantine show",
        "quarantine replay",
        "quarantine discard",
    )
    for command in commands:
        said = run(*command.split(), "--help").stdout
        options = set(re.findall(r"^ +(--[a-z-]+)", said, re.MULTILINE)) - {"--help"}
        assert options
        assert [option for option in sorted(options) if option not in COMMAND] == []


def test_the_table_of_settings_is_made_from_the_schema() -> None:
    page = reference.PAGE.read_text()

    assert reference.renewed(page) == page


def test_every_key_of_the_schema_is_in_the_table() -> None:
    table = reference.table()

    assert [key for key in _keys(shape.schema()) if f"{key}`" not in table] == []


def test_the_schema_is_a_schema_with_an_id_and_a_description_for_everything() -> None:
    schema = shape.schema()

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "https://hourglass.contoso.example/schemas/roles.schema.json"
    assert [field for field, _, meaning in reference.rows() if not meaning.endswith((".", ")."))] == []


def test_every_mapping_of_the_schema_refuses_unknown_keys() -> None:
    mappings = [each for each in _parts(shape.schema()) if "properties" in each]

    assert all(each["additionalProperties"] is False for each in mappings)


def test_the_example_names_the_schema_in_its_first_line_and_fits_it() -> None:
    raw = (EXAMPLES / "roles.yaml").read_bytes()

    assert raw.startswith(b"# yaml-language-server: $schema=../docs/schemas/roles.schema.json\n")
    assert (EXAMPLES / "../docs/schemas/roles.schema.json").resolve() == shape.SCHEMA_FILE.resolve()
    assert shape.check(placed_yaml.read(raw)) == []


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _keys(schema: Any) -> set[str]:
    return {key for part in _parts(schema) if isinstance(part.get("properties"), dict) for key in part["properties"]}
