"""The settings that a tenant gives to the app and to the ``hourglass`` command: the one place that names them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.tenant.ports import HOST, Ports
from local.tenant.problems import TenantProblem
from local.tenant.secret_keys import SecretKeys

# The account of the emulator; its key is published.
_ACCOUNT = "devstoreaccount1"
_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_CARD_PROVIDER = "c0470500-0000-4000-9000-0000000000ca"


@dataclass(frozen=True, slots=True)
class Seed:
    """What the settings need of the file the directory begins with."""

    tenant_id: str
    client_id: str

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a seed file.

        Raises:
            TenantProblem: it can't be read, or names no tenant.
        """
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            return cls(str(document["tenantId"]).lower(), str(document["appClientId"]).lower())
        except (OSError, ValueError, KeyError) as error:
            raise TenantProblem(f"the directory's seed {file} can't be read: {error!r}") from error


def app_settings(ports: Ports, seed: Seed, keys: SecretKeys) -> dict[str, str]:
    """Return the environment of the app in a tenant."""
    directory, host = f"http://{HOST}:{ports.directory}", f"http://{HOST}:{ports.host}"
    storage = _storage(ports)
    return {
        "PART": "all",
        "CLOUD": "public",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "TENANT_ID": seed.tenant_id,
        "AzureWebJobsStorage": storage,
        "LEDGER": storage,
        "ServiceBus": (
            f"Endpoint=sb://{HOST}:{ports.broker};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        ),
        "GRAPH_ENDPOINT": directory,
        "AUTHORITY": directory,
        "IDENTITY_ENDPOINT": f"{directory}/msi/token",
        "IDENTITY_HEADER": "local",
        "MAIL_SENDER": "hourglass@contoso.example",
        "PUBLIC_URL": host,
        "CARD_KEYS": f"{keys.card_key_id}:{keys.card_key}",
        "CARD_CLIENT_ID": seed.client_id,
        "CARD_AUDIENCE": f"api://auth-am-{_CARD_PROVIDER}/{seed.client_id}",
        "CARD_SCOPE": "Actions.Invoke",
        "FUNCTIONS_KEY": keys.function_key,
        "FUNCTIONS_MASTER_KEY": keys.master_key,
    }


def _storage(ports: Ports) -> str:
    endpoints = {"Blob": ports.blob, "Queue": ports.queue, "Table": ports.table}
    return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_ACCOUNT_KEY};" + "".join(
        f"{kind}Endpoint=http://{HOST}:{port}/{_ACCOUNT};" for kind, port in endpoints.items()
    )
