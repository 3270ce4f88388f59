"""Gives the one set of adapters of this process, built on first use. Importing this touches nothing.

No client, no network, no setting at import: indexing the functions costs little more than ``azure.functions`` itself.
"""

import os
from functools import cache

from access.adapters.settings import Settings, read, read_part
from access.ports import Ports


def part() -> str:
    """Return which blueprints to register: ``all``, ``web`` or ``worker``."""
    return read_part(os.environ)


@cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsWrong: some are missing or wrong; all are named.
    """
    return read(os.environ)


@cache
def ports() -> Ports:
    """Return the adapters; their clients belong to the worker's one loop, and stay open."""
    from access.adapters.build import build  # noqa: PLC0415 - the SDKs cost half a second: not at indexing

    return build(settings())
