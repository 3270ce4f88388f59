"""What use cases need of the outside, in our words. Adapters implement these; fakes do too, proven by the same suites.

Every method may raise ``TryAgain`` when the outside can't answer now: a look-up that fails is never an empty answer.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from access.change import Change
from access.drift import Finding
from access.errors import TryAgain
from access.hold import Hold, Presence
from access.model import Account, Activation, Asked, Due, Eligibility, Person, RoleSettings, Stop, Target, Timing
from access.pace import Lane
from access.policy import Facts
from access.wire import Envelope


class Clock(Protocol):
    """Time. One ``now`` per decision; ``monotonic`` for deadlines only."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC, to the second."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that is never set."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Let ``span`` pass, while others work."""
        ...


class Store(Protocol):
    """The record of activations: one transaction per change, due rows first, effects by the outbox (protocol 4)."""

    async def activation(self, activation: str) -> Activation | None:
        """Return the activation, or None where there is none."""
        ...

    async def commit(self, change: Change, *, now: datetime, lease: bool = False) -> Activation:
        """Write a change, send what it says, and return the activation as written.

        With ``lease`` the lease on work comes with it: for who goes on at once, and drives what this returned.

        Raises:
            Conflict: it was written since it was read, or exists already. Nothing was written but due rows.
        """
        ...

    async def seen(self, activation: str, command: str) -> bool:
        """Whether this command has had its effect on this activation."""
        ...

    async def content_seen(self, activation: str, command: str) -> str | None:
        """Return what a command said that has had its effect on this activation; None: it has had none."""
        ...

    async def intended_for(self, command: str) -> str | None:
        """Return the activation that a command is about to change, or has changed; None: it has chosen none yet."""
        ...

    async def intend(self, command: str, activation: str) -> None:
        """Record which activation a command is about to change, before it does: every delivery of it means the same one.

        Raises:
            Conflict: one is recorded already, or the command was refused.
        """
        ...

    async def newest_of(self, principal: str, role: str, *, limit: int) -> tuple[str, ...]:
        """Return the activations of a role among the newest ``limit`` of an account; may lag a moment behind."""
        ...

    async def flush(self, activation: str, *, now: datetime) -> bool:
        """Send what an earlier worker left in the outbox, and say whether nothing is left.

        Fresh rows are their writer's, who is sending them now. The sweep does this, and whoever gets a command twice; a
        nudge starts work, and costs no look at the outbox.
        """
        ...

    async def asked(self, activation: str) -> tuple[Asked, ...]:
        """Return the approvers who were asked, with their cards."""
        ...

    def drive(self, activation: Activation, *, now: datetime) -> AbstractAsyncContextManager[Activation]:
        """Hold the one lease on work for this activation; it is given back when the block raises.

        Raises:
            TryAgain: another worker has it.
        """
        ...

    async def hold(self, principal: str, target: Target) -> Hold:
        """Return the hold of this principal on this target; a free one with an empty etag where there is no row."""
        ...

    async def write_hold(self, hold: Hold) -> Hold:
        """Write the row if nobody did since it was read, and return it as written.

        Raises:
            Conflict: somebody did.
        """
        ...

    async def put_off(self, activation: str, queue: str, at: datetime, *, now: datetime) -> bool:
        """Whether work of ``queue`` is tried again at ``at``, by the caller. No: somebody will have tried by then anyway."""
        ...

    def due(self, *, now: datetime) -> AsyncIterator[Due]:
        """Yield what is due by ``now`` and doesn't rest, most overdue first. Costs what is due, not what exists.

        Raises:
            TryAgain: after the last row, where a part could not be read.
        """
        ...

    def open_activations(self) -> AsyncIterator[Activation]:
        """Yield every activation that is not final, once: each has a due row, and all of these are walked, page by page."""
        ...

    async def rearm(self, due: Due, at: datetime) -> None:
        """Put the row off to ``at``, counted; where somebody else has, or has dropped it, it stays as it is."""
        ...

    async def rest(self, due: Due, until: datetime) -> None:
        """Leave the row where it is, counted, and don't yield it again before ``until``."""
        ...

    async def drop(self, dues: Sequence[Due]) -> None:
        """Delete due rows, those of one shard together; gone already is fine."""
        ...

    async def begin_telling(self, activation: str, telling: str, *, now: datetime) -> bool:
        """Whether this mail is still to be sent, and by us.

        Raises:
            TryAgain: another worker is sending it.
        """
        ...

    async def stop_telling(self, activation: str, telling: str, *, began: datetime) -> None:
        """Give back what ``begin_telling`` gave at ``began``: the mail was not sent, and whoever is next need not wait."""
        ...

    async def told(self, activation: str, telling: str, *, now: datetime) -> None:
        """Record that a mail was sent: it is not sent again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What one finished sweep did, in rows, and when; ``started_by``: what started it."""

    began: datetime
    ended: datetime
    started_by: str
    due: int = 0
    sent: int = 0
    dropped: int = 0
    failed: int = 0
    dead_letters: int = 0


class Pulse(Protocol):
    """The sign of life of the sweep, and the tick that starts it again (docs/storage.md, table ``control``)."""

    async def last_beat(self) -> Beat | None:
        """Return the last sweep that finished; None: there was none yet."""
        ...

    async def beat(self, beat: Beat) -> None:
        """Record a sweep that finished."""
        ...

    async def claim_tick(self, at: datetime, *, now: datetime) -> str | None:
        """Return the claim to send the next tick, for ``at``; None: it is on its way.

        Raises:
            TryAgain: another worker has claimed it, and has not said that it was sent; it may have died.
        """
        ...

    async def tick_sent(self, claim: str, at: datetime, *, now: datetime) -> None:
        """Record that the tick that was claimed is on its way."""
        ...

    async def disclaim_tick(self) -> None:
        """The tick that was claimed could not be sent: whoever asks next may."""
        ...


class Register(Protocol):
    """What the access owner decided: roles and eligibilities."""

    async def roles(self) -> Mapping[str, RoleSettings]:
        """Return all roles by their keys."""
        ...

    async def role(self, role: str) -> RoleSettings | None:
        """Return a role's settings, or None where there is no such role."""
        ...

    async def direct_eligibility(self, role: str, principal: str) -> Eligibility | None:
        """Return the eligibility of this very principal."""
        ...

    async def group_eligibilities(self, role: str) -> tuple[Eligibility, ...]:
        """Return the eligibilities that groups have for this role."""
        ...


class Controls(Protocol):
    """What people have stopped. A stop that can't be read is never taken for none (law 9)."""

    async def stops(self, role: str, principal: str) -> tuple[Stop, ...]:
        """Return the stops that are in force for this role and this account; prove-only is among them."""
        ...

    async def prove_only(self) -> Stop | None:
        """Return who said that nothing is changed, only read; None: nobody."""
        ...


class Findings(Protocol):
    """Where directory and record were found to differ: one row for each difference, so that it is reported once."""

    async def of(self, target: Target | None) -> tuple[Finding, ...]:
        """Return what was found about a target and its holders; None: about accounts as such."""
        ...

    async def write(self, finding: Finding) -> Finding:
        """Write a finding that is new, or was not written since it was read; return it as written.

        Raises:
            Conflict: somebody else wrote it.
        """
        ...

    async def forget(self, finding: Finding) -> None:
        """Delete a finding that is no longer so; gone already is fine."""
        ...


class Quarantine(Protocol):
    """What could never succeed, with its reason and its bytes."""

    async def set_aside(
        self,
        *,
        queue: str,
        identity: str,
        code: str,
        what: str,
        body: bytes,
        properties: Mapping[str, str],
        now: datetime,
        enqueued_at: datetime | None = None,
        correlation_id: str = "",
    ) -> None:
        """Record a message that can't succeed; a second delivery of it changes nothing.

        ``enqueued_at`` is the broker's: the same at each delivery, so that midnight between two makes no second record.
        """
        ...


class Directory(Protocol):
    """Microsoft Graph, as far as giving and taking needs it. Vendor errors are translated here, once."""

    async def account(self, reference: str) -> Account | None:
        """Return the one account that an object id, a user principal name or an address names; None: none, or several."""
        ...

    async def linked_accounts(self, employee_id: str) -> tuple[Account, ...]:
        """Return all accounts with this employee id."""
        ...

    async def groups_among(self, account: str, groups: Sequence[str]) -> frozenset[str]:
        """Return which of ``groups`` the account belongs to, directly or through other groups."""
        ...

    async def people_in(self, group: str) -> tuple[str, ...]:
        """Return the object ids of the users in a group, directly or through other groups; empty where it is gone."""
        ...

    async def target_exists(self, target: Target) -> bool:
        """Whether what a role gives is there."""
        ...

    async def presence(self, principal: str, target: Target) -> Presence:
        """Read whether the principal holds the target itself, not through something else."""
        ...

    async def holders(self, target: Target) -> tuple[str, ...] | None:
        """Read who holds the target itself, users and others, by object id; None: the target is gone."""
        ...

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        """Give the target; sent before ``deadline`` on the monotonic clock, or not at all; never retried here.

        Raises:
            AlreadyAssigned: the directory says it is held already.
            DirectoryRefused: it refuses for good.
            TryAgain: anything else; the call may have landed, or may still land.
        """
        ...

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        """Take the target back, like ``assign``.

        Raises:
            NotAssigned: the directory says that there is nothing to remove, or that principal or target is gone.
            TryAgain: anything else; the call may have landed, or may still land.
        """
        ...


class Pace(Protocol):
    """The vendor's quota of writes, which all hosts share: every write to the directory takes a slot first (protocol 6).

    It is for economy: the directory itself says no to what is too much.
    """

    async def turn(self, lane: Lane) -> None:
        """Wait here until a write may go, for a minute at most; the backlog stays in its queue meanwhile.

        Raises:
            TryAgain: no slot came free in that time; never quietly longer for a removal because the row can't be reached.
        """
        ...

    async def heed(self, fault: TryAgain) -> None:
        """Have every host wait where ``fault`` is the vendor's own demand to wait (``Throttled``); else do nothing."""
        ...


class People(Protocol):
    """Who is who: accounts of one person (design section 3)."""

    async def person_of(self, account: str | Account) -> Person | None:
        """Return the person of an account with all linked accounts; None where the account doesn't exist."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who wants which role for whom; ``requester`` and ``principal`` as texts of a request, or as object ids.

    ``person`` is the requester's, where it was looked up for the same decision already. ``extends`` names the activation
    that is to last longer.
    """

    activation: str
    role: str
    requester: str
    principal: str
    person: Person | None = None
    extends: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a bearer token proves: an account of a tenant. The name is for showing."""

    tenant: str
    account: str
    name: str


class Callers(Protocol):
    """Tokens that Entra issued for our cards."""

    async def caller(self, authorization: str) -> Caller:
        """Return whom the header proves.

        Raises:
            Refused: it proves nobody, or not for this.
            TryAgain: the keys to check it can't be had now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one address; a card, where there is one, is in the head of the HTML."""

    to: str
    subject: str
    html: str
    correlation_id: str = ""


class Mailer(Protocol):
    """Sends mail. Accepted is not delivered; nothing promises that."""

    async def send(self, mail: Mail, *, deadline: float) -> None:
        """Hand one mail over, without any retry; sent before ``deadline`` on the monotonic clock, or not at all.

        Raises:
            TryAgain: it may or may not have been accepted.
            DirectoryRefused: the address or the mail is refused for good.
        """
        ...


class Lookup(Protocol):
    """What the rules need to know of a request, looked up now: at the request, at the approval, at the start."""

    async def facts(self, wanted: Wanted, *, give_up: bool) -> Facts:
        """Return the facts. With ``give_up``, what can't be read now is named in ``unknown`` instead of waited for."""
        ...


class DeadLetter(Protocol):
    """A message that the broker gave up delivering, for ``reason``. It stays where it is until ``done``."""

    envelope: Envelope
    body: bytes
    reason: str

    async def done(self) -> None:
        """Take it out of the dead-letter queue.

        Raises:
            TryAgain: it may still be there.
        """
        ...


class Sender(Protocol):
    """Puts messages on the queues."""

    async def send(
        self,
        queue: str,
        body: Mapping[str, object],
        *,
        message_id: str,
        correlation_id: str,
        at: datetime | None = None,
    ) -> None:
        """Send a message, to be delivered not before ``at``.

        Raises:
            TryAgain: it may or may not have been taken.
        """
        ...


class Bus(Sender, Protocol):
    """Service Bus."""

    async def send_again(
        self,
        queue: str,
        raw: bytes,
        *,
        properties: Mapping[str, str],
        message_id: str,
        correlation_id: str,
        at: datetime,
    ) -> None:
        """Send a message again as it came, its bytes untouched, to be delivered not before ``at``.

        Raises:
            TryAgain: it may or may not have been taken.
        """
        ...

    async def dead_letters(self, queues: Sequence[str], *, limit: int) -> tuple[DeadLetter, ...]:
        """Return what is in the dead-letter queues of ``queues``, at most ``limit`` of each, as far as it can be read now."""
        ...


class CardTokens(Protocol):
    """The card's own token: for one approver, one activation, and once (docs/messages/card-press.md)."""

    def issue(self, *, activation: str, approver: str, nonce: str, expires_at: datetime) -> str:
        """Return a token to put into a card."""
        ...

    def read(self, token: str, *, now: datetime) -> tuple[str, str, str]:
        """Return activation, approver and nonce of a token.

        Raises:
            Refused: it is not ours, or its time is over.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All of the outside, as one value; made by ``access/adapters/wiring.py``, or by a test."""

    clock: Clock
    store: Store
    register: Register
    controls: Controls
    findings: Findings
    quarantine: Quarantine
    directory: Directory
    pace: Pace
    pulse: Pulse
    people: People
    mailer: Mailer
    bus: Bus
    callers: Callers
    cards: CardTokens
    lookup: Lookup
    timing: Timing
    tenant: str
    public_url: str
    originator: str
