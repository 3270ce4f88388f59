"""Settings: read once, checked, and everything that is wrong said at once, by name. Each is in docs/settings.md."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from access.adapters.clouds import CLOUDS
from access.adapters.wiring import PARTS
from access.model import Timing
from access.pace import Quota

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY_BYTES = 32


class SettingsWrong(Exception):  # noqa: N818 - a sentence, as the refusals are
    """Settings that can't be used; ``problems`` has one sentence for each, with the name of the setting."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("settings: " + " ".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the app was told. Secrets are kept out of its ``repr``."""

    part: str
    tenant: str
    authority: str
    graph: str
    bus_connection: str
    bus_namespace: str
    ledger_connection: str
    ledger_account: str
    mail_sender: str
    public_url: str
    originator: str
    card_keys: Mapping[str, bytes]
    card_audiences: tuple[str, ...]
    card_scope: str
    client_id: str
    managed_identity: bool
    storage_suffix: str
    timing: Timing
    quota: Quota

    def __repr__(self) -> str:
        return f"Settings(part={self.part!r}, tenant={self.tenant!r})"


def read(environment: Mapping[str, str]) -> Settings:
    """Read all settings.

    Raises:
        SettingsWrong: some are missing or wrong; all of them are named.
    """
    reader = _Reader(environment)
    cloud = CLOUDS[reader.one_of("CLOUD", tuple(CLOUDS), default="public")]
    settings = Settings(
        part=reader.one_of("PART", PARTS, default="all"),
        tenant=reader.matching("TENANT_ID", _GUID, "the id of your tenant, a GUID").lower(),
        authority=reader.url("AUTHORITY", default=cloud.authority),
        graph=reader.url("GRAPH_ENDPOINT", default=cloud.graph),
        bus_connection=reader.text("ServiceBus"),
        bus_namespace=reader.text("ServiceBus__fullyQualifiedNamespace"),
        ledger_connection=reader.text("LEDGER"),
        ledger_account=reader.text("LEDGER__accountName"),
        mail_sender=reader.required("MAIL_SENDER", "the mailbox that mails are sent from"),
        public_url=reader.url("PUBLIC_URL", default=None),
        originator=reader.text("CARD_ORIGINATOR"),
        card_keys=reader.keys("CARD_KEYS"),
        card_audiences=tuple(text for text in (reader.text("CARD_CLIENT_ID"), reader.text("CARD_AUDIENCE")) if text),
        card_scope=reader.text("CARD_SCOPE") or "Actions.Invoke",
        client_id=reader.text("AZURE_CLIENT_ID"),
        managed_identity=bool(reader.text("IDENTITY_ENDPOINT")),
        storage_suffix=cloud.storage,
        timing=Timing(
            call_limit=reader.seconds("CALL_LIMIT", 10.0),
            tail=reader.seconds("CALL_TAIL", 60.0),
            proof_window=reader.seconds("PROOF_WINDOW", 120.0),
        ),
        quota=Quota(writes=reader.count("GRAPH_WRITES", 3000), window=reader.seconds("GRAPH_WINDOW", 150.0)),
    )
    reader.either("ServiceBus", settings.bus_connection, "ServiceBus__fullyQualifiedNamespace", settings.bus_namespace)
    reader.either("LEDGER", settings.ledger_connection, "LEDGER__accountName", settings.ledger_account)
    if not settings.card_audiences:
        reader.problems.append("CARD_CLIENT_ID is missing: the client id of the app that cards' tokens are for.")
    if reader.problems:
        raise SettingsWrong(reader.problems)
    return settings


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def required(self, name: str, meaning: str) -> str:
        text = self.text(name)
        if not text:
            self.problems.append(f"{name} is missing: {meaning}.")
        return text

    def matching(self, name: str, pattern: re.Pattern[str], meaning: str) -> str:
        text = self.required(name, meaning)
        if text and not pattern.fullmatch(text):
            self.problems.append(f"{name} is {text!r}; it is to be {meaning}.")
        return text

    def one_of(self, name: str, choices: tuple[str, ...], *, default: str) -> str:
        text = self.text(name) or default
        if text not in choices:
            self.problems.append(f"{name} is {text!r}; set it to one of: {', '.join(choices)}.")
            return default
        return text

    def url(self, name: str, *, default: str | None) -> str:
        text = self.text(name) or default or ""
        if not text:
            self.problems.append(f"{name} is missing: an https address.")
        elif not _is_safe(text):
            self.problems.append(f"{name} is {text!r}; it is to be an https address.")
        return text.rstrip("/")

    def seconds(self, name: str, default: float) -> timedelta:
        text = self.text(name)
        return timedelta(seconds=self._converted(name, text, float, "a number of seconds, above 0") or default)

    def count(self, name: str, default: int) -> int:
        return int(self._converted(name, self.text(name), int, "a whole number, above 0 and under 86400") or default)

    def _converted(self, name: str, text: str, convert: Callable[[str], float], meaning: str) -> float | None:
        if not text:
            return None
        try:
            value = convert(text)
        except ValueError:
            value = 0.0
        if not 0 < value < 86_400:  # noqa: PLR2004 - a day
            self.problems.append(f"{name} is {text!r}; it is to be {meaning}.")
            return None
        return value

    def keys(self, name: str) -> Mapping[str, bytes]:
        """Read ``kid:key,kid:key``: the first one signs, all are accepted. Keys are 32 bytes in base64url."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in self.text(name).split(","))):
            kid, _, text = entry.partition(":")
            try:
                key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            except (binascii.Error, ValueError):
                key = b""
            if not kid or len(key) < _KEY_BYTES:
                self.problems.append(
                    f"{name} holds an entry that is not kid:key with a key of {_KEY_BYTES} bytes in base64url."
                )
                return {}
            keys[kid] = key
        if not keys:
            self.problems.append(f"{name} is missing: kid:key, the key {_KEY_BYTES} random bytes in base64url.")
        return keys

    def either(self, one: str, first: str, other: str, second: str) -> None:
        if bool(first) == bool(second):
            state = "both set" if first else "both missing"
            self.problems.append(
                f"{one} and {other} are {state}: set one, a connection string or an identity-based name."
            )


def _is_safe(url: str) -> bool:
    """Whether an address is https; on loopback, http will do."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    local = parts.hostname in {"127.0.0.1", "localhost"}
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))
