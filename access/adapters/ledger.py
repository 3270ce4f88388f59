"""The record of activations on tables: due rows first, one transaction per change, then the outbox (protocol 4).

This is the one place that knows the order. It runs unchanged on Azure Tables and on the fake of the simulation.
"""

import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched

from access import ids
from access.adapters import keys
from access.adapters.ledger_rows import (
    NOT_STORED,
    activation_of,
    asked_row,
    due_of,
    due_values,
    event_out,
    event_row,
    send_out,
)
from access.adapters.rows import from_row, to_row
from access.adapters.tables import Delete, Insert, Operation, Put, Replace, Row, Tables
from access.change import Change
from access.errors import Conflict, TryAgain
from access.events import ALARMING, Happened
from access.expiry import ALARM_ROW, FIRST_LOOK, NOW_ROW, RETRY_ROW, alarm_at, alarm_send
from access.hold import Hold
from access.lifecycle import is_final
from access.model import Activation, Asked, Due, Target, Timing
from access.ports import Sender

log = logging.getLogger(__name__)

TELLING_LEASE = timedelta(minutes=2)
_TOLD_BY_ANOTHER = "another worker is sending this mail"
CLOCK_MARGIN = timedelta(seconds=30)
SENDER_GRACE = timedelta(seconds=20)
"""How long a commit's outbox is left to its writer; shorter than the first look of the sweep, at 30 seconds."""

DUE_LIMIT = 250
"""Rows that are read at once: what is due may be more than fits into memory."""

DUE_AT_ONCE = 4_000
"""Rows that one sweep is given, the most overdue of all shards; the rest is there a minute later."""

TRANSACTION = 100
"""Operations that one transaction holds."""


def _random_nonce() -> str:
    return secrets.token_hex(4)


class Ledger:
    """Implements ``ports.Store`` on ``Tables`` and a ``Sender``."""

    def __init__(
        self, tables: Tables, bus: Sender, timing: Timing, *, nonce: Callable[[], str] = _random_nonce
    ) -> None:
        self._tables = tables
        self._bus = bus
        self._lease = timing.call_limit * 2 + CLOCK_MARGIN
        self._leases: dict[tuple[str, str], Activation] = {}
        self._nonce = nonce

    async def activation(self, activation: str) -> Activation | None:
        """Return the activation, or None where there is none."""
        row = await self._tables.get("activations", activation, keys.ACTIVATION)
        return None if row is None else activation_of(row)

    async def commit(self, change: Change, *, now: datetime, lease: bool = False) -> Activation:
        """Write due rows, then the change in one transaction, then send its effects."""
        before, version = change.before, change.after.version + 1
        instant = alarm_at(change.after)
        moved = instant is not None and (before is None or instant != before.alarm_at)
        due = [self._due_row(change.after.id, now + FIRST_LOOK, version, NOW_ROW)]
        if instant is not None and moved:
            due.append(self._due_row(change.after.id, instant, version, ALARM_ROW))
        await self._tables.write("due", [Insert(row) for row in due])

        alarm = due[-1].key if moved else (change.after.alarm if instant else None)
        alarmed = alarm_send(change.after) if moved else None
        sends = [*change.sends, *([alarmed] if alarmed else [])]
        event = event_row(change.after, change.happened)
        after = replace(
            change.after,
            version=version,
            events=change.after.events + 1,
            sends=change.after.sends + 1 + len(sends),
            chain=str(event.values["hash"]),
            alarm=alarm,
            alarm_at=instant,
            leased_until=now + self._lease if lease else None,
        )
        outs = [event_out(change, event), *(send_out(after, send) for send in sends)]
        written = {"written": keys.instant(now)}
        outs = [
            replace(out, key=keys.out(change.after.sends + number), values={**out.values, **written})
            for number, out in enumerate(outs, start=1)
        ]
        own = Row(partition=after.id, key=keys.ACTIVATION, values=to_row(after, leave_out=NOT_STORED), etag=after.etag)
        operations: list[Operation] = [Insert(own) if before is None else Replace(own), Insert(event)]
        operations += [Insert(row) for row in outs]
        operations += [Put(asked_row(after.id, asked)) for asked in change.asked]
        if change.command is not None:
            said = {"content": change.content} if change.content else {}
            operations.append(Insert(Row(partition=after.id, key=keys.command(change.command), values=said)))
        etags = await self._tables.write("activations", operations)
        self._leases.pop(_lease_of(after), None)
        after = replace(after, etag=etags[0])
        if lease:
            self._leases[_lease_of(after)] = after
        level = logging.ERROR if change.happened.event in ALARMING else logging.INFO
        log.log(level, change.happened.event, extra=_said(after, change.happened))
        await self._send_all(after.id, outs)
        return after

    async def seen(self, activation: str, command: str) -> bool:
        """Whether this command has had its effect on this activation."""
        return await self._tables.get("activations", activation, keys.command(command)) is not None

    async def content_seen(self, activation: str, command: str) -> str | None:
        """Return what a command said that has had its effect on this activation."""
        row = await self._tables.get("activations", activation, keys.command(command))
        return None if row is None else str(row.values.get("content", ""))

    async def intended_for(self, command: str) -> str | None:
        """Return the activation that a command is about to change, or has changed."""
        row = await self._tables.get("activations", command, keys.command(command))
        about = None if row is None else row.values.get("about")
        return None if about is None else str(about)

    async def intend(self, command: str, activation: str) -> None:
        """Record it where a refusal would write the command's row: of the two, one comes first."""
        row = Row(partition=command, key=keys.command(command), values={"about": activation})
        await self._tables.write("activations", [Insert(row)])

    async def newest_of(self, principal: str, role: str, *, limit: int) -> tuple[str, ...]:
        """Return the activations of a role among the newest of an account."""
        listed = self._tables.query("byprincipal", keys.principal(principal), start="0", end=keys.END, limit=limit)
        return tuple([str(row.values["activation"]) async for row in listed if row.values["role"] == role])

    async def flush(self, activation: str, *, now: datetime) -> bool:
        """Send what an earlier worker left in the outbox, and say whether nothing is left.

        Fresh rows are their writer's, who is sending them now: sending them here too would have each nudge breed another.
        """
        start, end = keys.OUT
        rows = [row async for row in self._tables.query("activations", activation, start=start, end=end)]
        left = [row for row in rows if now >= keys.read_instant(str(row.values["written"])) + SENDER_GRACE]
        return await self._send_all(activation, left) and len(left) == len(rows)

    async def asked(self, activation: str) -> tuple[Asked, ...]:
        """Return the approvers who were asked, with their cards."""
        start, end = keys.ASKED
        rows = self._tables.query("activations", activation, start=start, end=end)
        return tuple([from_row(Asked, row.values) async for row in rows])

    @asynccontextmanager
    async def drive(self, activation: Activation, *, now: datetime) -> AsyncIterator[Activation]:
        """Hold the lease on work for this activation; a commit inside gives it back, and so does leaving the block.

        Who committed with the lease has it already, by the very value that the commit returned.
        """
        has_it = self._leases.get(_lease_of(activation)) is activation
        leased = activation if has_it else await self._take_lease(activation, now)
        try:
            yield leased
        finally:
            await self._give_back(leased)

    async def _take_lease(self, activation: Activation, now: datetime) -> Activation:
        until = activation.leased_until
        if until and now < until <= now + self._lease + CLOCK_MARGIN:  # a later one is a wrong clock's
            raise TryAgain("another worker is at this activation", after=until - now)
        try:
            leased = await self._rewrite(replace(activation, leased_until=now + self._lease))
        except Conflict:
            raise TryAgain("another worker is at this activation", after=timedelta(seconds=2)) from None
        self._leases[_lease_of(leased)] = leased
        return leased

    async def _give_back(self, leased: Activation) -> None:
        """Give the lease back, unless a commit did; where somebody wrote meanwhile, it is not ours any more."""
        if self._leases.pop(_lease_of(leased), None) is None:
            return
        try:
            await self._rewrite(replace(leased, leased_until=None))
        except (Conflict, TryAgain):
            log.info("lease.kept", extra={"activation_id": leased.id})

    async def _rewrite(self, activation: Activation) -> Activation:
        values = to_row(activation, leave_out=NOT_STORED)
        row = Row(partition=activation.id, key=keys.ACTIVATION, values=values, etag=activation.etag)
        return replace(activation, etag=(await self._tables.write("activations", [Replace(row)]))[0])

    async def hold(self, principal: str, target: Target) -> Hold:
        """Return the hold of this principal on this target."""
        row = await self._tables.get("holds", ids.hold_id(principal, target), keys.HOLD)
        if row is None:
            return Hold(principal=principal, target=target)
        return from_row(Hold, row.values, etag=row.etag)

    async def write_hold(self, hold: Hold) -> Hold:
        """Write the row if nobody did since it was read."""
        values = to_row(hold, leave_out=frozenset({"etag"}))
        row = Row(partition=ids.hold_id(hold.principal, hold.target), key=keys.HOLD, values=values, etag=hold.etag)
        etags = await self._tables.write("holds", [Replace(row) if hold.etag else Insert(row)])
        return replace(hold, etag=etags[0])

    async def remind(self, activation: Activation, at: datetime) -> None:
        """Have the activation looked at again, once, at ``at``."""
        await self._tables.write("due", [Insert(self._due_row(activation.id, at, activation.version, RETRY_ROW))])

    async def put_off(self, activation: str, queue: str, at: datetime, *, now: datetime) -> bool:
        """Whether work of ``queue`` is tried again at ``at``, by the caller. No: somebody will have tried by then anyway.

        Each look of the sweep may meet the same outage. If each were put off for itself, the messages would double at
        every try: so one stands for all, and each of them is a due row as well as a message.
        """
        key = keys.retry(queue)
        found = await self._tables.get("activations", activation, key)
        if found is not None and now < keys.read_instant(str(found.values["at"])) <= at:
            return False
        current = await self.activation(activation)
        if current is not None:
            await self.remind(current, at)
        row = Row(partition=activation, key=key, values={"at": keys.instant(at)}, etag=found.etag if found else "")
        try:
            await self._tables.write("activations", [Replace(row) if found else Insert(row)])
        except Conflict:
            return False
        return True

    async def due(self, *, now: datetime, limit: int = DUE_AT_ONCE) -> AsyncIterator[Due]:
        """Yield what is due by ``now`` and doesn't rest, most overdue first over all shards, at most ``limit`` rows.

        A shard that doesn't answer takes its time: what was found is yielded before the next one is read, and each minute
        begins at another shard, so that no shard has the others wait for good.
        """
        found: list[Due] = []
        missed: TryAgain | None = None
        first = now.minute % keys.SHARDS
        for shard in (*keys.shards()[first:], *keys.shards()[:first]):
            try:
                async for page in self._due_pages(shard, end=keys.instant(now) + keys.END):
                    awake = [due for row, due in page if str(row.values.get("rests_until", "")) <= keys.instant(now)]
                    found = sorted([*found, *awake], key=lambda due: (due.since, due.key))[:limit]
            except TryAgain as fault:
                log.warning("due.shard_unread", extra={"shard": shard, "what": fault.what})
                missed = fault
                for due in found:
                    yield due
                found = []
        for due in found:
            yield due
        if missed is not None:
            raise missed

    async def open_activations(self) -> AsyncIterator[Activation]:
        """Yield every activation that is not final, once."""
        for shard in keys.shards():
            seen: set[str] = set()
            async for due in self._all_due(shard):
                if due.activation in seen:
                    continue
                seen.add(due.activation)
                activation = await self.activation(due.activation)
                if activation is not None and not is_final(activation.state):
                    yield activation

    async def _all_due(self, shard: str) -> AsyncIterator[Due]:
        """Yield all rows of a shard, a page at a time; a row that is put off meanwhile comes again, further on."""
        async for page in self._due_pages(shard, end=keys.END):
            for _, due in page:
                yield due

    async def _due_pages(self, shard: str, *, end: str) -> AsyncIterator[list[tuple[Row, Due]]]:
        """Yield the rows of a shard in pages. A row that can't be read is left where it is, and said."""
        start = "0"
        while True:
            rows = [row async for row in self._tables.query("due", shard, start=start, end=end, limit=DUE_LIMIT)]
            page = []
            for row in rows:
                try:
                    page.append((row, due_of(row)))
                except ValueError:
                    log.exception("due.row_unreadable", extra={"shard": shard, "row": row.key})
            yield page
            if len(rows) < DUE_LIMIT:
                return
            start = keys.after(rows[-1].key)

    async def rearm(self, due: Due, at: datetime) -> None:
        """Put the row off to ``at``, counted, in one transaction: of two sweeps that meet at it, one does."""
        row = self._due_row(due.activation, at, due.version, due.kind, since=due.since, tries=due.tries + 1)
        with suppress(Conflict):  # the other one has, or has dropped it
            await self._tables.write("due", [Insert(row), Delete(due.shard, due.key)])

    async def rest(self, due: Due, until: datetime) -> None:
        """Leave the row where it is, counted, and don't yield it again before ``until``."""
        values = due_values(due.activation, due.version, due.kind, since=due.since, tries=due.tries + 1)
        row = Row(partition=due.shard, key=due.key, values={**values, "rests_until": keys.instant(until)})
        await self._tables.write("due", [Put(row)])

    async def drop(self, dues: Sequence[Due]) -> None:
        """Delete due rows, those of one shard together; gone already is fine."""
        for shard in sorted({due.shard for due in dues}):
            deletes = [Delete(shard, due.key) for due in dues if due.shard == shard]
            for some in batched(deletes, TRANSACTION, strict=False):
                await self._delete("due", some)

    async def _delete(self, table: str, deletes: Sequence[Delete]) -> None:
        """Delete rows of one partition in one transaction; where somebody has deleted some of them, one by one."""
        try:
            await self._tables.write(table, deletes)
        except Conflict:
            for delete in deletes:
                await self._tables.write(table, [delete])

    async def begin_telling(self, activation: str, telling: str, *, now: datetime) -> bool:
        """Whether this mail is still to be sent, and by us."""
        row = Row(partition=activation, key=keys.told(telling), values={"until": keys.instant(now + TELLING_LEASE)})
        with suppress(Conflict):
            await self._tables.write("activations", [Insert(row)])
            return True
        found = await self._tables.get("activations", activation, row.key)
        if found is not None and "sent" in found.values:
            return False
        until = now + TELLING_LEASE if found is None else keys.read_instant(str(found.values["until"]))
        if found is None or now < until:
            raise TryAgain(_TOLD_BY_ANOTHER, after=until - now)
        try:
            await self._tables.write("activations", [Replace(replace(row, etag=found.etag))])
        except Conflict:
            raise TryAgain(_TOLD_BY_ANOTHER, after=TELLING_LEASE) from None
        return True

    async def stop_telling(self, activation: str, telling: str, *, began: datetime) -> None:
        """Give back what ``begin_telling`` gave at ``began``, unless somebody else has taken it over since."""
        found = await self._tables.get("activations", activation, keys.told(telling))
        if found is None or found.values.get("until") != keys.instant(began + TELLING_LEASE):
            return
        with suppress(Conflict):
            await self._tables.write("activations", [Replace(replace(found, values={"until": keys.instant(began)}))])

    async def told(self, activation: str, telling: str, *, now: datetime) -> None:
        """Record that a mail was sent."""
        values = {"sent": keys.instant(now), "telling": telling}
        row = Row(partition=activation, key=keys.told(telling), values=values)
        await self._tables.write("activations", [Put(row)])

    def _due_row(
        self, activation: str, at: datetime, version: int, kind: str, *, since: datetime | None = None, tries: int = 0
    ) -> Row:
        key = keys.due(at, activation, version, self._nonce())
        values = due_values(activation, version, kind, since=since or at, tries=tries)
        return Row(partition=keys.shard(activation), key=key, values=values)

    async def _send_all(self, activation: str, outs: Sequence[Row]) -> bool:
        """Send each row's effect; rows whose effect left are deleted. Whether all did: what can't leave now, the sweep sends."""
        left = [out for out in outs if await self._sent(activation, out)]
        return (not left or await self._forget(activation, left)) and len(left) == len(outs)

    async def _sent(self, activation: str, out: Row) -> bool:
        values = out.values
        number = out.key.removeprefix("out-")
        try:
            if "copy" in values:
                await self._copy(activation, out)
            at = keys.read_instant(str(values["at"])) if "at" in values else None
            await self._bus.send(
                str(values["queue"]),
                json.loads(str(values["body"])),
                message_id=f"{activation}-{number}",
                correlation_id=str(values.get("correlation", "")),
                at=at,
            )
        except TryAgain as fault:
            log.warning("outbox.delayed", extra={"activation_id": activation, "out": out.key, "what": fault.what})
            return False
        except Exception:  # an effect that can't leave must not keep the others, and what is to be ended, waiting
            log.exception("outbox.broken", extra={"activation_id": activation, "out": out.key})
            return False
        return True

    async def _copy(self, activation: str, out: Row) -> None:
        """Copy an event to the audit, and a new activation to its principal's list; both can be made again."""
        event = json.loads(str(out.values["copy"]))
        at = datetime.fromisoformat(event["at"])
        partition, key = keys.audit(at, activation, int(event["number"]))
        row = Row(partition=partition, key=key, values={"activation": activation, "record": str(out.values["copy"])})
        await self._tables.write("audit", [Put(row)])
        if event["number"] == 1 and ids.is_guid(str(out.values["principal"])):
            listed = Row(
                partition=keys.principal(str(out.values["principal"])),
                key=keys.newest_first(at, activation),
                values={"activation": activation, "role": str(out.values["role"])},
            )
            await self._tables.write("byprincipal", [Put(listed)])

    async def _forget(self, activation: str, sent: Sequence[Row]) -> bool:
        """Delete the rows of effects that left; one that stays is sent again, as the same message."""
        try:
            await self._delete("activations", [Delete(activation, row.key) for row in sent])
        except TryAgain as fault:
            log.warning("outbox.kept", extra={"activation_id": activation, "what": fault.what})
            return False
        return True


def _lease_of(activation: Activation) -> tuple[str, str]:
    """Return what tells one lease from another: the write that took it."""
    return activation.id, activation.etag


def _said(after: Activation, happened: Happened) -> dict[str, object]:
    codes = [demand.code for demand in after.unmet]
    return {
        "activation_id": after.id,
        "state": after.state.value,
        "version": after.version,
        **({"unmet": codes} if codes else {}),
        **{key: value for key, value in happened.details.items() if isinstance(value, int | float)},
    }
