"""Where the parts of a tenant listen, always on 127.0.0.1."""

import argparse
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Self

from local.tenant.problems import TenantProblem

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of a tenant. ``worker`` is used only when the app runs as two hosts."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002
    broker: int = 5672
    broker_admin: int = 5673
    directory: int = 7080
    mailbox: int = 7082
    host: int = 7071
    worker: int = 7072

    @classmethod
    def free(cls) -> Self:
        """Return ports that nobody uses now: for tests."""
        with ExitStack() as held:
            chosen = {}
            for field in fields(cls):
                listening = held.enter_context(socket.socket())
                listening.bind((HOST, 0))
                chosen[field.name] = listening.getsockname()[1]
        return cls(**chosen)

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Give a command one flag per port."""
        for field in fields(cls):
            parser.add_argument(flag(field.name), type=int, metavar="PORT", help=f"default {field.default}")

    @classmethod
    def chosen(cls, options: argparse.Namespace, environment: Mapping[str, str]) -> Self:
        """Return the ports that flags, or else the environment (``LOCAL_BLOB_PORT`` ...), ask for.

        Raises:
            TenantProblem: a value is not a port.
        """
        values = {}
        for field in fields(cls):
            variable = f"LOCAL_{field.name.upper()}_PORT"
            asked = getattr(options, f"{field.name}_port", None) or environment.get(variable) or field.default
            if not str(asked).isdecimal() or not 0 < int(str(asked)) < 1 << 16:
                raise TenantProblem(f"{variable}: {asked!r} is not a port")
            values[field.name] = int(str(asked))
        return cls(**values)


def flag(name: str) -> str:
    """Return the flag of the command that moves a port."""
    return f"--{name.replace('_', '-')}-port"


def is_taken(port: int) -> bool:
    """Return whether someone listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
