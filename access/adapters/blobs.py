"""What the quarantine needs of a blob container: whole blobs by name. A seam like ``tables.py``, so that it runs on a fake."""

from typing import Protocol


class Blobs(Protocol):
    """Whole blobs of one container. Every method raises ``TryAgain`` when the service can't answer."""

    async def put(self, name: str, content: bytes) -> None:
        """Write a blob, over one of the same name."""
        ...

    async def get(self, name: str) -> bytes | None:
        """Return a blob's bytes, or None where there is none."""
        ...
