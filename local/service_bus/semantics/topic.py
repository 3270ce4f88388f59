"""A topic: each subscription gets a copy of each message; without subscriptions messages are taken and dropped."""

from local.service_bus.semantics.entity import Entity, Shared
from local.service_bus.semantics.message import Message
from local.service_bus.semantics.queue import Queue
from local.service_bus.semantics.topology import TopicSettings


class Topic(Entity):
    """Holds nothing but the messages that are scheduled."""

    def __init__(self, settings: TopicSettings, shared: Shared, subscriptions: list[Queue]) -> None:
        super().__init__(settings.path, shared, time_to_live=settings.time_to_live)
        self._subscriptions = subscriptions

    def _enqueue(self, message: Message, time_to_live: float | None) -> None:
        self._forget(message)
        for subscription in self._subscriptions:
            subscription.accept(message.content, time_to_live=time_to_live)
