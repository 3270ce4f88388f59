r"""Every key of every table is made here (docs/storage.md). User text never stands in a key: it is hashed.

Azure refuses ``/ \ # ?`` and control characters in keys, and keys over 1 KiB; Azurite takes more. So lengths and
characters are checked here, where a wrong one is a bug.
"""

import re
from datetime import UTC, datetime

from access.ids import digest

SHARDS = 16
_ALLOWED = re.compile(r"[A-Za-z0-9 ._:~@+=-]{1,256}")

ACTIVATION = "activation"
HOLD = "hold"
ROLE = "role"
PERSON = "person"
HEARTBEAT = "heartbeat"
SWEEP = "sweep"
TICK = "tick"
PEOPLE = "people"
"""The partition that lists the persons of the roles file; what is looked up by account stands under the account."""
PACE = "pace"
"""The partition of the control table with one row for each vendor whose quota all hosts share."""
GRAPH = "graph"
END = "~"
"""Sorts after everything that our keys begin with."""


def checked(key: str) -> str:
    """Return ``key`` if Azure takes it.

    Raises:
        ValueError: it holds a character or a length that some store refuses.
    """
    if not _ALLOWED.fullmatch(key):
        raise ValueError(f"not a table key: {key[:80]!r}")
    return key


def event(number: int) -> str:
    """Return the row key of the nth event of an activation, from 1."""
    return f"event-{number:06d}"


def out(number: int) -> str:
    """Return the row key of the nth effect of an activation, from 1; never used again."""
    return f"out-{number:06d}"


OUT = ("out-", "out-~")
ASKED = ("decision-", "decision-~")
EVENTS = ("event-", "event-~")


def command(identity: str) -> str:
    """Return the row key that says a command has had its effect. Identities come from senders, so they are hashed."""
    return f"in-{digest('in', identity)}"


def decision(account: str) -> str:
    """Return the row key of an approver who was asked."""
    return checked(f"decision-{account}")


def told(telling: str) -> str:
    """Return the row key that says a mail was sent."""
    return f"told-{digest('told', telling)}"


def retry(queue: str) -> str:
    """Return the row key that says when work of a queue on this activation is tried again."""
    return checked(f"retry-{queue}")


def instant(at: datetime) -> str:
    """Return an instant in UTC as text that sorts by time."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def read_instant(text: str) -> datetime:
    """Read what ``instant`` wrote."""
    return datetime.fromisoformat(text)


def shards() -> tuple[str, ...]:
    """Return the partitions of the due table: ``00`` to ``0f``."""
    return tuple(f"{number:02x}" for number in range(SHARDS))


def shard(activation: str) -> str:
    """Return the partition of the due rows of an activation."""
    return f"{int(digest('shard', activation), 16) % SHARDS:02x}"


def due(at: datetime, activation: str, version: int, nonce: str) -> str:
    """Return the row key of a due row; the nonce keeps two writers of the same version apart."""
    return checked(f"{instant(at)}_{activation}_{version:06d}_{nonce}")


def after(key: str) -> str:
    """Return the least key that sorts after ``key``, to go on from there."""
    return f"{key} "


def newest_first(at: datetime, activation: str) -> str:
    """Return a row key that sorts later instants first."""
    return f"{10**11 - int(at.timestamp()):011d}_{activation}"


def audit(at: datetime, activation: str, number: int) -> tuple[str, str]:
    """Return partition (day and shard) and row key of the copy of an event, made from the event alone."""
    return f"{at.astimezone(UTC):%Y-%m-%d}-{shard(activation)}", f"{instant(at)}_{activation}_{number:06d}"


def role(key: str) -> str:
    """Return the row key of a role. The roles file allows only letters, digits and dashes."""
    return checked(key.strip().lower())


def principal(account: str) -> str:
    """Return the partition of what one principal has."""
    return checked(account.strip().lower())


LISTED = ("a", END)
"""Roles and persons of the roles file begin with a letter; the changes beside them begin with an underscore."""


def person(key: str) -> str:
    """Return the row key of a person of the roles file, which allows only letters, digits and dashes."""
    return checked(key.strip().lower())


CHANGE = "_change_"
SET_ASIDE = ("0", END)
"""What was set aside has a digest for its key; the changes beside it begin as ``CHANGE`` says."""


def change(at: datetime, identity: str) -> str:
    """Return the row key of a change of the register, beside the row that it changed."""
    return checked(f"{CHANGE}{instant(at)}_{identity}")


STOPS = "stop"
"""The partition of what people have stopped."""
RESTORE = "restore"
"""The row key of prove-only, beside the stops of granting."""


def stop(role_key: str, principal_id: str) -> str:
    """Return the row key of a stop of granting: of everything, of a role, of an account, or of one for the other."""
    parts = [f"role_{role(role_key)}"] if role_key else []
    parts += [f"principal_{principal(principal_id)}"] if principal_id else []
    return checked("_".join(parts) or "granting")


USERS = ("user_", "user_~")
GROUPS = ("group_", "group_~")


def of_role(key: str) -> str:
    """Return the partition of everybody who is eligible for a role."""
    return f"role_{role(key)}"


def eligible(principal_id: str, *, group: bool) -> str:
    """Return the row key of a principal under a role."""
    return f"{'group' if group else 'user'}_{principal(principal_id)}"


GONE_ACCOUNTS = "accounts"
"""The partition of what was found about accounts as such."""


def drift(source: str, target: str) -> str:
    """Return the partition of what was found about one target."""
    return digest("drift", source, target)


def finding(kind: str, principal: str) -> str:
    """Return the row key of a finding; an empty principal: it is about the target itself."""
    return checked(f"{kind}_{principal.lower()}")


def day(at: datetime) -> str:
    """Return the partition of a day."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"
