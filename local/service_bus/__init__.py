"""A Service Bus look-alike: an AMQP 1.0 broker on plain asyncio that the unmodified azure-servicebus SDK talks to.

Five parts, each of which knows only the ones above it:

- ``codec``: bytes and values. AMQP types, frames, performatives, messages. No input or output.
- ``semantics``: what a queue does. Locks, settlement, expiry, dead letters, schedules. No sockets; the clock is given.
- ``storage``: what survives a restart. SQLite.
- ``network``: connections, sessions and links; ``$cbs`` and ``$management``.
- ``admin``: what a person or a test may see and break, over HTTP.

``server`` puts them together, ``__main__`` is the command, ``testing`` runs a broker inside a test.

Not there, and refused when a topology asks for it: sessions, duplicate detection, forwarding, subscription rules.
"""
