"""`hourglass apply --direct`: shows what would change, changes it, and then there is nothing to change."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from access.adapters import keys
from access.adapters.register import PersonLinks, TableRegister
from access.model import Eligibility
from tests.hourglass.conftest import EXAMPLES, NOW, FakeOutside, Run

EXAMPLE = str(EXAMPLES / "roles.yaml")

SMALL = """\
version: 1
roles:
  backups:
    name: Backups
    gives: {group: Backup Operators}
    maximum: PT8H
    eligible:
      - user: bo.admin@contoso.example
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roles.yaml"
    path.write_text(SMALL)
    return path


def test_the_example_is_applied_and_everything_stored_is_an_object_id(outside: FakeOutside, run: Run) -> None:
    result = run("apply", "--direct", "--yes", EXAMPLE)

    assert result.exit_code == 0, result.output
    register, of = TableRegister(outside.rows), outside.people.id_of
    role = asyncio.run(register.role("backup-operators"))
    assert role is not None
    assert role.approval is not None
    assert (role.target.id, role.approval.groups) == (of("Backup Operators"), (of("Backup approvers"),))
    eligible = asyncio.run(register.group_eligibilities("backup-operators"))
    assert eligible == (
        Eligibility(principal=of("Backup Operators eligible"), role="backup-operators", through_group=True),
    )
    dee = asyncio.run(register.direct_eligibility("helpdesk-tier-2", of("dee@contoso.example")))
    assert dee is not None
    assert not dee.holds_at(NOW)
    links = asyncio.run(register.person_links(of("ada.ext@contoso.example")))
    names = ("ada@contoso.example", "ada.admin@contoso.example", "ada.ext@contoso.example")
    assert links == PersonLinks(tuple(of(name) for name in names), contact="ada@contoso.example", name="Ada")


def test_applied_twice_there_is_nothing_to_change(run: Run) -> None:
    run("apply", "--direct", "--yes", EXAMPLE)

    result = run("apply", "--direct", EXAMPLE)

    assert (result.exit_code, result.output) == (0, "Nothing to change.\n")


def test_what_would_change_is_shown_in_the_words_of_the_file(run: Run, file: Path) -> None:
    result = run("apply", "--direct", "--dry-run", str(file))

    assert (
        result.stdout
        == """\
+ role backups
    name: Backups
    gives: group Backup Operators
    maximum: PT8H
    default: PT1H
    minimum: PT5M
    justification: required
    accepts: flow, signed-in
+ eligibility backups: user bo.admin@contoso.example
2 added.
Nothing was changed (--dry-run).
"""
    )


def test_a_change_shows_both_sides_of_what_differs_and_nothing_else(run: Run, file: Path) -> None:
    run("apply", "--direct", "--yes", str(file))
    changed = SMALL.replace("PT8H", "PT4H").replace("bo.admin@contoso.example", "ada.admin@contoso.example")
    file.write_text(changed + "people:\n  ada: {accounts: [ada@contoso.example]}\n")

    result = run("apply", "--direct", "--yes", str(file))

    assert (
        result.stdout
        == """\
- eligibility backups: user bo.admin@contoso.example
+ person ada
    name: ada
    accounts: ada@contoso.example
~ role backups
    maximum: PT8H -> PT4H
+ eligibility backups: user ada.admin@contoso.example
2 added, 1 changed, 1 removed.
Applied.
"""
    )


def test_an_approval_that_is_taken_away_is_shown_field_by_field(run: Run, file: Path) -> None:
    asked = "    approval: {approvers: {users: [bo@contoso.example]}}\n"
    file.write_text(SMALL + asked)
    run("apply", "--direct", "--yes", str(file))
    file.write_text(SMALL)

    result = run("apply", "--direct", "--dry-run", str(file))

    assert "    approval.approvers: bo@contoso.example -> nothing\n" in result.stdout


def test_what_is_no_longer_in_the_file_is_removed(outside: FakeOutside, run: Run, file: Path) -> None:
    run("apply", "--direct", "--yes", EXAMPLE)
    file.write_text("version: 1\nroles: {}\n")

    result = run("apply", "--direct", "--yes", str(file))

    register = TableRegister(outside.rows)
    assert (
        result.stdout
        == """\
- eligibility backup-operators: group Backup Operators eligible
- eligibility helpdesk-tier-2: user bo.admin@contoso.example
- eligibility helpdesk-tier-2: user cy@contoso.example
- eligibility helpdesk-tier-2: user dee@contoso.example
- role backup-operators
- role helpdesk-tier-2
- person ada
7 removed.
Applied.
"""
    )
    assert asyncio.run(register.roles()) == {}
    assert asyncio.run(register.eligibilities()) == {}
    assert asyncio.run(register.people()) == {}


def test_it_asks_first_and_a_no_changes_nothing(outside: FakeOutside, run: Run, file: Path) -> None:
    result = run("apply", "--direct", str(file), stdin="n\n")

    assert result.exit_code == 1
    assert "Nothing was changed." in result.stderr
    assert asyncio.run(TableRegister(outside.rows).roles()) == {}


def test_a_yes_to_the_question_applies(outside: FakeOutside, run: Run, file: Path) -> None:
    result = run("apply", "--direct", str(file), stdin="y\n")

    assert result.exit_code == 0
    assert list(asyncio.run(TableRegister(outside.rows).roles())) == ["backups"]


def test_without_direct_it_says_what_will_come_and_what_to_do(outside: FakeOutside, run: Run, file: Path) -> None:
    result = run("apply", str(file))

    assert result.exit_code == 2
    assert "Applying through the front door, which knows who you are, comes later." in result.stderr
    assert f"hourglass apply --direct {file}" in result.stderr
    assert outside.rows.calls == []


def test_direct_warns_and_is_audited_as_direct_with_who_said_to_be(outside: FakeOutside, run: Run, file: Path) -> None:
    result = run("apply", "--direct", "--yes", str(file))

    assert "Direct: this goes past the front door. Who you are is not proven; the audit says: direct, ada." in (
        result.stderr
    )
    records = asyncio.run(_audited(outside))
    assert {(record["event"], record["by"], record["through"]) for record in records} == {
        ("role.added", "ada", "direct"),
        ("eligibility.added", "ada", "direct"),
    }


def test_a_file_that_is_wrong_changes_nothing_and_says_where(outside: FakeOutside, run: Run, file: Path) -> None:
    file.write_text(SMALL.replace("PT8H", "8 hours"))

    result = run("apply", "--direct", "--yes", str(file))

    assert result.exit_code == 2
    assert result.stderr == (
        "hourglass: 1 mistake; nothing was changed.\n"
        f'{file}:6:14: roles.backups.maximum: "8 hours" is not a duration; write PT8H\n'
    )
    assert asyncio.run(TableRegister(outside.rows).roles()) == {}


def test_a_file_that_is_not_there_is_wrong_use(run: Run, tmp_path: Path) -> None:
    result = run("apply", "--direct", str(tmp_path / "missing.yaml"))

    assert result.exit_code == 2
    assert "missing.yaml can't be read: No such file or directory." in result.stderr


def test_a_directory_that_can_not_answer_is_not_guessed_around(outside: FakeOutside, run: Run, file: Path) -> None:
    outside.people.is_down = True

    result = run("apply", "--direct", "--yes", str(file))

    assert result.exit_code == 1
    assert result.stderr == (
        "hourglass: Could not be done now: the directory (503).\n"
        "Try again in 7 seconds. If it stays so: is it up, and is its address in the settings right?\n"
    )


def test_what_is_removed_is_shown_by_id_where_the_directory_has_no_name_for_it(
    outside: FakeOutside, run: Run, file: Path
) -> None:
    run("apply", "--direct", "--yes", str(file))
    bo_admin = outside.people.id_of("bo.admin@contoso.example")
    outside.people.users = [user for user in outside.people.users if user["id"] != bo_admin]
    file.write_text("version: 1\nroles: {}\n")

    result = run("apply", "--direct", "--dry-run", str(file))

    assert f"- eligibility backups: user {bo_admin}\n" in result.stdout


def test_somebody_else_who_applied_meanwhile_is_not_overwritten(
    outside: FakeOutside, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("apply", "--direct", "--yes", str(file))
    file.write_text(SMALL.replace("PT8H", "PT4H"))
    other = file.with_name("other.yaml")
    other.write_text(SMALL.replace("PT8H", "PT2H"))

    def answer(_: str) -> bool:
        return run("apply", "--direct", "--yes", str(other)).exit_code == 0

    monkeypatch.setattr("hourglass.apply.typer.confirm", answer)
    result = run("apply", "--direct", str(file))

    assert result.exit_code == 1
    assert "Somebody else changed the same thing meanwhile." in result.stderr


async def _audited(outside: FakeOutside) -> list[dict[str, Any]]:
    return [
        json.loads(str(row.values["record"]))
        for shard in keys.shards()
        async for row in outside.rows.query("audit", f"{keys.day(NOW)}-{shard}", start="0", end=keys.END)
    ]
