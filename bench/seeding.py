"""Activations that are held and end at one instant, written as the ledger writes them, their history cut to one event.

A thousand requests would take longer to play than what is to be measured.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access import hold as holding
from access.change import Change
from access.events import Event, Happened
from access.expiry import NOW_ROW
from access.hold import Before, Hold, Phase
from access.ids import digest
from access.model import Activation, Door, Source, State, Target, Timing
from access.ports import Store
from tests.fakes.tables import FakeTables

IN_GROUP = 10
"""Members of one group: groups that give privileges are small."""

TEMPLATE = 999_999
"""The number of one that is recorded, or made again for others: no other name contains its names."""

HELD_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Held:
    """One assignment that is held, and the ids of its activation and its hold."""

    number: int
    ends_at: datetime

    @property
    def activation(self) -> str:
        return digest("bench", str(self.number))

    @property
    def principal(self) -> str:
        return f"00000000-0000-4000-a000-{700_000 + self.number:012d}"

    @property
    def target(self) -> Target:
        return Target(Source.GROUP_MEMBER, f"00000000-0000-4000-b000-{700_000 + self.number // IN_GROUP:012d}")

    def record(self, requester: str, *, began: datetime) -> Activation:
        """Return the activation, as it is after it was given."""
        return Activation(
            id=self.activation,
            state=State.ACTIVE,
            role=f"role-{self.number // IN_GROUP}",
            role_name=f"Role {self.number // IN_GROUP}",
            target=self.target,
            requester=requester,
            requester_name="Ada",
            principal=self.principal,
            principal_name=f"Admin {self.number}",
            door=Door.FLOW,
            justification="Restore the finance share: INC0012345",
            duration=HELD_FOR,
            requested_at=began,
            starts_at=None,
            ends_at=self.ends_at,
            correlation_id=self.activation,
            content=digest("content", str(self.number)),
        )

    def hold(self, *, began: datetime, timing: Timing) -> Hold:
        """Return the hold, as it is after we asked once."""
        free = Hold(principal=self.principal, target=self.target)
        row = replace(
            free,
            phase=Phase.HELD,
            live={self.activation: self.ends_at},
            roles={self.activation: f"role-{self.number // IN_GROUP}"},
            before=Before.NO,
        )
        return holding.ask(row, now=began, timing=timing)


async def write(held: Held, requester: str, store: Store, *, timing: Timing) -> None:
    """Write the hold and the activation, with its due rows and its message for the end."""
    began = held.ends_at - HELD_FOR
    await store.write_hold(held.hold(began=began, timing=timing))
    record = held.record(requester, began=began)
    await store.commit(
        Change(before=None, after=record, happened=Happened(event=Event.PROVISIONED, at=began)), now=began
    )


def forget_first_looks(tables: FakeTables) -> None:
    """Drop the rows that have the sweep look whether a commit's effects left: it has, long before the end."""
    for (table, _), rows in tables.rows.items():
        if table == "due":
            for key in [key for key, row in rows.items() if row.values["kind"] == NOW_ROW]:
                del rows[key]
