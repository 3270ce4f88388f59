"""A peer that speaks AMQP frame by frame, for what no SDK would say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from local.service_bus.codec.frames import FrameReader, Protocol, encode_frame
from local.service_bus.codec.performatives import ROLE_SENDER, Attach, Begin, Composite, Open, Transfer
from local.service_bus.codec.values import Described, ULong
from local.service_bus.network.limits import MAX_FRAME_SIZE

PATIENCE = 5.0  # seconds


class Peer:
    """Speaks AMQP frame by frame, and says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader(max_frame_size=MAX_FRAME_SIZE)

    def say(self, *parts: bytes | Composite) -> None:
        for part in parts:
            self._writer.write(part if isinstance(part, bytes) else encode_frame(0, part))

    async def hear[T: Composite](self, kind: type[T]) -> T:
        """Return the next performative of a kind; others on the way are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while frame := self._frames.next_frame():
                    if isinstance(frame.body, kind):
                        return frame.body
                data = await self._reader.read(65536)
                assert data, f"the connection was shut before a {kind.__name__}"
                self._frames.feed(data)

    async def hear_header(self) -> None:
        async with asyncio.timeout(PATIENCE):
            assert await self._reader.readexactly(8) == Protocol.AMQP.header

    async def hear_raw(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(size)

    async def is_shut(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            while await self._reader.read(65536):
                pass
        return True


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def session(port: int, **open_fields: Any) -> AsyncIterator[Peer]:
    async with connect(port) as peer:
        peer.say(Protocol.AMQP.header, Open(container_id="Eve", **open_fields))
        peer.say(Begin(next_outgoing_id=0, incoming_window=1000, outgoing_window=1000))
        await peer.hear_header()
        await peer.hear(Begin)
        yield peer


def attach(*, handle: int = 0, role: bool, path: str = "requests", settled: bool = False) -> Attach:
    source, target = Described(ULong(0x28), [path]), Described(ULong(0x29), [path])
    return Attach(
        name=f"link-{handle}",
        handle=handle,
        role=role,
        snd_settle_mode=1 if settled else 0,
        source=source,
        target=target,
        initial_delivery_count=0 if role is ROLE_SENDER else None,
    )


def transfer(payload: bytes, *, delivery_id: int = 0, handle: int = 0, more: bool = False) -> bytes:
    return encode_frame(0, Transfer(handle=handle, delivery_id=delivery_id, delivery_tag=b"1", more=more), payload)
