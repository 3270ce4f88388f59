"""A blob container in memory."""


class FakeBlobs:
    """Blobs in a dictionary."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    async def put(self, name: str, content: bytes) -> None:
        self.content[name] = content

    async def get(self, name: str) -> bytes | None:
        return self.content.get(name)
