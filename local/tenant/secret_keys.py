"""The keys of one tenant: made at its first start, kept in its state directory, never in the repository."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from local.tenant.problems import TenantProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """The key that signs cards (32 bytes, base64url) with its id, and the keys of the functions host."""

    card_key_id: str
    card_key: str
    function_key: str
    master_key: str

    @classmethod
    def of(cls, state: Path) -> Self:
        """Return the keys of the tenant that lives in a directory; the first time, make them.

        Raises:
            TenantProblem: the file of the keys can't be read.
        """
        file = state / "keys.json"
        if not file.exists():
            made = cls(
                card_key_id=secrets.token_hex(4),
                card_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode(),
                function_key=secrets.token_urlsafe(24),
                master_key=secrets.token_urlsafe(24),
            )
            write_private(file, json.dumps(asdict(made)))
            return made
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TenantProblem(f"{file} can't be read ({error}); delete it to get new keys") from error


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
        writing.write(text)
