"""Builds the real adapters from settings. Imported on first use only: it loads the Azure SDKs."""

from collections.abc import Mapping
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import ContainerClient

from access.adapters.azure_blobs import AzureBlobs
from access.adapters.azure_tables import AzureTables
from access.adapters.bearer import EntraCallers
from access.adapters.bus import ServiceBus
from access.adapters.card_tokens import SignedCardTokens
from access.adapters.clock import SystemClock
from access.adapters.controls import TableControls
from access.adapters.directory import GraphDirectory
from access.adapters.findings import TableFindings
from access.adapters.graph import Graph
from access.adapters.guards import GuardedDirectory, GuardedMailer
from access.adapters.ledger import Ledger
from access.adapters.lookup import TenantLookup
from access.adapters.mail import GraphMailer
from access.adapters.pace import TablePace
from access.adapters.people import LinkedPeople
from access.adapters.pulse import TablePulse
from access.adapters.quarantine import CONTAINER, TableQuarantine
from access.adapters.register import TableRegister
from access.adapters.settings import Settings
from access.adapters.tables import Tables
from access.ports import Ports

_WAITS: Mapping[str, Any] = {"connection_timeout": 5, "read_timeout": 20}
"""Seconds. Left to itself the SDK waits for five minutes: as long as a function may run."""

_RETRIES: Mapping[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.2, **_WAITS}
"""The tables' own short retries: a write that was retried meets itself as a conflict, which is read again."""

_BLOB_RETRIES: Mapping[str, Any] = {
    "retry_total": 2,
    "initial_backoff": 0,
    "increment_base": 1,
    "random_jitter_range": 1,
    **_WAITS,
}
"""The blobs' SDK has names of its own for it, and left to itself would pause for 15 seconds before the first."""


def build(settings: Settings) -> Ports:
    """Return adapters for these settings."""
    credential = build_credential(settings)
    return assemble(
        settings,
        credential=credential,
        tables=build_tables(settings, credential),
        queues=build_service_bus(settings, credential),
        container=build_container(settings, credential),
    )


def assemble(
    settings: Settings,
    *,
    credential: AsyncTokenCredential,
    tables: Tables,
    queues: ServiceBusClient,
    container: ContainerClient,
) -> Ports:
    """Return adapters on clients that are open, and that their opener closes."""
    clock = SystemClock()
    bus = ServiceBus(queues)
    graph = Graph(settings.graph, credential, clock, call_limit=settings.timing.call_limit)
    controls = TableControls(tables)
    directory = GuardedDirectory(GraphDirectory(graph), controls)
    store = Ledger(tables, bus, settings.timing)
    register = TableRegister(tables)
    people = LinkedPeople(directory, register)
    return Ports(
        clock=clock,
        store=store,
        register=register,
        controls=controls,
        findings=TableFindings(tables),
        quarantine=TableQuarantine(tables, AzureBlobs(container)),
        directory=directory,
        pace=TablePace(tables, clock, settings.quota),
        people=people,
        mailer=GuardedMailer(GraphMailer(graph, settings.mail_sender), controls),
        bus=bus,
        pulse=TablePulse(tables),
        callers=EntraCallers(
            authority=settings.authority,
            tenant=settings.tenant,
            audiences=settings.card_audiences,
            scope=settings.card_scope,
        ),
        cards=SignedCardTokens(settings.card_keys),
        lookup=TenantLookup(directory, register, people, store, controls),
        timing=settings.timing,
        tenant=settings.tenant,
        public_url=settings.public_url,
        originator=settings.originator,
    )


def build_credential(settings: Settings) -> AsyncTokenCredential:
    """Return the managed identity where there is one, else whoever is signed in on this machine."""
    if settings.managed_identity:
        return ManagedIdentityCredential(client_id=settings.client_id or None)
    return DefaultAzureCredential(managed_identity_client_id=settings.client_id or None)


def build_tables(settings: Settings, credential: AsyncTokenCredential) -> AzureTables:
    """Return the ledger's tables, by connection string or by identity."""
    if settings.ledger_connection:
        return AzureTables(TableServiceClient.from_connection_string(settings.ledger_connection, **_RETRIES))
    endpoint = f"https://{settings.ledger_account}.table.{settings.storage_suffix}"
    return AzureTables(TableServiceClient(endpoint, credential=credential, **_RETRIES))


def build_service_bus(settings: Settings, credential: AsyncTokenCredential) -> ServiceBusClient:
    """Return the client of the queues, by connection string or by identity."""
    if settings.bus_connection:
        return ServiceBusClient.from_connection_string(settings.bus_connection, retry_total=1)
    return ServiceBusClient(settings.bus_namespace, credential, retry_total=1)


def build_container(settings: Settings, credential: AsyncTokenCredential) -> ContainerClient:
    """Return the blobs of what was set aside, by connection string or by identity."""
    if settings.ledger_connection:
        return ContainerClient.from_connection_string(settings.ledger_connection, CONTAINER, **_BLOB_RETRIES)
    endpoint = f"https://{settings.ledger_account}.blob.{settings.storage_suffix}"
    return ContainerClient(endpoint, CONTAINER, credential=credential, **_BLOB_RETRIES)
