"""The page of settings says what the code reads: every name, both ways, its default, and each line of host.json."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from access.adapters.clouds import CLOUDS
from access.adapters.settings import SettingsWrong, read
from access.adapters.wiring import PARTS
from tests.docs import pages

PAGE = pages.text("docs/settings.md")
OURS = {pages.codes(row["Name"])[0]: row for row in pages.table(pages.section(PAGE, "## What Hourglass reads"))}
HOSTS = {
    pages.codes(row["Name"])[0]: row for row in pages.table(pages.section(PAGE, "## What the Functions host reads"))
}
LEAST = {
    "TENANT_ID": "11111111-1111-1111-1111-111111111111",
    "ServiceBus": "Endpoint=sb://127.0.0.1",
    "LEDGER": "UseDevelopmentStorage=true",
    "MAIL_SENDER": "hourglass@contoso.example",
    "PUBLIC_URL": "https://hourglass.contoso.example",
    "CARD_KEYS": "k1:" + "A" * 43,
    "CARD_CLIENT_ID": "22222222-2222-2222-2222-222222222222",
}


class Recording(Mapping[str, str]):
    """An environment that remembers which names it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are asked for by name")

    def __len__(self) -> int:
        return len(self._values)


def names_read() -> set[str]:
    environment = Recording(LEAST)
    read(environment)
    return environment.names


def leaves(value: object, path: str = "") -> dict[str, object]:
    """Return the leaves of JSON by their dotted paths."""
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, object] = {}
    for key, inner in value.items():
        found |= leaves(inner, f"{path}.{key}".lstrip("."))
    return found


def test_every_setting_that_is_read_is_documented() -> None:
    assert names_read() <= set(OURS)


def test_no_setting_is_documented_that_nobody_reads() -> None:
    assert set(OURS) <= names_read()


def test_a_setting_is_documented_once_and_in_full() -> None:
    assert not set(OURS) & set(HOSTS)
    assert all(cell for row in OURS.values() for cell in row.values())


def test_the_settings_that_the_example_file_has_are_documented() -> None:
    example = json.loads(pages.text("local.settings.example.json"))["Values"]

    assert set(example) <= set(OURS) | set(HOSTS)


def test_what_the_page_calls_required_is_missed_by_name() -> None:
    with pytest.raises(SettingsWrong) as wrong:
        read({})

    said = " ".join(wrong.value.problems)
    demanded = {name for name, row in OURS.items() if row["Default"] != "empty" and "`" not in row["Default"]}
    demanded -= {"AUTHORITY", "GRAPH_ENDPOINT", "AZURE_CLIENT_ID", "CARD_CLIENT_ID"}
    assert demanded
    assert [name for name in demanded if name not in said] == []


def test_the_defaults_are_those_of_the_code() -> None:
    settings = read(LEAST)

    assert OURS["PART"]["Default"] == f"`{settings.part}`"
    assert OURS["CARD_SCOPE"]["Default"] == f"`{settings.card_scope}`"
    assert settings.graph == CLOUDS[pages.codes(OURS["CLOUD"]["Default"])[0]].graph
    timing = settings.timing
    for name, span in (
        ("CALL_LIMIT", timing.call_limit),
        ("CALL_TAIL", timing.tail),
        ("PROOF_WINDOW", timing.proof_window),
        ("GRAPH_WINDOW", settings.quota.window),
    ):
        assert timedelta(seconds=float(pages.codes(OURS[name]["Default"])[0])) == span
    assert int(pages.codes(OURS["GRAPH_WRITES"]["Default"])[0]) == settings.quota.writes


def test_the_choices_are_those_of_the_code() -> None:
    assert set(pages.codes(OURS["PART"]["Form and unit"])) == set(PARTS)
    assert set(pages.codes(OURS["CLOUD"]["Form and unit"])) == set(CLOUDS)


def test_every_line_of_host_json_is_explained_with_its_value() -> None:
    explained = {
        pages.codes(row["Key"])[0]: (pages.codes(row["Value"]) or [""])[0]
        for row in pages.table(pages.section(PAGE, "## host.json"))
    }
    actual = leaves(json.loads(pages.text("host.json")))

    assert explained == {key: value if isinstance(value, str) else json.dumps(value) for key, value in actual.items()}
