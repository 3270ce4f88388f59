"""Azure Blob Storage, by the SDK's aio client, as far as the quarantine needs it. Vendor errors are translated here."""

from datetime import timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from access.errors import TryAgain

_LATER = timedelta(seconds=5)


class AzureBlobs:
    """Implements ``blobs.Blobs``. A container that is missing is made when it is first missed."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def put(self, name: str, content: bytes) -> None:
        """Write a blob, over one of the same name."""
        blob = self._container.get_blob_client(name)
        try:
            try:
                await blob.upload_blob(content, overwrite=True)
            except ResourceNotFoundError:
                await self._container.create_container()
                await blob.upload_blob(content, overwrite=True)
        except AzureError as error:
            raise TryAgain(self._what, after=_LATER, fault=True) from error

    async def get(self, name: str) -> bytes | None:
        """Return a blob's bytes, or None where there is none."""
        try:
            stream = await self._container.download_blob(name)
            return bytes(await stream.readall())
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise TryAgain(self._what, after=_LATER, fault=True) from error

    @property
    def _what(self) -> str:
        return f"the blobs of {self._container.container_name}"
