"""The laws (design, section 4), held against the rows and against the directory's truth: after every change, and at the end."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from access import ids
from access.adapters import keys
from access.adapters.tables import Delete, Operation, Row, Value
from access.events import Event
from access.lifecycle import Work, advance, asks_for, is_final
from access.model import State
from tests.fakes.tenant import GROUP
from tests.simulation.chance import LAG
from tests.simulation.outside import Key
from tests.simulation.world import World

LONGEST_LOOK = timedelta(minutes=17)
"""The longest back-off of a due row, and a sweep."""

DECISIONS = {Event.APPROVED, Event.APPROVED_FOR_LATER, Event.DENIED}
MAILS = {
    State.REFUSED: ("refused", "can't be activated"),
    State.DENIED: ("denied", "was denied"),
    State.CANCELED: ("withdrawn", "was closed"),
    State.LAPSED: ("lapsed", "Nobody decided"),
    State.FAILED: ("failed", "could not be granted"),
    State.ENDED: ("ended", "has ended"),
}


class Laws:
    """Watches one world. Every method raises ``Broken`` where a law doesn't hold."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._say_written = world.tables.wrote
        world.tables.wrote = self._wrote
        world.directory.took = self._took
        world.checks.append(self.check)

    def activations(self) -> dict[str, Mapping[str, Value]]:
        """Return every activation's row, by id."""
        tables = self.world.tables.rows
        return {
            partition: rows[keys.ACTIVATION].values
            for (table, partition), rows in tables.items()
            if table == "activations" and keys.ACTIVATION in rows
        }

    def check(self) -> None:
        """Hold the laws that must be true between any two steps."""
        looks = self._looks()
        now = self.world.clock.true
        rows = self.activations()
        for activation, values in rows.items():
            if is_final(State(str(values["state"]))):
                continue
            alarm = _instant(values.get("alarm_at")) or now
            if looks.get(activation, datetime.max.replace(tzinfo=now.tzinfo)) > max(alarm, now + LONGEST_LOOK):
                raise self.world.broken("law 1", f"no due row will look at {activation[:6]} in time")
        for key in sorted(self.world.directory.ours):
            if not self._busy_with(key, rows):
                raise self.world.broken("law 2", "it is given, and every activation of it is final")

    def _looks(self) -> dict[str, datetime]:
        """Return when each activation is looked at next by a due row."""
        looks: dict[str, datetime] = {}
        for (table, _), rows in self.world.tables.rows.items():
            if table != "due":
                continue
            for key in sorted(rows, reverse=True):
                instant, activation, _version, _nonce = key.split("_")
                at = keys.read_instant(instant)
                looks[activation] = min(at, looks.get(activation, at))
        return looks

    def _busy_with(self, key: Key, rows: Mapping[str, Mapping[str, Value]]) -> list[str]:
        """Return the activations that have to do with this assignment now."""
        return [
            activation
            for activation, values in rows.items()
            if values.get("principal") == key[1]
            and asks_for(State(str(values["state"]))) in {Work.GIVING, Work.END, Work.REMOVAL}
        ]

    def _took(self, key: Key, was_ours: bool) -> None:  # noqa: FBT001 - the directory's own word for it
        if not was_ours:
            raise self.world.broken("law 3", "we took away what was held before")
        now = self.world.clock.true
        for activation, values in self.activations().items():
            ends = _instant(values.get("ends_at"))
            mine = values.get("principal") == key[1] and values["state"] == State.ACTIVE
            if mine and ends is not None and now < ends:
                raise self.world.broken("law 4", f"{activation[:6]} is active, and it was taken from it")

    def _wrote(self, table: str, operations: Sequence[Operation]) -> None:
        self._say_written(table, operations)
        if table != "activations":
            return
        for operation in operations:
            if not isinstance(operation, Delete) and operation.row.values.get("event") == Event.PROVISIONED:
                self._announced(operation.row)

    def _announced(self, row: Row) -> None:
        """What is announced as given was there when it was read, which is a lag ago at most (law 7)."""
        key = (GROUP, str(self.activations()[row.partition]["principal"]))
        touched = self.world.directory.touched.get(key)
        lately = touched is not None and self.world.clock.true < touched + timedelta(seconds=LAG + 300)
        if not self.world.directory.holds(*key) and not lately:
            raise self.world.broken("law 7", f"{row.partition[:6]} is announced, and was not given")

    def check_end(self) -> None:
        """Hold what must be true when all is done and time has passed."""
        world = self.world
        if world.directory.ours:
            raise world.broken("the end", "something of ours is still held")
        left = [key for (table, _), rows in world.tables.rows.items() if table == "due" for key in rows]
        if left:
            raise world.broken("the end", f"due rows are left: {left}")
        for (table, _), rows in world.tables.rows.items():
            hold = rows.get(keys.HOLD) if table == "holds" else None
            if hold is not None and (hold.values.get("phase", "free") != "free" or hold.values.get("live")):
                raise world.broken("the end", f"a hold is not free: {dict(hold.values)}")
        for activation, values in self.activations().items():
            self._check_chain(activation)
            self._check_done(activation, values)

    def _check_done(self, activation: str, values: Mapping[str, Value]) -> None:
        world, state = self.world, State(str(values["state"]))
        if not is_final(state):
            raise world.broken("the end", f"{activation[:6]} is still {state}")
        rows = world.tables.rows["activations", activation]
        if any(key.startswith("out-") for key in rows):
            raise world.broken("the end", f"{activation[:6]} has effects left in its outbox")
        told = {str(row.values["telling"]).partition(":")[0] for row in rows.values() if "sent" in row.values}
        finals = {what for what, _ in MAILS.values()} & told
        if any(activation.encode() in message.body for message in world.dead_letters):
            return
        mails = [m.subject for m in world.tenant.mailer.mails if m.correlation_id == values["correlation_id"]]
        seen = {mail_state for mail_state, (_, words) in MAILS.items() if any(words in subject for subject in mails)}
        provisioned = any(row.values.get("event") == Event.PROVISIONED for row in rows.values())
        if provisioned != ("activated" in told):
            raise world.broken("law 7", f"{activation[:6]} was given: {provisioned}, and told: {sorted(told)}")
        if finals != {MAILS[state][0]} or seen != {state}:
            raise world.broken("law 7", f"{activation[:6]} is {state}, and its requester was told {finals}: {mails}")

    def _check_chain(self, activation: str) -> None:
        """The events of an activation are one chain of moves that the table knows, each copied to the audit (law 10)."""
        world = self.world
        rows = world.tables.rows["activations", activation]
        previous, state, decisions = "", None, 0
        copies = {
            json.loads(str(row.values["record"]))["number"]
            for (table, _), audit in world.tables.rows.items()
            if table == "audit"
            for row in audit.values()
            if row.values.get("activation") == activation
        }
        announced = {
            json.loads(message.body)["id"] for message in world.tenant.bus.sent if message.queue == "activation-events"
        }
        for number, key in enumerate(sorted(key for key in rows if key.startswith("event-")), start=1):
            values = dict(rows[key].values)
            record = {name: value for name, value in values.items() if name not in {"hash", "previous"}}
            state = advance(state, Event(str(values["event"])))
            decisions += values["event"] in DECISIONS
            if values["number"] != number or values["previous"] != previous or state != values["state"]:
                raise world.broken("law 10", f"the events of {activation[:6]} are no chain at {number}")
            if ids.chained(previous, record) != values["hash"]:
                raise world.broken("law 10", f"event {number} of {activation[:6]} does not have its hash")
            if number not in copies or f"{activation}-{number}" not in announced:
                raise world.broken("law 10", f"event {number} of {activation[:6]} was not copied and announced")
            previous = str(values["hash"])
        if decisions > 1:
            raise world.broken("law 5", f"{activation[:6]} was decided {decisions} times")


def _instant(value: Value | None) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value is not None else None
