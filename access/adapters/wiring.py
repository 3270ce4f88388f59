"""Gives the one set of adapters of this process, built on first use. Importing this touches nothing, and loads nothing.

No client, no network, no setting, no SDK at import: indexing the functions costs little more than ``azure.functions``.
"""

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from access.adapters.settings import Settings
    from access.ports import Ports


PARTS = ("all", "web", "worker")


def part() -> str:
    """Return which blueprints to register: ``all``, ``web`` or ``worker``.

    Raises:
        SettingsWrong: it is none of these.
    """
    stated = os.environ.get("PART", "").strip() or "all"
    if stated in PARTS:
        return stated
    from access.adapters.settings import SettingsWrong  # noqa: PLC0415 - see the module's docstring

    raise SettingsWrong([f"PART is {stated!r}; set it to one of: {', '.join(PARTS)}."])


@cache
def settings() -> "Settings":
    """Return the settings of this process.

    Raises:
        SettingsWrong: some are missing or wrong; all are named.
    """
    from access.adapters.settings import read  # noqa: PLC0415 - see the module's docstring

    return read(os.environ)


@cache
def ports() -> "Ports":
    """Return the adapters; their clients belong to the worker's one loop, and stay open."""
    from access.adapters.build import build  # noqa: PLC0415 - see the module's docstring

    return build(settings())
