"""Puts the mailbox together."""

from local.directory.records import Records
from local.mailbox.actions_service import ActionsService
from local.mailbox.inbox import Inboxes
from local.mailbox.tenant_client import TenantClient


def inboxes_for(directory: str, *, allowed: frozenset[str], records: Records | None = None) -> Inboxes:
    """Return the inboxes of the tenant at an address; ``allowed`` has the origins that buttons may call."""
    tenant = TenantClient(directory)
    return Inboxes(tenant, ActionsService(tenant, allowed=allowed), records or Records())
