"""The laws (design, section 4), held against every write and every call of the directory, as they happen.

Each law looks at what changed: a write of an activation, of a hold, of a due row, or what the directory did. What must be
true at the end stands in ``closing.py``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from access import ids
from access.adapters import keys
from access.adapters.tables import Delete, Insert, Operation, Row, Value
from access.events import Event
from access.hold import Before
from access.lifecycle import Work, asks_for, is_busy, is_final
from access.model import Source, State, Target
from access.ports import Mail
from tests.fakes.tenant import ADA, ADA_ADMIN, ADA_EXT
from tests.simulation.chance import CALL_LIMIT, LAG, SKEW, TAIL
from tests.simulation.line import Worker
from tests.simulation.outside import Key
from tests.simulation.world import World

LONGEST_LOOK = 17 * 60.0
"""Seconds: the longest back-off of a due row, and a sweep."""

FROZEN = 310.0
"""Seconds that a worker may stand still between what it read and what it does of it."""

SAME_PERSON = {ADA.id: "ada", ADA_ADMIN.id: "ada", ADA_EXT.id: "ada"}
"""Accounts that are one person's; every other account is a person of its own."""

Values = Mapping[str, Value]


class Laws:
    """Watches one world. Where a law doesn't hold, ``Broken`` is raised out of the very call that broke it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[str, Values] = {}
        self.finished: dict[str, float] = {}
        """When each activation became final."""
        self.held = 0
        """How often a law was held against a change."""
        self.excused: Counter[str] = Counter()
        """What no system could promise, and how often it happened."""
        self._looks: dict[str, dict[str, float]] = {}
        self._holds: dict[str, Values] = {}
        self._read: dict[Worker, float] = {}
        self._wanted: set[Worker] = set()
        """Who has seen, since their last write of a hold, that somebody wants to be given something."""
        self._not_ours: dict[Worker, Key] = {}
        self._settled: dict[Key, float] = {}
        self._stopped_giving: dict[Key, float] = {}
        self._stopped: dict[str, float] = {}
        self._mailed: Counter[bytes] = Counter()
        self._recorded: set[bytes] = set()
        world.tables.wrote, world.tables.got = self._wrote, self._got
        world.mailer.took = self._mail
        directory = world.directory
        directory.given, directory.took, directory.called = self._given, self._took, self._called
        directory.read, directory.said_there = self._reads, self._said_there

    def break_(self, law: str, what: str) -> NoReturn:
        raise self.world.broken(law, what)

    # -- writes

    def _wrote(self, table: str, operations: Sequence[Operation]) -> None:
        self.held += 1
        look = {"due": self._due, "holds": self._hold, "audit": self._audit, "control": self._control}.get(table)
        for operation in operations:
            if look is not None:
                look(operation)
            elif table == "activations":
                self._of_an_activation(operation, operations)

    def _of_an_activation(self, operation: Operation, operations: Sequence[Operation]) -> None:
        if isinstance(operation, Delete):
            if operation.key == keys.ACTIVATION or operation.key.startswith("event-"):
                self.break_("law 10", f"{operation.key} of {operation.partition[:6]} was deleted")
        elif operation.row.key == keys.ACTIVATION:
            self._activation(operation.row, operations)
        elif "sent" in operation.row.values:
            self._told()

    def _got(self, table: str, row: Row | None) -> None:
        worker = self.world.line.current
        if table == "activations" and row is not None and row.key == keys.ACTIVATION and worker is not None:
            giving = row.values["state"] == State.PROVISIONING
            (self._wanted.add if giving else self._wanted.discard)(worker)

    def _due(self, operation: Operation) -> None:
        key = operation.key if isinstance(operation, Delete) else operation.row.key
        instant, activation, version, nonce = key.split("_")
        looks = self._looks.setdefault(activation, {})
        if isinstance(operation, Delete):
            looks.pop(key, None)
            self.world.say("drops due {} {} v{} {}", instant[9:-1], activation[:6], int(version), nonce[-3:])
            if activation in self.rows:
                self._is_looked_at(activation)
        else:
            looks[key] = self.world.clock.since(keys.read_instant(instant))
            kind = operation.row.values["kind"]
            self.world.say(
                "writes due {} {} v{} {} ({})", instant[9:-1], activation[:6], int(version), nonce[-3:], kind
            )

    def _control(self, operation: Operation) -> None:
        """Remember since when granting is stopped, and since when nothing at all is to be changed."""
        key = operation.key if isinstance(operation, Delete) else operation.row.key
        partition = operation.partition if isinstance(operation, Delete) else operation.row.partition
        if partition != keys.STOPS or key.startswith(keys.CHANGE):
            return
        if isinstance(operation, Delete):
            self._stopped.pop(key, None)
        else:
            self._stopped.setdefault(key, self.world.clock.seconds)

    def _audit(self, operation: Operation) -> None:
        """What is copied has happened (law 7)."""
        if isinstance(operation, Delete) or "activation" not in operation.row.values:
            return
        activation, number = str(operation.row.values["activation"]), int(operation.row.key.rpartition("_")[2])
        if keys.event(number) not in self.world.tables.rows.get(("activations", activation), {}):
            self.break_("law 7", f"event {number} of {activation[:6]} is told, and has not happened")

    def _hold(self, operation: Operation) -> None:
        if isinstance(operation, Delete):
            return
        row = operation.row
        values, previous = row.values, self._holds.get(row.partition, {})
        self._holds[row.partition] = values
        self.world.say("writes hold {}", _Shown(values))
        unknown = previous.get("before", Before.UNKNOWN.value) == Before.UNKNOWN.value
        worker = self.world.line.current
        if worker is not None:
            self._wanted.discard(worker)
        if unknown and values.get("before") == Before.NO.value and worker in self._read:
            self._settled[_key_of(values)] = self._read[worker]

    def _activation(self, row: Row, operations: Sequence[Operation]) -> None:
        activation, values = row.partition, row.values
        previous = self.rows.get(activation)
        self.rows[activation] = values
        events = [each.row for each in operations if not isinstance(each, Delete) and each.row.key.startswith("event-")]
        if not events:
            if previous is None or previous["state"] != values["state"] or previous["version"] != values["version"]:
                self.break_("law 10", f"{activation[:6]} changed without an event")
            return
        event = events[0]
        self.world.say("COMMITS {} {} {} -> {}", activation[:6], event.key[6:], event.values["event"], values["state"])
        if len(events) > 1 or isinstance(operations[0], Insert) is not (previous is None):
            self.break_("law 10", f"{activation[:6]} was written over what it didn't know")
        if previous is not None and values["version"] != int(previous["version"]) + 1:
            self.break_("law 10", f"{activation[:6]} went from version {previous['version']} to {values['version']}")
        self._is_looked_at(activation)
        self._moved(activation, previous or {}, values, event.values)

    def _moved(self, activation: str, previous: Values, values: Values, event: Values) -> None:
        now, state = self.world.clock.seconds, State(str(values["state"]))
        before, ends = self._seconds(previous.get("ends_at")), self._seconds(values.get("ends_at"))
        if before is not None and (ends is None or ends < before):
            self.break_("law 4", f"the end of {activation[:6]} came nearer, by {event['event']}")
        if event["event"] == Event.END_DUE and ends is not None and now < ends - SKEW - 1:
            self.break_("law 4", f"{activation[:6]} was ended {ends - now:.0f} s before its end")
        key = _key_of(values)
        was_giving = bool(previous) and asks_for(State(str(previous["state"]))) is Work.GIVING
        if was_giving and asks_for(state) is not Work.GIVING:
            self._stopped_giving[key] = now
        if event["event"] in {Event.APPROVED, Event.APPROVED_FOR_LATER, Event.DENIED}:
            self._decided(activation, values, str(event["by"]))
        if event["event"] == Event.PROVISIONED:
            self._announced(activation, key)
        if is_final(state) and activation not in self.finished:
            self.finished[activation] = now
            self._has_a_reason(key)

    def _is_looked_at(self, activation: str) -> None:
        """An alarm stands for everything that is to come, and a look for all work that is under way (law 1)."""
        values, now = self.rows[activation], self.world.clock.seconds
        state = State(str(values["state"]))
        if is_final(state):
            return
        next_look = min(self._looks.get(activation, {}).values(), default=float("inf"))
        alarm = self._seconds(values.get("alarm_at"))
        if alarm is not None and next_look > max(alarm, now):
            self.break_("law 1", f"no due row will look at {activation[:6]} when its time comes")
        if is_busy(state) and next_look > now + LONGEST_LOOK:
            self.break_("law 1", f"no due row will look at {activation[:6]}, which is {state}")

    def _decided(self, activation: str, values: Values, by: str) -> None:
        """Nobody decides for themselves, with whichever account (law 6)."""
        concerned = {_person(str(values["requester"])), _person(str(values["principal"]))}
        if _person(by) in concerned:
            self.break_("law 6", f"{by} decided about {activation[:6]}, which is their own")

    def _announced(self, activation: str, key: Key) -> None:
        """What is announced as given was there when it was read, which is a lag ago at most (law 7)."""
        directory = self.world.directory
        lately = directory.touched.get(key, -1e9) > self.world.clock.seconds - LAG - FROZEN
        if not directory.holds(*key) and not lately:
            self.break_("law 7", f"{activation[:6]} is announced, and was not given")

    # -- the directory

    def _reads(self, key: Key) -> None:
        worker = self.world.line.current
        if worker is None:
            return
        self._read[worker] = self.world.clock.seconds
        if self._not_ours.pop(worker, None) == key and self._hold_of(key).get("before") != Before.YES.value:
            self.break_("law 3", "the first ask heard that it is there already, and it is taken for ours")

    def _said_there(self, key: Key) -> None:
        if self._hold_of(key).get("asked") == 1 and self.world.line.current is not None:
            self._not_ours[self.world.line.current] = key

    def _called(self, call: str, key: Key) -> None:
        """The directory is asked to give only while somebody wants it, or did when this was last looked up (law 11)."""
        self.held += 1
        now = self.world.clock.seconds
        wanted = any(asks_for(_state(values)) is Work.GIVING for values in self._of(key))
        lately = now < self._stopped_giving.get(key, -1e9) + CALL_LIMIT + 2
        for stop, since in self._stopped.items():
            if (stop == keys.RESTORE or call == "assign") and now > since + CALL_LIMIT + 2:
                self.break_("a stop", f"{call} is sent {now - since:.0f} s after somebody stopped it ({stop})")
        announced = self._seconds(self._hold_of(key).get("until" if call == "assign" else "quiet_until"))
        if announced is None or now > announced - TAIL + SKEW + 2:
            self.break_("deadline", f"{call} is sent later than the hold announces")
        if call == "assign" and not wanted and not lately:
            self.break_("law 11", "the directory is asked to give what nobody wants")
        if call == "assign" and self.world.line.current not in self._wanted:
            self.break_("law 11", "the directory is asked, and who asks has not seen that it is wanted still")

    def _given(self, key: Key) -> None:
        self.held += 1
        self._has_a_reason(key)

    def _has_a_reason(self, key: Key) -> None:
        """What we gave is somebody's whose end is still to be proven (law 2)."""
        work = {Work.GIVING, Work.END, Work.REMOVAL}
        if key in self.world.directory.ours and not any(asks_for(_state(values)) in work for values in self._of(key)):
            self.break_("law 2", "it is given, and every activation of it is final")

    def _took(self, key: Key, was_ours: bool) -> None:  # noqa: FBT001 - the directory's own word for it
        self.held += 1
        now, put = self.world.clock.seconds, self.world.directory.touched.get(key, -1e9)
        if not was_ours and put < self._settled.get(key, -1e9) - LAG:
            self.break_("law 3", "we took away what was there before we gave anything")
        if not was_ours:
            self.excused["put by hand while we held it, and taken"] += 1
        for values in self._of(key):
            ends = self._seconds(values.get("ends_at"))
            if values["state"] == State.ACTIVE and ends is not None and now < ends:
                self.break_("law 4", f"{values['correlation_id']} is active, and it was taken from it")

    # -- mail

    def _mail(self, mail: Mail) -> None:
        """Nobody gets a mail again that is recorded as sent (law 8)."""
        self.held += 1
        telling = self._telling()
        if telling in self._recorded:
            self.break_("law 8", f"{mail.subject!r} was sent again to {mail.to}")
        if self._mailed[telling]:
            self.excused["a mail sent again: its sender died, heard no answer, or could not record it"] += 1
        self._mailed[telling] += 1

    def _told(self) -> None:
        self._recorded.add(self._telling())

    def _telling(self) -> bytes:
        worker = self.world.line.current
        assert worker is not None, "mails are sent by workers"
        assert worker.letter is not None, "mails are sent of letters"
        return worker.letter.message.body

    # -- words

    def _hold_of(self, key: Key) -> Values:
        return self._holds.get(ids.hold_id(key[1], Target(Source.GROUP_MEMBER, key[0])), {})

    def _of(self, key: Key) -> list[Values]:
        return [values for values in self.rows.values() if _key_of(values) == key]

    def _seconds(self, value: Value | None) -> float | None:
        return None if value is None else self.world.clock.since(datetime.fromisoformat(str(value)))


class _Shown:
    """A hold in words, made only if somebody reads them."""

    _BORING = frozenset({"schema", "principal", "target", "roles"})

    def __init__(self, values: Values) -> None:
        self._values = values

    def __format__(self, spec: str) -> str:
        return str({key: value for key, value in sorted(self._values.items()) if key not in self._BORING})


def _state(values: Values) -> State:
    return State(str(values["state"]))


def _person(account: str) -> str:
    return SAME_PERSON.get(account, account)


def _key_of(values: Values) -> Key:
    """Return group and member of an activation's or a hold's row."""
    target = str(values.get("target", ""))
    return target.partition('"id":"')[2].partition('"')[0], str(values.get("principal", ""))
