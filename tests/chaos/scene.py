"""The tenant that is killed: two hosts of one app, durable emulators, people, groups and roles."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from access.adapters.build import build_credential, build_tables
from access.adapters.changes import Author
from access.adapters.register import TableRegister
from access.adapters.settings import read
from access.model import ApprovalDemand, Eligibility, RoleSettings, Source, Target
from local.tenant.parts import ROOT, Part, standard_parts
from local.tenant.ports import HOST, Ports
from local.tenant.tenant import DEFAULT_SEED, Tenant
from tests.chaos.plan import HOSTS, QUEUES, Size, Weather

LEFT, RIGHT, GUARDED, ELIGIBLE = (f"00000000-0000-4000-b000-00000000c{number:03d}" for number in range(4))
GROUPS = (LEFT, RIGHT, GUARDED)
APPROVER = "bo@contoso.example"
START_LIMIT = 120.0
DEPLOYED = (
    "access",
    "activation_handler",
    "approval_queue",
    "expiry_timer",
    "notifier",
    "function_app.py",
    "host.json",
)
_MAILBOX = {
    "service": "exchange",
    "capabilityStatus": "Enabled",
    "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
}


def person_id(number: int) -> str:
    return f"00000000-0000-4000-a000-{number:012d}"


def address(number: int) -> str:
    return f"person{number}@contoso.example"


class Scene:
    """The tenant, and what can be done to it."""

    def __init__(self, folder: Path, size: Size, held_before: frozenset[int]) -> None:
        self.size = size
        self.theirs = {
            LEFT: frozenset(person_id(number) for number in held_before),
            RIGHT: frozenset(),
            GUARDED: frozenset(),
        }
        self.ports = Ports.free()
        self._folder = folder
        self._http = httpx.AsyncClient(trust_env=False, timeout=10)
        self._weather = Weather.CALM
        self._versions = 0
        state, seed = folder / "state", self._seed()
        parts = standard_parts(self.ports, state, seed=seed, app=self._new_version(), split=False, durable=True)
        self.tenant = Tenant(state, ports=self.ports, seed=seed, parts=self._two_hosts(parts), extra=self._timing())

    @property
    def directory(self) -> str:
        return f"http://{HOST}:{self.ports.directory}"

    @property
    def mailbox(self) -> str:
        return f"http://{HOST}:{self.ports.mailbox}"

    def _timing(self) -> dict[str, str]:
        """Return settings that fit the directory's lag and the spans of a run."""
        proof = self.size.lag + 5
        return {"CALL_LIMIT": "4", "CALL_TAIL": "6", "PROOF_WINDOW": str(proof)}

    def _seed(self) -> Path:
        seed = json.loads(DEFAULT_SEED.read_text(encoding="utf-8"))
        kept = {APPROVER, "hourglass@contoso.example"}
        seed["users"] = [user for user in seed["users"] if user["userPrincipalName"] in kept]
        seed["users"] += [
            {
                "id": person_id(number),
                "displayName": f"Person {number}",
                "userPrincipalName": address(number),
                "mail": address(number),
                "assignedPlans": [_MAILBOX],
            }
            for number in range(self.size.people)
        ]
        everybody = [person_id(number) for number in range(self.size.people)]
        names = {LEFT: "Left", RIGHT: "Right", GUARDED: "Guarded"}
        seed["groups"] = [
            {"id": group, "displayName": name, "members": sorted(self.theirs[group])} for group, name in names.items()
        ]
        seed["groups"].append({"id": ELIGIBLE, "displayName": "Eligible", "members": everybody})
        file = self._folder / "seed.json"
        file.write_text(json.dumps(seed), encoding="utf-8")
        return file

    def _two_hosts(self, parts: list[Part]) -> list[Part]:
        """Return the parts with two hosts of the whole app, which share timers, and short locks in the broker."""
        topology = json.loads((ROOT / "local" / "topology.json").read_text(encoding="utf-8"))
        for queue in topology["UserConfig"]["Namespaces"][0]["Queues"]:
            queue["Properties"]["LockDuration"] = f"PT{self.size.lock}S"
        file = self._folder / "topology.json"
        file.write_text(json.dumps(topology), encoding="utf-8")
        others = [replace(part, start_limit=START_LIMIT) for part in parts if part.name != "host"]
        others = [_with(part, "local/topology.json", str(file)) for part in others]
        host = next(part for part in parts if part.name == "host")
        host = replace(host, command=(*host.command, "--host-id", "hourglass"), start_limit=START_LIMIT)
        second = _with(replace(host, ports={"worker": self.ports.worker}), str(self.ports.host), str(self.ports.worker))
        return [*others, replace(host, name=HOSTS[0]), replace(second, name=HOSTS[1])]

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Scene"]:
        """Start everything, with its roles."""
        async with self.tenant:
            try:
                await self._open_roles()
                yield self
            finally:
                await self._http.aclose()

    async def _open_roles(self) -> None:
        settings = read(self.tenant.settings)
        credential = build_credential(settings)
        tables = build_tables(settings, credential)
        register, author = TableRegister(tables), Author(by="chaos", through="chaos", at=datetime.now(UTC))
        approval = ApprovalDemand(users=(await self._id_of(APPROVER),), lapses_after=timedelta(seconds=self.size.lapse))
        for key, group, demand in (
            ("left", LEFT, None),
            ("left-too", LEFT, None),
            ("right", RIGHT, None),
            ("guarded", GUARDED, approval),
        ):
            role = RoleSettings(
                key=key,
                name=key.capitalize(),
                target=Target(Source.GROUP_MEMBER, group),
                maximum_duration=timedelta(hours=1),
                default_duration=timedelta(minutes=1),
                minimum_duration=timedelta(seconds=1),
                approval=demand,
                version=0,
            )
            await register.put_role(role, author)
            await register.put_eligibility(Eligibility(principal=ELIGIBLE, role=key, through_group=True), author)
        await tables.close()
        await credential.close()

    async def _id_of(self, name: str) -> str:
        users = (await self._http.get(f"{self.directory}/admin/users")).json()
        return next(str(user["id"]).lower() for user in users if user["userPrincipalName"] == name)

    async def kill(self, *names: str) -> None:
        """Kill parts with SIGKILL, at once."""
        await asyncio.gather(*(self.tenant.kill(name) for name in names))

    async def start(self, *names: str) -> None:
        """Start parts again; the directory forgot its weather."""
        await asyncio.gather(*(self.tenant.start(name) for name in names))
        if "directory" in names:
            await self.let_it(self._weather)

    def deploy(self) -> None:
        """Have hosts started from a new version from now on."""
        version = self._new_version()
        for name in HOSTS:
            part = self.tenant.parts[name]
            index = part.command.index("--app") + 1
            command = (*part.command[:index], str(version), *part.command[index + 1 :])
            self.tenant.parts[name] = replace(part, command=command)

    def _new_version(self) -> Path:
        """Return a copy of what is deployed, at a place of its own."""
        self._versions += 1
        version = self._folder / f"version-{self._versions}"
        version.mkdir()
        for name in DEPLOYED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, version / name)
        return version

    async def let_it(self, weather: Weather) -> None:
        """Have the directory behave like this from now on."""
        self._weather = weather
        lag, people = self.size.lag, self.size.people
        await self._directory("DELETE", "/faults")
        await self._directory("DELETE", "/quota")
        match weather:
            case Weather.CALM:
                return
            case Weather.THROTTLING:
                await self._directory("PUT", "/quota", {"writes": max(3, people // 5), "window": 12})
            case Weather.LAGGING:
                await self._directory("POST", "/faults", [{"kind": "lag", "seconds": lag, "random": True}])
            case Weather.FAILING:
                await self._directory("POST", "/faults", _HALF_OF_ALL_CALLS)

    async def trouble(self, faults: Mapping[str, list[str]]) -> None:
        """Have a share of the messages of some queues lose their locks, come twice, or worse; until this is said again."""
        (await self._http.delete(self._broker("/faults"))).raise_for_status()
        for queue, kinds in faults.items():
            script = [{"kind": kind, "count": 1_000, "share": 0.15, "milliseconds": 700} for kind in kinds]
            answer = await self._http.post(self._broker("/faults"), json={"entity": queue, "faults": script})
            answer.raise_for_status()

    async def end_of_trouble(self) -> None:
        """Let everything go well from now on."""
        await self.let_it(Weather.CALM)
        await self.trouble({})

    async def sweep(self) -> None:
        """Ask for a sweep, as whoever watches from outside may; a host that is down doesn't hear it."""
        key = {"x-functions-key": self.tenant.settings["FUNCTIONS_KEY"]}
        with contextlib.suppress(httpx.HTTPError):
            await self._http.post(f"http://{HOST}:{self.ports.host}/api/sweep", headers=key)

    async def queues(self) -> dict[str, dict[str, int]]:
        """Return what the broker counts, by queue."""
        entities = (await self._http.get(self._broker("/entities"))).json()
        return {str(entity["name"]): entity for entity in entities if entity["name"] in QUEUES}

    async def members(self, group: str) -> frozenset[str]:
        """Return a group's members: the directory's truth."""
        answer = await self._http.get(f"{self.directory}/admin/groups/{group}/members")
        return frozenset(answer.raise_for_status().json())

    async def mails(self) -> list[dict[str, Any]]:
        """Return every mail that was taken."""
        answer = await self._http.get(f"{self.directory}/admin/mail", timeout=60)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def _broker(self, path: str) -> str:
        return f"http://{HOST}:{self.ports.broker_admin}{path}"

    async def _directory(self, method: str, path: str, body: Mapping[str, Any] | list[Any] | None = None) -> None:
        (await self._http.request(method, f"{self.directory}/admin{path}", json=body)).raise_for_status()


_LANDS_LATER = {"kind": "time-out", "seconds": 5, "landsAfter": 3, "count": None, "share": 0.1}
_HALF_OF_ALL_CALLS = [
    {"status": 503, "count": None, "share": 0.2},
    {"status": 500, "count": None, "share": 0.15},
    {"status": 429, "retryAfter": 1, "count": None, "share": 0.05},
    {"kind": "lost-answer", "count": None, "share": 0.15},
    {**_LANDS_LATER, "method": "POST", "path": r"/members/\$ref$"},
    {**_LANDS_LATER, "method": "DELETE"},
]
"""Each is tried on what the ones before it have spared: half of the calls fail, and a write in ten lands later."""


def _with(part: Part, old: str, new: str) -> Part:
    return replace(part, command=tuple(new if text == old else text for text in part.command))
