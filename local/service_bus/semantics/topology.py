"""Which queues, topics and subscriptions there are, read from the emulator's ``Config.json`` shape.

What the broker doesn't do is refused here, at start, rather than silently left out.

Source: Azure Service Bus emulator, ``UserConfig.Namespaces[].Queues`` and ``.Topics``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

LONGEST_LOCK = timedelta(minutes=5)  # Azure refuses more
DEFAULT_LOCK = "PT1M"
DEFAULT_MAX_DELIVERY_COUNT = 10


class TopologyError(Exception):
    """The topology can't be read, or asks for something that this broker doesn't do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """A queue or a subscription. Spans are in seconds."""

    path: str
    lock_duration: float = 60.0
    max_delivery_count: int | None = DEFAULT_MAX_DELIVERY_COUNT  # None: any number, as in a dead-letter queue
    time_to_live: float | None = None
    dead_letter_on_expiration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """A topic and its subscriptions. Spans are in seconds."""

    path: str
    time_to_live: float | None = None
    subscriptions: tuple[QueueSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All entities of the broker."""

    queues: tuple[QueueSettings, ...] = ()
    topics: tuple[TopicSettings, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a topology file.

        Raises:
            TopologyError: the file can't be read, isn't JSON, or isn't a topology that this broker serves.
        """
        try:
            return cls.of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise TopologyError(f"{path}: {error}") from error

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Return the topology that a parsed ``Config.json`` describes.

        Raises:
            TopologyError: a name or value is missing or wrong, or asks for what this broker doesn't do.
        """
        try:
            namespaces = config["UserConfig"]["Namespaces"]
            queues = [_queue(item, item["Name"]) for space in namespaces for item in space.get("Queues", ())]
            topics = [_topic(item) for space in namespaces for item in space.get("Topics", ())]
        except (KeyError, TypeError, AttributeError) as error:
            raise TopologyError(f"not a topology: {type(error).__name__}: {error}") from error
        names = [path.lower() for path in (*(queue.path for queue in queues), *(topic.path for topic in topics))]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TopologyError(f"declared twice: {', '.join(twice)}")
        return cls(queues=tuple(queues), topics=tuple(topics))


def _topic(item: Mapping[str, Any]) -> TopicSettings:
    name = item["Name"]
    properties = item.get("Properties", {})
    _refuse_unserved(name, properties)
    return TopicSettings(
        path=name,
        time_to_live=_seconds(name, properties, "DefaultMessageTimeToLive"),
        subscriptions=tuple(
            _queue(each, f"{name}/Subscriptions/{each['Name']}") for each in item.get("Subscriptions", ())
        ),
    )


def _queue(item: Mapping[str, Any], path: str) -> QueueSettings:
    properties = item.get("Properties", {})
    _refuse_unserved(path, properties)
    if item.get("Rules"):
        raise TopologyError(f"{path}: subscription rules are not served; every subscription gets every message")
    lock = _seconds(path, {"LockDuration": DEFAULT_LOCK, **properties}, "LockDuration")
    if lock is None or lock > LONGEST_LOCK.total_seconds():
        raise TopologyError(f"{path}: LockDuration is more than PT5M, which Azure refuses")
    max_delivery_count = properties.get("MaxDeliveryCount", DEFAULT_MAX_DELIVERY_COUNT)
    if not isinstance(max_delivery_count, int) or max_delivery_count < 1:
        raise TopologyError(f"{path}: MaxDeliveryCount is not a positive number: {max_delivery_count!r}")
    return QueueSettings(
        path=path,
        lock_duration=lock,
        max_delivery_count=max_delivery_count,
        time_to_live=_seconds(path, properties, "DefaultMessageTimeToLive"),
        dead_letter_on_expiration=properties.get("DeadLetteringOnMessageExpiration") is True,
    )


def _refuse_unserved(path: str, properties: Mapping[str, Any]) -> None:
    for name in ("RequiresSession", "RequiresDuplicateDetection", "ForwardTo", "ForwardDeadLetteredMessagesTo"):
        if properties.get(name):
            raise TopologyError(f"{path}: {name} is asked for, and this broker doesn't serve it")


_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def _seconds(path: str, properties: Mapping[str, Any], name: str) -> float | None:
    text = properties.get(name)
    if text is None:
        return None
    span = _span(text) if isinstance(text, str) else None
    if not span:
        raise TopologyError(f"{path}: {name} is not a positive ISO 8601 duration of weeks to seconds: {text!r}")
    return span.total_seconds()


def _span(text: str) -> timedelta | None:
    parts = _DURATION.fullmatch(text)
    if parts is None:
        return None
    try:
        return timedelta(**{unit: float(amount or 0) for unit, amount in parts.groupdict().items()})
    except OverflowError:
        return None
