"""The local tenant as the mailbox sees it: its people, their mail, and tokens in their name."""

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox. ``addresses`` has every address at which it receives, in lower case."""

    id: str
    name: str
    address: str
    addresses: frozenset[str]
    job_title: str
    enabled: bool

    @property
    def initials(self) -> str:
        """One or two letters for a picture."""
        words = [word for word in self.name.split() if word[0].isalpha()]
        return "".join(word[0] for word in words[:2]).upper()


class TenantClient:
    """The admin API of the local directory."""

    def __init__(self, url: str) -> None:
        """Use the directory at an address such as ``http://127.0.0.1:7080``."""
        self._admin = f"{url.rstrip('/')}/admin"
        self._client = httpx.AsyncClient(trust_env=False)

    async def people(self) -> list[Person]:
        """Return everybody who has a mailbox."""
        return [
            Person(
                id=user["id"],
                name=user["displayName"],
                address=user["mail"],
                addresses=_addresses(user),
                job_title=user["jobTitle"] or "",
                enabled=user["accountEnabled"],
            )
            for user in await self._get("/users")
            if user["mail"] and _has_exchange(user)
        ]

    async def person(self, address: str) -> Person | None:
        """Return whose mailbox receives at an address."""
        wanted = address.lower()
        return next((one for one in await self.people() if wanted in one.addresses), None)

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """Return the mails of a mailbox, newest first."""
        return list(await self._get("/mail", address=address))

    async def token(self, person_id: str) -> str:
        """Return the token that the Actions service sends for a person."""
        order = {"kind": "actionable-message", "user": person_id}
        answer = await self._client.post(f"{self._admin}/token", json=order)
        return str(answer.raise_for_status().json()["access_token"])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _get(self, path: str, **params: str) -> Any:
        answer = await self._client.get(f"{self._admin}{path}", params=params)
        return answer.raise_for_status().json()


def _addresses(user: dict[str, Any]) -> frozenset[str]:
    aliases = (alias.partition(":") for alias in user["proxyAddresses"])
    return frozenset({user["mail"].lower(), *(name.lower() for scheme, _, name in aliases if scheme.lower() == "smtp")})


def _has_exchange(user: dict[str, Any]) -> bool:
    return any(
        plan["service"].lower() == "exchange" and plan["capabilityStatus"] == "Enabled"
        for plan in user["assignedPlans"]
    )
