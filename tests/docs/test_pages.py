"""The pages are true where a machine can tell: links lead somewhere, named tests, tables and log events exist."""

import ast
import re
from pathlib import Path

import pytest

from access.adapters.tables import TABLES
from access.events import Event
from tests.docs import pages

PAGES = sorted(
    path.relative_to(pages.ROOT).as_posix()
    for path in [*pages.ROOT.glob("*.md"), *pages.DOCS.rglob("*.md"), *(pages.ROOT / "infra").glob("*.md")]
)
DEPLOYED = ("access", "activation_handler", "approval_queue", "expiry_timer", "notifier")
DECISIONS = sorted((pages.DOCS / "decisions").glob("[0-9]*.md"))
LAWS = 11
LOG_METHODS = {"debug", "info", "warning", "error", "exception"}


def names_of_tests(path: Path) -> set[str]:
    """Return the functions of a file; those of a class also as ``Class::function``."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                functions = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
                found |= {written for function in functions for written in (function.name, f"{name}::{function.name}")}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case _:
                pass
    return found


def events_logged() -> set[str]:
    """Return the first argument of every call of a logger in what is deployed."""
    found: set[str] = set()
    for folder in DEPLOYED:
        for path in (pages.ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method), args=arguments):
                        texts = [argument for argument in arguments if isinstance(argument, ast.Constant)]
                        if method in LOG_METHODS | {"log"} and texts:
                            found.add(str(texts[0].value))
                    case _:
                        pass
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_something_that_is_there(page: str) -> None:
    here = (pages.ROOT / page).parent
    astray = []
    for link in pages.links(pages.text(page)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (here / target) if target else pages.ROOT / page
        if not path.exists() or (anchor and anchor not in pages.anchors(path.read_text(encoding="utf-8"))):
            astray.append(link)

    assert astray == []


def test_each_of_the_eleven_laws_names_its_code_and_its_tests() -> None:
    page = pages.text("docs/guarantees.md")
    laws = re.findall(r"^## (\d+)\. ", page, re.MULTILINE)

    assert [int(number) for number in laws] == list(range(1, LAWS + 1))
    assert page.count("\n- Code: ") == page.count("\n- Tests: ") == LAWS


def named_in(page: str) -> list[tuple[str, str]]:
    named = re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", pages.text(page))
    return [(page, name) for name in sorted(set(named))]


@pytest.mark.parametrize(("page", "named"), [*named_in("docs/guarantees.md"), *named_in("docs/lifecycle.md")])
def test_a_test_that_a_page_names_exists(page: str, named: str) -> None:
    file, _, name = named.partition("::")

    assert name in names_of_tests(pages.ROOT / file), f"{page} names {named}"


def test_every_overlap_names_the_tests_that_show_it() -> None:
    rows = pages.table(pages.section(pages.text("docs/lifecycle.md"), "## Overlaps"))
    overlaps = [row for row in rows if not row["What meets"].startswith("**")]

    assert len(overlaps) > 30
    assert [
        row["What meets"] for row in overlaps if not (row["What comes of it"] and pages.codes(row["Shown by"]))
    ] == []


def test_every_table_is_on_the_page_of_storage() -> None:
    listed = pages.table(pages.section(pages.text("docs/storage.md"), "## Tables"))

    assert sorted(pages.codes(row["Table"])[0] for row in listed) == sorted(TABLES)


def test_every_log_event_is_in_the_runbook_and_nothing_else() -> None:
    listed = pages.table(
        pages.section(pages.text("docs/runbook.md"), "## Reading the logs").partition("Always there:")[2]
    )

    assert {pages.codes(row["`event`"])[0] for row in listed} == events_logged()


def test_the_runbook_says_what_to_do_about_every_code_of_a_message_that_is_set_aside() -> None:
    told = pages.table(pages.section(pages.text("docs/runbook.md"), "## A message in quarantine"))
    explained = pages.table(pages.section(pages.text("docs/errors.md"), "## A message that is set aside"))

    codes = {code for row in told for code in pages.codes(row["Code"])}
    assert codes == {pages.codes(row["Code"])[0] for row in explained} | {"HG-REQUESTER-UNKNOWN"}


def test_every_event_that_a_query_of_the_runbook_asks_for_is_one() -> None:
    asked = set(re.findall(r'event == "([^"]+)"', pages.text("docs/runbook.md")))

    assert asked
    assert asked <= events_logged() | set(Event)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts_and_stands_in_the_list(path: Path) -> None:
    page = path.read_text(encoding="utf-8")

    assert page.startswith(f"# {path.stem[:4]}: ")
    assert "**Status:** " in page
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    title = page.splitlines()[0].partition(": ")[2]
    assert f"[{path.stem[:4]}]({path.name}) | {title} |" in pages.text("docs/decisions/README.md")


def test_every_decision_that_the_code_names_exists() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    sources = [path for folder in DEPLOYED for path in (pages.ROOT / folder).rglob("*.py")]
    sources.append(pages.ROOT / "pyproject.toml")
    named = {
        number for path in sources for number in re.findall(r"docs/decisions/(\d{4})", path.read_text(encoding="utf-8"))
    }

    assert named
    assert named <= numbers


def test_every_page_that_the_code_names_exists() -> None:
    named = {
        name
        for folder in DEPLOYED
        for path in (pages.ROOT / folder).rglob("*.py")
        for name in re.findall(r"docs/[\w/.-]+\.md", path.read_text(encoding="utf-8"))
    }

    assert [name for name in sorted(named) if not (pages.ROOT / name).exists()] == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`make ([a-z]+)`", pages.text("CONTRIBUTING.md")))))
def test_every_make_command_that_contributors_are_told_of_exists(command: str) -> None:
    assert re.search(rf"^{command}:.*## ", pages.text("Makefile"), re.MULTILINE)


def test_the_workflow_runs_what_people_run_and_pins_its_actions() -> None:
    workflow = pages.text(".github/workflows/ci.yml")

    assert "run: .ci/run" in workflow
    assert "make test" in pages.text(".ci/run")
    uses = re.findall(r"uses: (\S+)", workflow)
    assert uses
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in uses)
