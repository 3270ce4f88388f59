"""The deployment package: what ``.funcignore`` leaves in it, and what ``requirements.txt`` pins in it."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "uv" / "bin" / "uv"

DEPLOYED = {
    "access",
    "activation_handler",
    "approval_queue",
    "expiry_timer",
    "function_app.py",
    "host.json",
    "notifier",
    "requirements.txt",
}
HARMLESS = {"LICENSE"}


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def packaged() -> set[str]:
    """Return every file of the repository that ``.funcignore``, which is in git's own syntax, doesn't leave out."""
    tracked = set(output("git", "ls-files").splitlines())
    ignored = set(output("git", "ls-files", "--cached", "--ignored", "--exclude-from=.funcignore").splitlines())
    return tracked - ignored


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ \\\n]+)", text, re.MULTILINE))


class TestThePackage:
    def test_it_holds_what_runs_and_nothing_else(self) -> None:
        # Files of tools begin with a dot, and hold nothing that runs.
        tops = {Path(name).parts[0] for name in packaged() if not name.startswith(".")}

        assert tops - HARMLESS == DEPLOYED

    def test_it_holds_the_templates_and_every_module_of_its_folders(self) -> None:
        modules = {str(path.relative_to(ROOT)) for folder in DEPLOYED for path in (ROOT / folder).rglob("*.py")}

        assert modules - packaged() == set()
        assert "notifier/templates/mail.html" in packaged()

    def test_no_settings_or_secrets_go_with_it(self) -> None:
        assert [name for name in packaged() if "settings.json" in name or name.endswith((".env", ".pem"))] == []


class TestItsRequirements:
    def requirements(self) -> str:
        return (ROOT / "requirements.txt").read_text(encoding="utf-8")

    def test_they_are_what_the_lock_says(self) -> None:
        exported = output(
            str(UV), "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project", "--no-header"
        )

        assert self.requirements() == exported

    def test_each_is_pinned_by_version_and_by_hash(self) -> None:
        entries = re.split(r"\n(?=\S)", self.requirements())
        entries = [entry for entry in entries if entry.strip() and not entry.startswith("#")]

        assert entries
        assert [entry[:40] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []

    def test_what_runs_in_azure_is_asked_for_by_the_version_that_is_installed_there(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        asked = {re.split(r"[\[=]", line)[0]: line.rpartition("==")[2] for line in project["dependencies"]}

        assert {name: pins(self.requirements()).get(name) for name in asked} == asked
        assert "azure-functions-runtime" in asked

    def test_nothing_of_the_laptop_is_in_them(self) -> None:
        laptop = {"typer", "rich", "starlette", "uvicorn", "pytest", "ruff", "mypy", "hypothesis", "playwright"}

        assert laptop & pins(self.requirements()).keys() == set()
