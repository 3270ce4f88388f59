"""One change of one activation, as a value: what to write in one transaction, and what leaves with it (design section 5).

The ledger (``access/adapters/ledger.py``) writes the due rows first, then this, then sends; a use case only says what.
"""

from dataclasses import dataclass, replace

from access.events import Happened
from access.lifecycle import advance
from access.model import Activation, Asked, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A move from ``before`` (None: it is new) to ``after`` by ``happened``.

    ``command``: the id of the command that made it; a second delivery finds its row and has no second effect.
    ``content``: the fingerprint of what it said, where the same id could come back with other content.
    """

    before: Activation | None
    after: Activation
    happened: Happened
    sends: tuple[Send, ...] = ()
    command: str | None = None
    content: str = ""
    asked: tuple[Asked, ...] = ()


def begin(activation: Activation, happened: Happened, *, sends: tuple[Send, ...] = (), command: str) -> Change:
    """Return the change that makes a new activation, in the state that ``happened`` leads to."""
    after = replace(activation, state=advance(None, happened.event))
    return Change(before=None, after=after, happened=happened, sends=sends, command=command, content=activation.content)


def move(
    activation: Activation,
    happened: Happened,
    *,
    sends: tuple[Send, ...] = (),
    command: str | None = None,
    content: str = "",
    asked: tuple[Asked, ...] = (),
    **values: object,
) -> Change:
    """Return the change that moves ``activation`` by ``happened``, with ``values`` for its other fields.

    Raises:
        WrongState: the table has no such move.
    """
    state = advance(activation.state, happened.event)
    after = replace(activation, **{**values, "state": state})  # type: ignore[arg-type] # fields by name
    return Change(
        before=activation,
        after=after,
        happened=happened,
        sends=sends,
        command=command,
        content=content,
        asked=asked,
    )
