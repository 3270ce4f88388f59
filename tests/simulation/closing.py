"""What must be true when all is done: nothing held, nothing lost, nothing left behind, everybody told, everything recorded."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from access import ids
from access.adapters import keys
from access.adapters.tables import Row
from access.errors import Code
from access.events import Event
from access.lifecycle import advance, is_final
from access.model import State
from tests.simulation.laws import Laws, Values
from tests.simulation.people import Request

DECISIONS = {Event.APPROVED, Event.APPROVED_FOR_LATER, Event.DENIED}
TOLD = {
    Event.REFUSED: "refused",
    Event.PROVISIONED: "activated",
    Event.EXTENDED: "extended",
    Event.DENIED: "denied",
    Event.WITHDRAWN: "withdrawn",
    Event.CANCELED: "canceled",
    Event.REVOKED: "revoked",
    Event.LAPSED: "lapsed",
    Event.REMOVAL_PROVEN: "ended",
    Event.FAILURE_PROVEN: "failed",
}
"""What the requester is told of each event; of what is taken back while it is given, only that it has ended."""

LATEST_END = 25 * 60.0
"""Seconds after an end, and after all is calm, by which it is proven: the longest back-off, and proof windows."""


class Closing:
    """Looks at a world in which nothing is left to happen."""

    def __init__(self, laws: Laws, *, calm_since: float) -> None:
        self.laws, self.world = laws, laws.world
        self._calm_since = calm_since
        self._copies = self._audited()
        self._announced = {
            json.loads(message.body)["id"]
            for message in self.world.tenant.bus.sent
            if message.queue == "activation-events"
        }

    def check(self, asked: Mapping[str, Request]) -> None:
        """Hold every law of the end. ``asked`` are the requests by their correlation.

        Raises:
            Broken: one doesn't hold.
        """
        self._check_directory()
        self._check_rows()
        for correlation, request in asked.items():
            self._check_request(correlation, request)
        for activation, values in self.laws.rows.items():
            self._check_activation(activation, values)

    @property
    def worst_lag(self) -> float:
        """Seconds by which the last end was proven too late, all told."""
        return max((self._lag(activation) for activation in self.laws.rows), default=0.0)

    def _check_directory(self) -> None:
        if self.world.directory.ours:
            self.laws.break_("the end", "something of ours is still held")

    def _check_rows(self) -> None:
        for (table, _), rows in self.world.tables.rows.items():
            if table == "due" and rows.keys() - self.world.unreadable:
                self.laws.break_("the end", f"due rows are left: {list(rows)}")
            hold = rows.get(keys.HOLD) if table == "holds" else None
            if hold is not None and (hold.values.get("phase", "free") != "free" or hold.values.get("live")):
                self.laws.break_("the end", f"a hold is not free: {dict(hold.values)}")

    def _check_request(self, correlation: str, request: Request) -> None:
        """Every request has its one outcome, or lies where ops will find it (law 8)."""
        made = [key for key, values in self.laws.rows.items() if values["correlation_id"] == correlation]
        done = [
            partition
            for (table, partition), rows in self.world.tables.rows.items()
            if table == "activations"
            and partition not in {*made, request.command}
            and keys.command(request.command) in rows
        ]
        set_aside = [
            code
            for (_, identity), (code, _) in self.world.quarantine.kept.items()
            if identity == request.message and code != Code.DEAD_LETTERED
        ]
        if len(made) == 1 and set_aside == [Code.REQUESTER_UNKNOWN]:
            # Nobody is there to be told: set aside with its answer lost, then refused where that could not be looked up.
            self.laws.excused["set aside, and refused besides: its sender is gone"] += 1
        elif len(made) + len(done) + len(set_aside) != 1:
            what = f"{correlation} made {len(made)} activations, changed {len(done)}, and was set aside as {set_aside}"
            self.laws.break_("law 8", what)

    def _check_activation(self, activation: str, values: Values) -> None:
        rows, state = self.world.tables.rows["activations", activation], State(str(values["state"]))
        if not is_final(state):
            self.laws.break_("the end", f"{activation[:6]} is still {state}")
        if any(key.startswith("out-") for key in rows):
            self.laws.break_("the end", f"{activation[:6]} has effects left in its outbox")
        events = [rows[key] for key in sorted(rows) if key.startswith("event-")]
        self._check_chain(activation, events)
        self._check_told(activation, values, rows, events)
        if self._lag(activation) > LATEST_END:
            self.laws.break_("law 2", f"{activation[:6]} was proven gone {self._lag(activation):.0f} s too late")

    def _lag(self, activation: str) -> float:
        """Return how late the end of what had one was proven; what was refused late had none."""
        ends = self.laws.rows[activation].get("ends_at")
        if ends is None:
            return 0.0
        due = self.world.clock.since(datetime.fromisoformat(str(ends)))
        return self.laws.finished[activation] - max(due, self._calm_since)

    def _check_told(self, activation: str, values: Values, rows: Mapping[str, Row], events: list[Row]) -> None:
        """The requester was told of everything that they wait for, each once (law 7)."""
        expected = [TOLD[event] for event in map(_event, events) if event in TOLD]
        if Event.CANCELED in map(_event, events) and "ended" in expected:
            expected.remove("canceled")
        tellings = [str(row.values["telling"]).split(":") for row in rows.values() if "sent" in row.values]
        told = [what for what, to, *_ in tellings if to == values["requester"] and what in TOLD.values()]
        requester = self.world.directory.accounts.get(str(values["requester"]))
        if requester is not None and requester.enabled and sorted(told) != sorted(expected):
            self.laws.break_("law 7", f"of {activation[:6]}, {expected} happened; its requester was told {told}")

    def _check_chain(self, activation: str, events: list[Row]) -> None:
        """The events of an activation are one chain of moves that the table knows, each copied to the audit (law 10)."""
        previous, state, decisions = "", None, 0
        for number, row in enumerate(events, start=1):
            values = dict(row.values)
            record = {name: value for name, value in values.items() if name not in {"hash", "previous"}}
            state = advance(state, Event(str(values["event"])))
            decisions += values["event"] in DECISIONS
            if values["number"] != number or values["previous"] != previous or state != values["state"]:
                self.laws.break_("law 10", f"the events of {activation[:6]} are no chain at {number}")
            if ids.chained(previous, record) != values["hash"]:
                self.laws.break_("law 10", f"event {number} of {activation[:6]} does not have its hash")
            if values != self._copies[activation].get(number) or f"{activation}-{number}" not in self._announced:
                self.laws.break_("law 10", f"event {number} of {activation[:6]} was not copied and announced")
            previous = str(values["hash"])
        if decisions > 1:
            self.laws.break_("law 5", f"{activation[:6]} was decided {decisions} times")

    def _audited(self) -> Mapping[str, Mapping[int, Mapping[str, object]]]:
        """Return the copies in the audit, by activation and number."""
        copies: dict[str, dict[int, Mapping[str, object]]] = defaultdict(dict)
        for (table, _), rows in self.world.tables.rows.items():
            for row in rows.values() if table == "audit" else ():
                if "activation" in row.values:
                    record = json.loads(str(row.values["record"]))
                    copies[str(row.values["activation"])][record["number"]] = record
        return copies


def _event(row: Row) -> Event:
    return Event(str(row.values["event"]))
