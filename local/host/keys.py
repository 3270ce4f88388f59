"""Function keys: who may call a function over HTTP."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the host; without any key every door is open, as in ``func start``."""

    function: str | None = None
    master: str | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Return the keys in ``FUNCTIONS_KEY`` and ``FUNCTIONS_MASTER_KEY``."""
        return cls(settings.get("FUNCTIONS_KEY") or None, settings.get("FUNCTIONS_MASTER_KEY") or None)

    def open_function(self, level: str, presented: str | None) -> bool:
        """Return whether a key opens a function of an authorisation level; the master key opens all."""
        if level == "anonymous" or (self.function is None and self.master is None):
            return True
        accepted = (self.master,) if level == "admin" else (self.function, self.master)
        return any(_same(key, presented) for key in accepted)

    def open_admin(self, presented: str | None) -> bool:
        """Return whether a key opens the admin endpoints: the master key does, when there is one."""
        return self.master is None or _same(self.master, presented)


def _same(key: str | None, presented: str | None) -> bool:
    return key is not None and presented is not None and hmac.compare_digest(key.encode(), presented.encode())
