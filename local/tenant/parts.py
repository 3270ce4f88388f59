"""What a tenant is made of: the emulators and the hosts, how each is started and what it waits for."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.tenant.ports import HOST, Ports
from local.tenant.problems import TenantProblem

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of a tenant.

    ``ports`` are what it listens on, by the names of ``Ports``; it starts once the parts in ``after`` are ready. It is
    ready when it prints a line of JSON with ``"ready": true``, or with ``speaks=False`` when all its ports answer.
    Limits are in seconds.
    """

    name: str
    command: tuple[str, ...]
    ports: Mapping[str, int] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    speaks: bool = True
    gets_settings: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    start_limit: float = 30.0
    stop_limit: float = 5.0


def standard_parts(
    ports: Ports, state: Path, *, seed: Path, app: Path, split: bool, durable: bool = False
) -> list[Part]:
    """Return the parts of the whole tenant; with ``split`` the app runs as two hosts, web and worker.

    With ``durable`` nothing that a part said is lost when it is killed; the storage gets slower for it.

    Raises:
        TenantProblem: Node.js, or a package of npm, is missing.
    """
    directory, host = f"http://{HOST}:{ports.directory}", f"http://{HOST}:{ports.host}"
    return [
        _azurite(ports, state, durable=durable),
        Part(
            name="broker",
            command=_python(
                "local.service_bus",
                *("--topology", "local/topology.json", "--port", str(ports.broker)),
                *("--admin-port", str(ports.broker_admin), "--data", str(state / "broker")),
            ),
            ports={"broker": ports.broker, "broker_admin": ports.broker_admin},
            url=f"http://{HOST}:{ports.broker_admin}",
        ),
        Part(
            name="directory",
            command=_python(
                "local.directory",
                *("--port", str(ports.directory), "--seed", str(seed), "--data", str(state / "directory")),
            ),
            ports={"directory": ports.directory},
            url=directory,
        ),
        Part(
            name="mailbox",
            command=_python("local.mailbox", "--port", str(ports.mailbox), "--directory", directory, "--app", host),
            ports={"mailbox": ports.mailbox},
            after=("directory",),
            url=f"http://{HOST}:{ports.mailbox}",
        ),
        *_hosts(ports, app, split=split),
    ]


def _hosts(ports: Ports, app: Path, *, split: bool) -> list[Part]:
    if not split:
        return [_host("host", {"host": ports.host}, app, {})]
    return [
        _host("web", {"host": ports.host}, app, {"PART": "web"}),
        _host("worker", {"worker": ports.worker}, app, {"PART": "worker"}),
    ]


def _host(name: str, ports: Mapping[str, int], app: Path, environment: Mapping[str, str]) -> Part:
    (port,) = ports.values()
    return Part(
        name=name,
        command=_python("local.host", "--app", str(app), "--port", str(port)),
        ports=ports,
        after=("azurite", "broker", "directory"),
        gets_settings=True,
        environment=environment,
        url=f"http://{HOST}:{port}",
        stop_limit=35.0,  # a host lets running functions end: 30 s
    )


def _azurite(ports: Ports, state: Path, *, durable: bool) -> Part:
    script = ROOT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    node = shutil.which("node")
    if node is None:
        raise TenantProblem("azurite: Node.js is missing (node, version 20 or newer): the local storage needs it")
    if not script.is_file():
        raise TenantProblem("azurite: node_modules is missing: run `make setup`")
    services = {"blob": ports.blob, "queue": ports.queue, "table": ports.table}
    flags = [text for name, port in services.items() for text in (f"--{name}Host", HOST, f"--{name}Port", str(port))]
    before = ("--require", str(Path(__file__).with_name("azurite_saves_first.cjs"))) if durable else ()
    # The SDKs speak newer versions of the interface than this Azurite knows; what we use is in all of them.
    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location", str(state / "azurite"))
    return Part(
        name="azurite",
        command=(node, *before, str(script), *options, *flags),
        ports=services,
        speaks=False,
        url=f"http://{HOST}:{ports.blob}",
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
