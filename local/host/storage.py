"""What a host keeps in ``AzureWebJobsStorage``: leases and the status of timers, as blobs of ``azure-webjobs-hosts``."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobType
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, BlobServiceClient

from local.host.errors import AppRefused
from local.host.timer_status import TimerStatus

_CONTAINER = "azure-webjobs-hosts"
_SETTING = "AzureWebJobsStorage"


class HostStorage:
    """The host's storage account; the container is made when it is first needed."""

    def __init__(self, service: BlobServiceClient, host_id: str) -> None:
        self._service = service
        self._host_id = host_id

    @classmethod
    def from_settings(cls, settings: Mapping[str, str], host_id: str) -> "HostStorage":
        """Return the storage that the settings name.

        Raises:
            AppRefused: no setting names one; a timer can't run without.
        """
        # Little patience: a storage that is down is asked again by whoever needs it, and the SDK would hide that.
        # An old version of the interface: any Azurite knows it, whichever SDK asks.
        options: dict[str, Any] = {
            "retry_total": 1,
            "connection_timeout": 5,
            "read_timeout": 10,
            "api_version": "2021-12-02",
        }
        if text := settings.get(_SETTING):
            return cls(BlobServiceClient.from_connection_string(text, **options), host_id)
        endpoint = settings.get(f"{_SETTING}__blobServiceUri")
        if account := settings.get(f"{_SETTING}__accountName"):
            endpoint = f"https://{account}.blob.core.windows.net"
        if not endpoint:
            raise AppRefused(
                f"timers need storage: set {_SETTING} to a connection string, or {_SETTING}__accountName to an account"
            )
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - 0.4 s that a connection string saves

        return cls(BlobServiceClient(endpoint, DefaultAzureCredential(), **options), host_id)

    def lease(self, function: str) -> "BlobLease":
        """Return the lease of a function's timer."""
        return BlobLease(self, self._blob(f"locks/{self._host_id}/{function}.Listener"))

    def timer(self, function: str) -> "BlobTimerStatus":
        """Return the place of the status of a function's timer."""
        return BlobTimerStatus(self, self._blob(f"timers/{self._host_id}/{function}/status"))

    async def write(self, blob: BlobClient, content: str, **options: Any) -> None:
        """Write a blob, and the container when it is missing."""
        try:
            await blob.upload_blob(content, blob_type=BlobType.BLOCKBLOB, **options)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await self._service.create_container(_CONTAINER)
            await blob.upload_blob(content, blob_type=BlobType.BLOCKBLOB, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    def _blob(self, name: str) -> BlobClient:
        return self._service.get_blob_client(_CONTAINER, name)


class BlobLease:
    """A lease on an empty blob."""

    def __init__(self, storage: HostStorage, blob: BlobClient) -> None:
        self._storage = storage
        self._blob = blob

    async def acquire(self, seconds: int) -> str | None:
        """Take the lease for 15 to 60 seconds; return its id, or ``None`` when someone else holds it."""
        lease = BlobLeaseClient(self._blob)
        try:
            await lease.acquire(seconds)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await self._storage.write(self._blob, "", overwrite=False)
            return await self.acquire(seconds)
        except HttpResponseError as error:
            if error.status_code == 409:  # noqa: PLR2004 - Conflict: it is leased
                return None
            raise
        return lease.id

    async def renew(self, lease_id: str) -> bool:
        """Keep the lease; ``False`` when it is no longer ours."""
        try:
            await BlobLeaseClient(self._blob, lease_id).renew()
        except HttpResponseError as error:
            if error.status_code in {404, 409, 412}:
                return False
            raise
        return True

    async def release(self, lease_id: str) -> None:
        """Give the lease back."""
        await BlobLeaseClient(self._blob, lease_id).release()


class BlobTimerStatus:
    """The status of one timer in a blob."""

    def __init__(self, storage: HostStorage, blob: BlobClient) -> None:
        self._storage = storage
        self._blob = blob

    async def read(self) -> TimerStatus | None:
        """Return the status; ``None`` when there is none, or nobody can read it any more."""
        try:
            content = await (await self._blob.download_blob()).readall()
            return TimerStatus.read(content.decode())
        except (ResourceNotFoundError, ValueError):
            return None

    async def write(self, status: TimerStatus) -> None:
        """Keep the status."""
        await self._storage.write(self._blob, json.dumps(status.document()), overwrite=True)
