"""The local tenant for figures: people, groups and one role, with one host or two, and what its processes cost."""

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access.adapters.build import build_credential, build_tables
from access.adapters.changes import Author
from access.adapters.register import TableRegister
from access.adapters.settings import read
from access.model import Account, Eligibility, RoleSettings, Source, Target
from bench.seeding import IN_GROUP, Held
from local.tenant.parts import ROOT, Part, standard_parts
from local.tenant.ports import Ports
from local.tenant.tenant import DEFAULT_SEED, Tenant
from tests.fakes.tenant import ADA, ADA_ADMIN, ELIGIBLE, GROUP, ROLE

FLOOR_CALLS = "floor.pickle"
"""What the app of ``cold_app`` is to do, in the folder of the tenant."""

_EXCHANGE = {"service": "exchange", "capabilityStatus": "Enabled"}


def person(number: int) -> Account:
    """Return one of those who may ask for the role."""
    name = f"person{number}@contoso.example"
    return Account(
        id=f"00000000-0000-4000-a000-{800_000 + number:012d}",
        name=f"Person {number}",
        user_principal_name=name,
        mail=name,
        employee_id=f"P{number:06d}",
        has_mailbox=True,
    )


def seed(folder: Path, *, people: int, held: Sequence[Held]) -> Path:
    """Write what the directory begins with: people who may ask, and the assignments that are held."""
    found = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
    askers = [person(number) for number in range(people)]
    found["users"] = [user for user in found["users"] if user["userPrincipalName"].startswith("hourglass@")]
    found["users"] += [_user(account) for account in (ADA, ADA_ADMIN, *askers)]
    found["users"] += [
        {"id": one.principal, "displayName": "Admin", "userPrincipalName": f"admin{one.number}@contoso.example"}
        for one in held
    ]
    found["groups"] = [
        {"id": GROUP, "displayName": "Target", "members": []},
        {"id": ELIGIBLE, "displayName": "Eligible", "members": [account.id for account in askers]},
        *(
            {"id": held[start].target.id, "displayName": f"Group {start}", "members": [one.principal for one in some]}
            for start in range(0, len(held), IN_GROUP)
            if (some := held[start : start + IN_GROUP])
        ),
    ]
    file = folder / "seed.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    return file


def _user(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "displayName": account.name,
        "userPrincipalName": account.user_principal_name,
        "mail": account.mail,
        "employeeId": account.employee_id,
        "assignedPlans": [_EXCHANGE] if account.has_mailbox else [],
    }


@asynccontextmanager
async def tenant(folder: Path, file: Path) -> AsyncIterator[Tenant]:
    """Start the local tenant without its mailbox, and with no host yet: ``host``, ``second`` and ``floor`` can be started."""
    ports = Ports.free()
    standard = {part.name: part for part in standard_parts(ports, folder / "state", seed=file, app=ROOT, split=False)}
    host = standard["host"]
    parts = [_in_memory(standard["azurite"]), standard["broker"], standard["directory"]]
    async with Tenant(folder / "state", ports=ports, seed=file, parts=parts) as started:
        started.parts.update({part.name: part for part in _hosts(host, ports, folder / FLOOR_CALLS)})
        await _open_role(started)
        yield started


def _in_memory(azurite: Part) -> Part:
    """Return storage that saves nothing: every few seconds it would write a hundred thousand rows to disk, and answer nobody."""
    command = list(azurite.command)
    place = command.index("--location")
    command[place : place + 2] = ["--inMemoryPersistence"]
    return replace(azurite, command=tuple(command))


def _hosts(host: Part, ports: Ports, floor_calls: Path) -> tuple[Part, ...]:
    def command(**instead: str) -> tuple[str, ...]:
        return tuple(instead.get(text, text) for text in host.command)

    second = command(**{str(ports.host): str(ports.worker)})
    floor = command(**{str(ROOT): str(ROOT / "bench" / "cold_app")})
    return (
        host,
        replace(host, name="second", command=second, ports={"worker": ports.worker}),
        replace(host, name="floor", command=floor, environment={"FLOOR_CALLS": str(floor_calls)}),
    )


async def _open_role(started: Tenant) -> None:
    settings = read(started.settings)
    credential = build_credential(settings)
    tables = build_tables(settings, credential)
    register, author = TableRegister(tables), Author(by="bench", through="bench", at=datetime.now(UTC))
    await register.put_role(role(), author)
    await register.put_eligibility(Eligibility(principal=ELIGIBLE, role=ROLE, through_group=True), author)
    await tables.close()
    await credential.close()


def role() -> RoleSettings:
    """Return the one role, which is given at once."""
    return RoleSettings(
        key=ROLE,
        name="Backup Operators",
        target=Target(Source.GROUP_MEMBER, GROUP),
        maximum_duration=timedelta(hours=8),
        default_duration=timedelta(hours=4),
        version=0,
    )


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
