"""The function app as Azure sees it: the list that Microsoft's worker library makes of it, for each ``PART``."""

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

WEB = {
    "cards_decide": "POST api/cards/decide",
    "about": "GET about",
    "call_for_sweep": "POST api/sweep",
    "health_live": "GET api/health/live",
    "health_ready": "GET api/health/ready",
}
WORKER = {
    "activation_requests": "queue activation-requests",
    "provisioning": "queue provisioning",
    "approvals": "queue approvals",
    "sweep_timer": "0 * * * * *",
    "reconcile_timer": "0 17 * * * *",
    "ticks": "queue ticks",
    "expirations": "queue expirations",
    "notifications": "queue notifications",
}
SCHEDULES = {"every minute": "0 * * * * *", "every hour": "0 17 * * * *"}
FUNCTIONS = {"all": WEB | WORKER, "web": WEB, "worker": WORKER}

INDEX = """
import asyncio, json, sys
from pathlib import Path
from local.host.functions import read_functions
from local.host.worker import Worker

async def index():
    worker = Worker(Path.cwd())
    found = read_functions(await worker.start(), {})
    worker.stop()
    return [{**f.trigger.options, "type": f.trigger.type, "function": f.name} for f in found]

print("FOUND", json.dumps(asyncio.run(index())))
"""
IMPORT = "import sys, json, function_app; print('FOUND', json.dumps(sorted(sys.modules)))"


def child(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own: the worker library keeps its functions in a module."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found(process: subprocess.CompletedProcess[str]) -> Any:
    line = next((line for line in process.stdout.splitlines() if line.startswith("FOUND ")), None)
    assert line is not None, process.stderr[-2000:]
    return json.loads(line.removeprefix("FOUND "))


@functools.cache
def indexed(part: str) -> list[dict[str, Any]]:
    """Return the triggers of every function, as the worker library reads them."""
    return list(found(child(INDEX, PART=part)))


def start_of(trigger: dict[str, Any]) -> str:
    match trigger["type"]:
        case "serviceBusTrigger":
            return f"queue {trigger['queueName']}"
        case "timerTrigger":
            return str(trigger["schedule"])
        case _:
            (method,) = trigger["methods"]
            return f"{method} {trigger['route']}"


def table() -> list[list[str]]:
    """Return the rows of the trigger table in the docstring of ``function_app``."""
    text = ast.get_docstring(ast.parse((ROOT / "function_app.py").read_text(encoding="utf-8"))) or ""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows[2:]]


class TestTheFunctionList:
    @pytest.mark.parametrize("part", FUNCTIONS)
    def test_the_worker_takes_every_function_of_a_part_and_no_other(self, part: str) -> None:
        assert {trigger["function"]: start_of(trigger) for trigger in indexed(part)} == FUNCTIONS[part]

    def test_no_part_is_all_parts(self) -> None:
        assert {trigger["function"] for trigger in found(child(INDEX))} == FUNCTIONS["all"].keys()

    def test_a_part_that_there_is_not_is_said_by_name(self) -> None:
        failed = child(INDEX, PART="both")

        assert failed.returncode != 0
        assert "PART is 'both'; set it to one of: all, web, worker." in failed.stderr

    def test_every_queue_message_comes_as_bytes_over_the_one_connection(self) -> None:
        queues = [trigger for trigger in indexed("all") if trigger["type"] == "serviceBusTrigger"]

        assert {(trigger["dataType"], trigger["connection"]) for trigger in queues} == {("BINARY", "ServiceBus")}

    def test_only_the_call_for_a_sweep_asks_for_a_key_since_the_others_check_tokens_or_say_nothing(self) -> None:
        web = [trigger for trigger in indexed("all") if trigger["type"] == "httpTrigger"]

        levels = {trigger["function"]: str(trigger["authLevel"]) for trigger in web}
        assert levels == dict.fromkeys(WEB, "ANONYMOUS") | {"call_for_sweep": "FUNCTION"}

    def test_the_part_without_inbound_has_no_http_and_the_one_without_rights_nothing_else(self) -> None:
        assert "httpTrigger" not in {trigger["type"] for trigger in indexed("worker")}
        assert {trigger["type"] for trigger in indexed("web")} == {"httpTrigger"}


class TestTheTriggerTable:
    def test_it_names_every_function_with_its_part(self) -> None:
        parts = dict.fromkeys(WEB, "web") | dict.fromkeys(WORKER, "worker")

        assert {row[1]: row[3] for row in table()} == parts

    def test_it_says_what_starts_each(self) -> None:
        said = {row[1]: SCHEDULES.get(row[0], row[0]) for row in table()}

        assert said == FUNCTIONS["all"]

    def test_each_use_case_that_it_names_is_a_file(self) -> None:
        files = [row[2] for row in table() if not row[2].startswith("(")]

        assert [name for name in files if not (ROOT / name).is_file()] == []


class TestWhatTheImportCosts:
    def test_it_loads_no_sdk(self) -> None:
        loaded = set(found(child(IMPORT)))

        heavy = {
            "msgraph",
            "azure.identity",
            "azure.servicebus",
            "azure.data",
            "azure.storage",
            "jinja2",
            "jwt",
            "httpx",
        }
        assert heavy & loaded == set()
        assert "azure.functions" in loaded

    def test_it_reads_no_setting_but_its_part(self) -> None:
        assert child(IMPORT, PART="worker", TENANT_ID="not a tenant").returncode == 0


class TestTheHostsSettings:
    def host(self) -> dict[str, Any]:
        return dict(json.loads((ROOT / "host.json").read_text(encoding="utf-8")))

    def test_routes_say_themselves_where_they_are(self) -> None:
        assert self.host()["extensions"]["http"]["routePrefix"] == ""

    def test_no_function_runs_longer_than_its_message_is_locked(self) -> None:
        queues = self.host()["extensions"]["serviceBus"]

        assert self.host()["functionTimeout"] == queues["maxAutoLockRenewalDuration"] == "00:05:00"
        assert queues["autoCompleteMessages"] is True
        assert queues["prefetchCount"] == 0

    def test_no_request_exception_or_trace_is_left_out_of_the_logs(self) -> None:
        sampling = self.host()["logging"]["applicationInsights"]["samplingSettings"]

        assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception", "Trace"}
