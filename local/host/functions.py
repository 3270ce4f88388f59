"""What the worker library says about the functions of an app, in types."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local.host.errors import AppRefused

SERVICE_BUS_TRIGGER = "serviceBusTrigger"
TIMER_TRIGGER = "timerTrigger"
HTTP_TRIGGER = "httpTrigger"
_TRIGGERS = (SERVICE_BUS_TRIGGER, TIMER_TRIGGER, HTTP_TRIGGER)
_OUTPUTS = ("http", "serviceBus")


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding as the decorators wrote it, with ``%SETTING%`` filled in."""

    type: str
    name: str
    options: Mapping[str, Any]

    def text(self, option: str, default: str = "") -> str:
        """Return an option as text; ``default`` when it was not given."""
        value = self.options.get(option)
        return default if value is None else str(value)

    def flag(self, option: str, *, default: bool) -> bool:
        """Return an option that is true or false."""
        value = self.options.get(option)
        return default if value is None else str(value).lower() == "true"


@dataclass(frozen=True, slots=True)
class Retry:
    """The retry policy of a function: how often again, and after how long."""

    again: int
    fixed: timedelta | None
    minimum: timedelta
    maximum: timedelta

    def pause(self, attempt: int) -> timedelta:
        """Return how long to wait before retry number ``attempt`` (1 is the first)."""
        if self.fixed is not None:
            return self.fixed
        doubled: int = 2 ** min(attempt - 1, 30)
        return min(self.maximum, max(self.minimum, timedelta(seconds=1)) * doubled)

    def allows(self, attempt: int) -> bool:
        """Return whether retry number ``attempt`` may be made; a count of -1 means for ever."""
        return self.again == -1 or attempt <= self.again


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app: what starts it and where its results go."""

    name: str
    id: str
    trigger: Binding
    outputs: tuple[Binding, ...] = ()
    retry: Retry | None = None


def read_functions(metadata: Iterable[Any], settings: Mapping[str, str]) -> list[Function]:
    """Return the functions that the worker library found.

    Raises:
        AppRefused: a function has no trigger, or a binding that this host cannot serve, or names a setting that is
            missing.
    """
    return [_read_function(item, settings) for item in metadata]


def chosen(functions: list[Function], names: Iterable[str], settings: Mapping[str, str]) -> list[Function]:
    """Return the functions to run: those asked for by name (all, when none is), without the disabled ones.

    Raises:
        AppRefused: a name is no function of the app.
    """
    wanted = set(names)
    if unknown := wanted - {function.name for function in functions}:
        known = ", ".join(sorted(function.name for function in functions))
        raise AppRefused(f"no function named {', '.join(sorted(unknown))}; the app has: {known}")
    return [f for f in functions if (not wanted or f.name in wanted) and not _disabled(f.name, settings)]


def _disabled(name: str, settings: Mapping[str, str]) -> bool:
    # Linux has the second spelling: a dot is not allowed in the name of a variable there.
    values = (settings.get(f"AzureWebJobs.{name}.Disabled"), settings.get(f"AzureWebJobs_{name}_Disabled"))
    return any(value is not None and value.strip().lower() in {"1", "true"} for value in values)


def _read_function(item: Any, settings: Mapping[str, str]) -> Function:
    raw = [json.loads(text) for text in item.raw_bindings]
    bindings = [Binding(r["type"], r["name"], _filled(r, settings, item.name)) for r in raw]
    ingoing = [b for b in bindings if b.text("direction").upper() == "IN"]
    outgoing = tuple(b for b in bindings if b.text("direction").upper() == "OUT")
    triggers = [b for b in ingoing if b.type in _TRIGGERS]
    if len(triggers) != 1 or len(ingoing) != 1:
        found = ", ".join(b.type for b in ingoing) or "none"
        raise AppRefused(
            f"function {item.name}: this host serves one trigger of {', '.join(_TRIGGERS)} and no input binding; "
            f"found: {found}"
        )
    if strange := [b.type for b in outgoing if b.type not in _OUTPUTS]:
        raise AppRefused(f"function {item.name}: this host has no output binding of type {', '.join(strange)}")
    return Function(item.name, item.function_id, triggers[0], outgoing, _read_retry(item.retry_options))


def _read_retry(options: Any) -> Retry | None:
    if options is None:
        return None
    zero = timedelta()
    return Retry(
        again=options.max_retry_count,
        fixed=options.delay_interval,
        minimum=options.minimum_interval or zero,
        maximum=options.maximum_interval or zero,
    )


def _filled(raw: dict[str, Any], settings: Mapping[str, str], function: str) -> dict[str, Any]:
    def setting(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise AppRefused(f"function {function}: '%{match[1]}%' does not resolve to a value: the setting is missing")
        return settings[match[1]]

    return {
        key: re.sub(r"%([^%/]+)%", setting, value) if isinstance(value, str) else value for key, value in raw.items()
    }
