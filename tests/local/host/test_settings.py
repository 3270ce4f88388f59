"""host.json, local.settings.json, keys, and the list of functions."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.errors import AppRefused
from local.host.functions import Binding, Function, Retry, chosen, read_functions
from local.host.keys import Keys
from local.host.rpc import Message
from local.host.settings import load_host_options, load_local_settings, span


def write(directory: Path, name: str, document: Any) -> Path:
    file = directory / name
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def test_host_json_says_how_functions_run(tmp_path: Path) -> None:
    service_bus = {"maxConcurrentCalls": 3, "prefetchCount": 7, "maxAutoLockRenewalDuration": "00:10:00"}
    extensions = {"http": {"routePrefix": ""}, "serviceBus": service_bus | {"autoCompleteMessages": False}}
    write(tmp_path, "host.json", {"version": "2.0", "functionTimeout": "00:05:00", "extensions": extensions})

    options = load_host_options(tmp_path, {})

    assert options.route_prefix == ""
    assert options.function_timeout == timedelta(minutes=5)
    assert options.service_bus.max_concurrent_calls == 3
    assert options.service_bus.prefetch_count == 7
    assert options.service_bus.max_lock_renewal == timedelta(minutes=10)
    assert not options.service_bus.auto_complete


def test_without_a_word_the_defaults_of_azure_hold(tmp_path: Path) -> None:
    write(tmp_path, "host.json", {"version": "2.0"})

    options = load_host_options(tmp_path, {})

    assert options.route_prefix == "api"
    assert options.function_timeout == timedelta(minutes=30)
    assert options.service_bus.auto_complete


def test_a_setting_goes_over_host_json(tmp_path: Path) -> None:
    write(tmp_path, "host.json", {"version": "2.0", "functionTimeout": "00:05:00"})
    over = {
        "AzureFunctionsJobHost__FUNCTIONTIMEOUT": "00:00:07",
        "AzureFunctionsJobHost__extensions__serviceBus__prefetchCount": "5",
    }

    options = load_host_options(tmp_path, over)

    assert options.function_timeout == timedelta(seconds=7)
    assert options.service_bus.prefetch_count == 5


def test_a_function_may_be_allowed_to_run_for_ever(tmp_path: Path) -> None:
    write(tmp_path, "host.json", {"version": "2.0", "functionTimeout": "-1"})

    assert load_host_options(tmp_path, {}).function_timeout is None


@pytest.mark.parametrize("document", [None, "not json", [], {}, {"version": "2.0", "functionTimeout": "5 minutes"}])
def test_a_host_json_that_can_not_be_read_is_refused(tmp_path: Path, document: Any) -> None:
    if document is not None:
        write(tmp_path, "host.json", document)

    with pytest.raises(AppRefused, match=r"host\.json"):
        load_host_options(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:00:30", timedelta(seconds=30)), ("1.02:00:00", timedelta(days=1, hours=2))],
)
def test_a_time_span_is_dot_nets(text: str, expected: timedelta) -> None:
    assert span(text) == expected


def test_local_settings_go_under_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path, "local.settings.json", {"Values": {"A": "file", "B": "file"}})
    environment = {"A": "environment"}

    load_local_settings(file, environment)

    assert environment == {"A": "environment", "B": "file"}


@pytest.mark.parametrize("document", [{"IsEncrypted": True}, {"Values": {"A": 1}}, "x"])
def test_local_settings_that_azure_would_not_take_are_refused(tmp_path: Path, document: Any) -> None:
    with pytest.raises(AppRefused, match=r"local\.settings\.json"):
        load_local_settings(write(tmp_path, "local.settings.json", document), {})


def metadata(*bindings: dict[str, Any], name: str = "tick", retry: Any = None) -> Message:
    return Message(name=name, function_id="f-1", raw_bindings=[json.dumps(b) for b in bindings], retry_options=retry)


TIMER = {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "%WHEN%"}


def test_names_of_settings_in_a_binding_are_filled_in() -> None:
    (function,) = read_functions([metadata(TIMER)], {"WHEN": "0 * * * * *"})

    assert function.trigger.text("schedule") == "0 * * * * *"


def test_a_setting_that_is_missing_is_refused_by_name() -> None:
    with pytest.raises(AppRefused, match="tick: '%WHEN%' does not resolve"):
        read_functions([metadata(TIMER)], {})


@pytest.mark.parametrize(
    "strange",
    [
        [{"direction": "IN", "type": "queueTrigger", "name": "m"}],
        [{"direction": "OUT", "type": "http", "name": "$return"}],
        [TIMER, {"direction": "IN", "type": "blob", "name": "b"}],
        [TIMER, {"direction": "OUT", "type": "table", "name": "t"}],
    ],
)
def test_a_binding_that_this_host_does_not_serve_is_refused(strange: list[dict[str, Any]]) -> None:
    with pytest.raises(AppRefused, match="function tick: this host"):
        read_functions([metadata(*strange)], {"WHEN": "x"})


def test_functions_can_be_chosen_and_switched_off() -> None:
    functions = [Function(name, name, Binding("timerTrigger", "t", {})) for name in ("a", "b", "c", "d")]
    settings = {"AzureWebJobs.b.Disabled": "true", "AzureWebJobs_c_Disabled": "1", "AzureWebJobs.d.Disabled": "false"}

    assert [f.name for f in chosen(functions, [], settings)] == ["a", "d"]
    assert [f.name for f in chosen(functions, ["a", "b"], settings)] == ["a"]
    with pytest.raises(AppRefused, match="no function named x; the app has: a, b, c, d"):
        chosen(functions, ["x"], {})


def test_a_retry_policy_waits_a_fixed_time_or_twice_as_long_each_time() -> None:
    second = timedelta(seconds=1)
    fixed = Retry(again=2, fixed=5 * second, minimum=second, maximum=second)
    doubling = Retry(again=-1, fixed=None, minimum=2 * second, maximum=5 * second)

    assert [fixed.pause(n) for n in (1, 2)] == [5 * second, 5 * second]
    assert [doubling.pause(n) for n in (1, 2, 3)] == [2 * second, 4 * second, 5 * second]
    assert [fixed.allows(n) for n in (1, 2, 3)] == [True, True, False]
    assert doubling.allows(1000)


@pytest.mark.parametrize(
    ("level", "presented", "opens"),
    [
        ("anonymous", None, True),
        ("function", None, False),
        ("function", "wrong", False),
        ("function", "f", True),
        ("function", "m", True),
        ("admin", "f", False),
        ("admin", "m", True),
    ],
)
def test_a_key_opens_what_its_level_allows(level: str, presented: str | None, *, opens: bool) -> None:
    assert Keys("f", "m").open_function(level, presented) is opens


def test_without_any_key_every_door_is_open_and_without_a_master_key_only_the_master_opens_admin_functions() -> None:
    assert Keys().open_function("admin", None)
    assert Keys().open_admin(None)
    assert not Keys(function="f").open_function("admin", "f")
    assert not Keys(master="m").open_admin("f")
