"""Bugs, planted one at a time, to see whether the simulation has eyes: each breaks a law, and is to be found by it.

The attacked model of the protocol had ten fixes; each is taken away from the code here, under these names:

======  ==============================================  =====================================================
fix     says                                            planted as
======  ==============================================  =====================================================
table   what may have been asked ends with a proof      a refusal fails at once
fence   who was released gives nothing any more         a released activation claims again; it asks unwanted
lease   a call is on the wire in time, or not at all    a grant is sent after its time
rlease  the same for removals, and others wait for it   a removal is sent after its time; quiet time ignored
before  claim first, then settle what was held before   held before not recorded; "already there" always ours
due     a due row is never shared                       due rows shared
purge   live ids of what is final are dropped           (with the fence, none is left behind to be dropped)
asked   only where nothing was asked, nothing is given  a refusal forgets the earlier ask
retry   what waits is never abandoned                   waiting by abandoning
proof   a read proves only after the last landing       any read taken as proof
======  ==============================================  =====================================================
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

from access import hold as holding
from access import lifecycle
from access.adapters import keys, triggers
from access.adapters import ledger as ledgers
from access.adapters.controls import TableControls
from access.adapters.guards import GuardedDirectory, GuardedMailer
from access.adapters.ledger import Ledger
from access.adapters.tables import Delete, Insert, Operation, Put, Tables
from access.errors import Code, NotAssigned
from access.events import Event
from access.hold import Hold, Outcome, Presence, Write
from access.model import State
from activation_handler import extend as extending
from activation_handler import give as giving
from activation_handler import take_request as requests
from approval_queue import record_decision as deciding
from expiry_timer import release as releasing
from expiry_timer import sweep as sweeping

Planting = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Bug:
    """How a bug is planted, the laws that it breaks, the style of runs that is aimed at it, and how many find it.

    ``within``: so many seeds find it for sure; most need a tenth of that.
    """

    plant: Planting
    laws: AbstractSet[str]
    style: str | None = None
    within: int = 100


def _changed(owner: Any, name: str, make: Callable[[Any], Any]) -> Planting:
    """Return what replaces a function by one that is made of it."""
    return lambda: patch.object(owner, name, make(getattr(owner, name)))


class _Wrapped:
    """Tables, but for what a subclass does differently."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)


class _LateDueRows(_Wrapped):
    """Tables that write due rows at the next write of anything else, and not before."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._waiting: list[Insert] = []

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if table == "due" and isinstance(operations[0], Insert):
            self._waiting += [operation for operation in operations if isinstance(operation, Insert)]
            return [""] * len(operations)
        etags = await self._tables.write(table, operations)
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._tables.write("due", waiting)
        return etags


class _SharedDueRows(_Wrapped):
    """Tables that write a due row over the one of the same instant."""

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        if table == "due":
            operations = [Put(each.row) if isinstance(each, Insert) else each for each in operations]
            operations = list(
                {(each.key if isinstance(each, Delete) else each.row.key): each for each in operations}.values()
            )
        return await self._tables.write(table, operations)


class _EarlyOutbox(_Wrapped):
    """Tables that send the effects of a transaction before they write it."""

    send: Callable[..., Any]

    async def write(self, table: str, operations: Sequence[Operation]) -> list[str]:
        outs = [each.row for each in operations if isinstance(each, Insert) and each.row.key.startswith("out-")]
        if outs:
            await self.send(outs[0].partition, outs)
        return await self._tables.write(table, operations)


def _with_tables(make: Callable[[Ledger], Any]) -> Planting:
    """Return what has a commit write to other tables."""

    def committing(commit: Any) -> Any:
        async def differently(self: Ledger, change: Any, **more: Any) -> Any:
            own = Ledger.__new__(Ledger)
            own.__dict__.update(self.__dict__)
            own._tables = make(self)
            return await commit(own, change, **more)

        return differently

    return _changed(Ledger, "commit", committing)


def _early(ledger: Ledger) -> _EarlyOutbox:
    tables = _EarlyOutbox(ledger._tables)
    tables.send = ledger._send_all
    return tables


def _in_row_forgotten(commit: Any) -> Any:
    return lambda self, change, **more: commit(self, replace(change, command=None), **more)


async def _ended_without_proof(hold: Hold, ports: Any) -> tuple[Outcome, dict[str, object]]:
    hold, _ = await releasing._ask_removal(hold, ports)
    await ports.store.write_hold(_freed(hold, ports.clock.now(), ports.timing))
    return Outcome.PROVEN_GONE, {}


def _freed(hold: Hold, now: Any, timing: Any) -> Hold:
    free = holding.prove(replace(hold, until=None), Presence.NOT_HELD, read_began=now, timing=timing)
    assert isinstance(free, Write), "nothing stands in the way of a proof"
    return free.hold


def _nothing_there_is_gone(go_on: Any) -> Any:
    """The end is recorded by what the removal itself was answered: nothing there."""

    async def remove(hold: Hold, ports: Any) -> tuple[Outcome, dict[str, object]]:
        try:
            deadline = ports.clock.monotonic() + ports.timing.call_limit.total_seconds()
            hold = await ports.store.write_hold(holding.attempt(hold, now=ports.clock.now(), timing=ports.timing))
            await ports.directory.remove(hold.principal, hold.target, deadline=deadline)
        except NotAssigned:
            await ports.store.write_hold(_freed(hold, ports.clock.now(), ports.timing))
            return Outcome.PROVEN_GONE, {}
        outcome: tuple[Outcome, dict[str, object]] = await go_on(hold, ports)
        return outcome

    return remove


def _any_read_proves(prove: Any) -> Any:
    return lambda hold, presence, **more: prove(replace(hold, until=None), presence, **more)


def _alone(release: Any) -> Any:
    def differently(hold: Hold, activation: str, *, finished: frozenset[str], now: Any) -> Any:
        return release(hold, activation, finished=finished | hold.live.keys(), now=now)

    return differently


def _never_held_before(settle: Any) -> Any:
    def differently(hold: Hold, presence: Presence, **more: Any) -> Any:
        return settle(hold, Presence.NOT_HELD if presence is Presence.HELD else presence, **more)

    return differently


def _gone_is_not_held(settle: Any) -> Any:
    def differently(hold: Hold, presence: Presence, **more: Any) -> Any:
        return settle(hold, Presence.NOT_HELD if presence is Presence.GONE else presence, **more)

    return differently


def _without(function: Any, **fields: Any) -> Any:
    """Return a function of a hold that doesn't see some of its fields."""

    def differently(hold: Hold, *arguments: Any, **more: Any) -> Any:
        return function(replace(hold, **fields), *arguments, **more)

    return differently


def _compared_by_mail(may_decide: Any) -> Any:
    """Who decides is told from who asked by the addresses of the two accounts."""

    def differently(activation: Any, demand: Any, decider: Any, *, concerned: Any) -> Any:
        unmet = may_decide(activation, demand, decider, concerned=concerned)
        mails = {one.mail for one in concerned.accounts if one.id in {activation.requester, activation.principal}}
        mine = next((one.mail for one in decider.person.accounts if one.id == decider.account), None)
        return [each for each in unmet if each.code != Code.DECISION_SELF or mine in mails]

    return differently


def _id_by_the_clock(request: Any) -> Any:
    async def differently(command: Any, envelope: Any, *, ports: Any) -> None:
        stamped = f"{command.request_id} {ports.clock.now()}"
        await request(replace(command, request_id=stamped), envelope, ports=ports)

    return differently


def _shorter(longer: Any) -> Any:
    """The new end is counted from now."""

    def differently(activation: Any, order: Any, verdict: Any) -> Any:
        change = longer(activation, order, verdict)
        return replace(change, after=replace(change.after, ends_at=order.now + verdict.duration))

    return differently


async def _stops_at_once(*row: Any) -> None:
    await sweeping._carry_out(*row)


def _late(name: str) -> Planting:
    """A call is sent however late it is."""

    def without_deadline(call: Any) -> Any:
        return lambda self, principal, target, *, deadline: call(self, principal, target, deadline=float("inf"))

    return _changed(GuardedDirectory, name, without_deadline)


async def _abandoned(_raw: Any, _envelope: Any, later: Any, _ports: Any) -> None:
    raise later


async def _no_stops(_self: Any, _role: str, _principal: str) -> tuple[object, ...]:
    return ()


async def _nothing(_self: Any, *_arguments: Any) -> None:
    return None


def _any_time(send: Any) -> Any:
    return lambda self, mail, *, deadline: send(self, mail, deadline=float("inf"))


@contextmanager
def _refusal_is_the_end() -> Iterator[None]:
    moves = {**lifecycle.TABLE[State.PROVISIONING], Event.PROVISIONING_REFUSED: State.FAILED}
    with patch.dict(lifecycle.TABLE, {State.PROVISIONING: moves}):
        yield


@contextmanager
def _due_rows_shared() -> Iterator[None]:
    with ExitStack() as planted:
        planted.enter_context(_with_tables(lambda ledger: _SharedDueRows(ledger._tables))())
        planted.enter_context(patch.object(keys, "due", _shared_key))
        yield


def _shared_key(at: Any, activation: str, _version: int, _nonce: str) -> str:
    return f"{keys.instant(at)}_{activation}_000000_00000000"


PLANTED: Mapping[str, Bug] = {
    "due rows after the transaction": Bug(_with_tables(lambda ledger: _LateDueRows(ledger._tables)), {"law 1"}),
    "ending left on the call's return": Bug(
        lambda: patch.object(releasing, "_remove", _ended_without_proof), {"law 2"}
    ),
    "in-row forgotten": Bug(_changed(Ledger, "commit", _in_row_forgotten), {"law 8"}),
    "the other holders not counted": Bug(_changed(holding, "release", _alone), {"law 4"}),
    "etag ignored": Bug(lambda: patch.object(ledgers, "Replace", Put), {"law 10"}),
    "outbox sent before the commit": Bug(_with_tables(_early), {"law 7", "law 10"}),
    "held before not recorded": Bug(_changed(holding, "settle_before", _never_held_before), {"law 3"}, "not ours"),
    "approver compared by mail": Bug(_changed(deciding, "may_decide", _compared_by_mail), {"law 6"}),
    "nothing there taken as gone": Bug(_changed(releasing, "_remove", _nothing_there_is_gone), {"law 2"}, "stale"),
    "extension shortens": Bug(_changed(extending, "_longer", _shorter), {"law 4"}, "few faults"),
    "id made from the clock": Bug(_changed(requests, "request_activation", _id_by_the_clock), {"law 8"}),
    "sweep stops at the first failure": Bug(lambda: patch.object(sweeping, "_look_at", _stops_at_once), {"a bug"}),
    "stops not read": Bug(lambda: patch.object(TableControls, "stops", _no_stops), {"a stop"}, "hasty", within=200),
    "a restored ledger changes things": Bug(
        lambda: patch.object(TableControls, "prove_only", _nothing), {"a stop"}, within=200
    ),
    "a mail is sent after its lease": Bug(_changed(GuardedMailer, "send", _any_time), {"law 8"}),
    "a command chooses again": Bug(lambda: patch.multiple(Ledger, intended_for=_nothing, intend=_nothing), {"law 8"}),
    "an old replica is believed": Bug(
        lambda: patch.object(holding, "confirms", lambda _hold, **_more: None), {"law 7"}, "stale, again", within=200
    ),
    "table: a refusal fails at once": Bug(_refusal_is_the_end, {"law 2", "the end"}, "landing late"),
    "fence: a released activation claims again": Bug(
        _changed(holding, "claim", partial(_without, released={})), {"the end", "law 2"}, "frozen, again", within=200
    ),
    "fence: it asks unwanted": Bug(
        lambda: patch.object(giving, "may", lambda _state, _event: True), {"law 11"}, "hasty", within=200
    ),
    "lease: a grant is sent after its time": Bug(_late("assign"), {"deadline"}, "frozen, again"),
    "rlease: a removal is sent after its time": Bug(_late("remove"), {"deadline"}, "frozen, again"),
    "rlease: quiet time ignored": Bug(
        _changed(holding, "claim", partial(_without, quiet_until=None)), {"law 4"}, "landing late, again"
    ),
    "before: already there is always ours": Bug(
        lambda: patch.object(holding, "found_already_there", lambda asked: replace(asked, unsure=True)),
        {"law 3"},
        "not ours",
        within=200,
    ),
    "before: one 404 taken as not held": Bug(
        _changed(holding, "settle_before", _gone_is_not_held), {"law 3"}, "not ours"
    ),
    "before: our last removal forgotten": Bug(
        _changed(holding, "settle_before", partial(_without, gone_at=None)), {"law 7"}, "stale, again"
    ),
    "due: rows shared": Bug(_due_rows_shared, {"law 1", "the end"}),
    "asked: a refusal forgets the earlier ask": Bug(
        lambda: patch.object(holding, "definitely_refused", lambda asked: replace(asked, asked=0)),
        {"law 2"},
        "landing late",
    ),
    "retry: waiting by abandoning": Bug(lambda: patch.object(triggers, "_put_off", _abandoned), {"economy"}),
    "proof: any read taken as proof": Bug(_changed(holding, "prove", _any_read_proves), {"law 2"}, "landing late"),
}
"""Every bug that is planted, by its name."""
