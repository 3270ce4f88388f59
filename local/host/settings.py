"""Where a host reads its settings: ``local.settings.json`` under the environment, and ``host.json``.

A setting ``AzureFunctionsJobHost__extensions__http__routePrefix`` goes over that place of host.json, as in Azure.
"""

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.host.errors import AppRefused

_OVERRIDE = "azurefunctionsjobhost__"
_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")


def load_local_settings(file: Path, environment: MutableMapping[str, str]) -> None:
    """Put the ``Values`` of a ``local.settings.json`` into the environment; what is already there wins.

    Raises:
        AppRefused: the file is not JSON, is encrypted, or a value is not text.
    """
    document = _read_json(file)
    if document.get("IsEncrypted"):
        raise AppRefused(f"{file}: encrypted settings can't be read here; write them with IsEncrypted: false")
    for name, value in document.get("Values", {}).items():
        if not isinstance(value, str):
            raise AppRefused(f"{file}: the value of {name} must be text, as it will be in Azure")
        environment.setdefault(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceBusOptions:
    """``extensions.serviceBus`` of host.json, with the defaults of the extension (version 5)."""

    max_concurrent_calls: int
    prefetch_count: int = 0
    auto_complete: bool = True
    max_lock_renewal: timedelta = timedelta(minutes=5)
    max_batch_size: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What this host reads from host.json. A timeout of ``None`` means that a function may run for ever."""

    route_prefix: str
    function_timeout: timedelta | None
    service_bus: ServiceBusOptions


def load_host_options(app: Path, settings: Mapping[str, str]) -> HostOptions:
    """Return the options in the app's host.json, with what the settings put over them.

    Raises:
        AppRefused: there is no host.json, or it can't be read, or an option has the wrong shape.
    """
    file = app / "host.json"
    if not file.is_file():
        raise AppRefused(f"{app} has no host.json: it is not a function app")
    document = _with_overrides(_read_json(file), settings)
    if document.get("version") != "2.0":
        raise AppRefused(f'{file}: "version" must be "2.0"')
    extensions = document.get("extensions", {})
    service_bus = extensions.get("serviceBus", {})
    try:
        return HostOptions(
            route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
            function_timeout=_timeout(document.get("functionTimeout", "00:30:00")),
            service_bus=ServiceBusOptions(
                max_concurrent_calls=int(service_bus.get("maxConcurrentCalls", 16 * (os.cpu_count() or 1))),
                prefetch_count=int(service_bus.get("prefetchCount", 0)),
                auto_complete=str(service_bus.get("autoCompleteMessages", True)).lower() == "true",
                max_lock_renewal=span(service_bus.get("maxAutoLockRenewalDuration", "00:05:00")),
                max_batch_size=int(service_bus.get("maxMessageBatchSize", 1000)),
            ),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise AppRefused(f"{file}: {error}") from error


def span(text: str) -> timedelta:
    """Return a .NET time span (``hh:mm:ss``, ``d.hh:mm:ss``).

    Raises:
        ValueError: it is not one.
    """
    match = _SPAN.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a time span like 00:05:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _with_overrides(document: dict[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    for name, value in settings.items():
        if name.lower().startswith(_OVERRIDE):
            *path, last = name[len(_OVERRIDE) :].split("__")
            place = document
            for step in path:
                place = place.setdefault(_spelled(place, step), {})
            place[_spelled(place, last)] = value
    return document


def _spelled(place: Mapping[str, Any], name: str) -> str:
    """Return the name as host.json spells it: settings ignore case."""
    return next((known for known in place if known.lower() == name.lower()), name)


def _timeout(value: Any) -> timedelta | None:
    return None if str(value) == "-1" else span(value)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise AppRefused(f"{file}: {error}") from error
    if not isinstance(document, dict):
        raise AppRefused(f"{file}: must be a JSON object")
    return document
