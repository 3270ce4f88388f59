"""Topologies: read in the emulator's shape, and refused when they ask for what is not served."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.service_bus.semantics.topology import QueueSettings, TopicSettings, Topology, TopologyError

from .samples import config, queue


def test_a_queue_has_the_settings_of_its_properties() -> None:
    given = queue(
        "requests",
        LockDuration="PT30S",
        DefaultMessageTimeToLive="P1DT2H3M4.5S",
        DeadLetteringOnMessageExpiration=True,
        RequiresSession=False,
        ForwardTo="",
    )

    assert Topology.of(config(queues=[given])).queues == (
        QueueSettings(
            path="requests",
            lock_duration=30,
            max_delivery_count=3,
            time_to_live=93_784.5,
            dead_letter_on_expiration=True,
        ),
    )


def test_a_subscription_is_a_queue_under_its_topic() -> None:
    topic = {"Name": "events", "Properties": {"DefaultMessageTimeToLive": "P1D"}, "Subscriptions": [{"Name": "flows"}]}

    assert Topology.of(config(queues=[], topics=[topic])).topics == (
        TopicSettings(
            path="events",
            time_to_live=86_400,
            subscriptions=(QueueSettings(path="events/Subscriptions/flows", lock_duration=60),),
        ),
    )


def test_the_topology_of_this_project_is_served() -> None:
    topology = Topology.load(Path(__file__).parents[3] / "local" / "topology.json")

    assert "activation-requests" in [each.path for each in topology.queues]


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"RequiresSession": True}, "RequiresSession"),
        ({"RequiresDuplicateDetection": True}, "RequiresDuplicateDetection"),
        ({"ForwardTo": "elsewhere"}, "ForwardTo"),
        ({"ForwardDeadLetteredMessagesTo": "elsewhere"}, "ForwardDeadLetteredMessagesTo"),
        ({"LockDuration": "PT6M"}, "Azure refuses"),
        ({"LockDuration": "PT"}, "LockDuration is not"),
        ({"LockDuration": 60}, "LockDuration is not"),
        ({"DefaultMessageTimeToLive": "P1Y"}, "DefaultMessageTimeToLive is not"),
        ({"DefaultMessageTimeToLive": "PT0S"}, "DefaultMessageTimeToLive is not"),
        ({"DefaultMessageTimeToLive": f"P{'9' * 400}D"}, "DefaultMessageTimeToLive is not"),
        ({"MaxDeliveryCount": 0}, "MaxDeliveryCount"),
        ({"MaxDeliveryCount": "five"}, "MaxDeliveryCount"),
    ],
)
def test_what_is_not_served_is_refused_by_name(properties: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=f"requests: .*{said}"):
        Topology.of(config(queues=[queue("requests", **properties)]))


def test_subscription_rules_are_refused() -> None:
    topic = {"Name": "events", "Subscriptions": [{"Name": "flows", "Rules": [{"Name": "only-ada"}]}]}

    with pytest.raises(TopologyError, match="events/Subscriptions/flows: subscription rules"):
        Topology.of(config(queues=[], topics=[topic]))


def test_a_name_is_declared_once() -> None:
    with pytest.raises(TopologyError, match="declared twice: requests"):
        Topology.of(config(queues=[queue("requests"), queue("Requests")]))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"UserConfig": {"Namespaces": [{"Queues": [{}]}]}}', "{"])
def test_a_file_that_is_no_topology_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "topology.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(TopologyError, match="topology"):
        Topology.load(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="No such file"):
        Topology.load(tmp_path / "nowhere.json")


def test_a_topology_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    file.write_text(json.dumps(config(queues=[queue("requests")])), encoding="utf-8")

    assert [each.path for each in Topology.load(file).queues] == ["requests"]
