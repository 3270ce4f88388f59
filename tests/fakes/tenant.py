"""A whole tenant in memory: Ada asks, Bo approves, Cy is another approver, Dee is a stranger.

The record, the register, the look-ups and the tokens are the real code on fake tables; only tables, bus, directory, mail
and clock are fakes. ``run`` delivers messages until nothing is left to do now.
"""

import itertools
import json
from dataclasses import replace
from datetime import timedelta

from access.adapters.card_tokens import SignedCardTokens
from access.adapters.changes import Author
from access.adapters.controls import TableControls
from access.adapters.findings import TableFindings
from access.adapters.guards import GuardedDirectory, GuardedMailer
from access.adapters.ledger import Ledger
from access.adapters.lookup import TenantLookup
from access.adapters.pace import TablePace
from access.adapters.people import LinkedPeople
from access.adapters.pulse import TablePulse
from access.adapters.register import TableRegister
from access.adapters.triggers import settle
from access.body import read_body
from access.model import (
    Account,
    Activation,
    ApprovalDemand,
    Door,
    Eligibility,
    RoleSettings,
    Source,
    Target,
    Timing,
)
from access.pace import Quota
from access.ports import Mail, Ports
from access.wire import Envelope, read_nudge, read_telling
from activation_handler.give import give
from activation_handler.take_request import take_request
from approval_queue.ask_approvers import ask_approvers
from expiry_timer.end_due import end_due
from expiry_timer.sweep import Starter, Swept, sweep
from notifier.notify import notify
from tests.fakes.blobs import FakeBlobs
from tests.fakes.bus import FakeBus, FakeMessage
from tests.fakes.clock import ARBITRARY_MORNING, FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.outside import FakeCallers, FakeMailer, FakeQuarantine
from tests.fakes.tables import FakeTables

TENANT = "11111111-1111-1111-1111-111111111111"
GROUP = "99999999-0000-0000-0000-000000000001"
APPROVERS = "99999999-0000-0000-0000-000000000002"
ELIGIBLE = "99999999-0000-0000-0000-000000000003"
ROLE = "backup-operators"
OWNER = Author(by="owner", through="test", at=ARBITRARY_MORNING)
TIMING = Timing(call_limit=timedelta(seconds=10), tail=timedelta(seconds=60), proof_window=timedelta(seconds=120))


def _account(number: int, name: str, **more: object) -> Account:
    values: dict[str, object] = {
        "id": f"00000000-0000-0000-0000-{number:012d}",
        "name": name,
        "user_principal_name": f"{name.lower().replace(' ', '.')}@contoso.example",
        **more,
    }
    return Account(**values)  # type: ignore[arg-type] # by name


ADA = _account(1, "Ada", employee_id="E1", mail="ada@contoso.example", has_mailbox=True)
ADA_ADMIN = _account(2, "Ada Admin", employee_id="E1")
BO = _account(3, "Bo", employee_id="E2", mail="bo@contoso.example", has_mailbox=True)
CY = _account(4, "Cy", employee_id="E3", mail="cy@contoso.example", has_mailbox=True)
DEE = _account(5, "Dee", employee_id="E4", mail="dee@contoso.example", has_mailbox=True)
ADA_EXT = _account(6, "Ada Contractor", mail="ada.ext@contoso.example", has_mailbox=True)
EVE = _account(7, "Eve", enabled=False, mail="eve@contoso.example", has_mailbox=True)


class FakeTenant:
    """Ports on fakes, with a role that asks for approval and people around it.

    The simulation brings an outside of its own: fakes of the same kinds, with chance between their calls.
    """

    def __init__(
        self,
        *,
        clock: FakeClock | None = None,
        tables: FakeTables | None = None,
        bus: FakeBus | None = None,
        directory: FakeDirectory | None = None,
        mailer: FakeMailer | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.tables = tables or FakeTables()
        self.bus = bus or FakeBus(self.clock)
        self.directory = directory or FakeDirectory(self.clock)
        self.mailer = mailer or FakeMailer(self.clock)
        self.quota = quota or Quota()
        self.blobs = FakeBlobs()
        self.quarantine = FakeQuarantine(self.tables, self.blobs)
        self.register = TableRegister(self.tables)
        self.controls = TableControls(self.tables)
        self.cards = SignedCardTokens({"k1": b"0" * 32})
        numbers = itertools.count()
        self.store = Ledger(self.tables, self.bus, TIMING, nonce=lambda: f"{next(numbers):08x}")
        self.people = LinkedPeople(self.directory, self.register)
        self.ports = Ports(
            clock=self.clock,
            store=self.store,
            register=self.register,
            controls=self.controls,
            findings=TableFindings(self.tables),
            quarantine=self.quarantine,
            directory=GuardedDirectory(self.directory, self.controls),
            pace=TablePace(self.tables, self.clock, self.quota),
            people=self.people,
            mailer=GuardedMailer(self.mailer, self.controls),
            bus=self.bus,
            pulse=TablePulse(self.tables),
            callers=FakeCallers(),
            cards=self.cards,
            lookup=TenantLookup(self.directory, self.register, self.people, self.store, self.controls),
            timing=TIMING,
            tenant=TENANT,
            public_url="https://hourglass.contoso.example",
            originator="00000000-aaaa-bbbb-cccc-000000000000",
        )
        self.failures: list[Exception] = []
        for account in (ADA, ADA_ADMIN, BO, CY, DEE, ADA_EXT, EVE):
            self.directory.add_account(account)
        self.directory.add_group(GROUP, "Backup Operators")
        self.directory.add_group(APPROVERS, "Backup approvers", BO.id, CY.id, ADA_EXT.id)
        self.directory.add_group(ELIGIBLE, "Backup Operators eligible", ADA_ADMIN.id)
        self.role = RoleSettings(
            key=ROLE,
            name="Backup Operators",
            target=Target(Source.GROUP_MEMBER, GROUP),
            maximum_duration=timedelta(hours=8),
            default_duration=timedelta(hours=1),
            approval=ApprovalDemand(groups=(APPROVERS,)),
            version=0,
        )

    async def open(self, **settings: object) -> "FakeTenant":
        """Write the role, changed by ``settings``, and the group's eligibility."""
        self.role = replace(self.role, **settings)  # type: ignore[arg-type] # by name
        self.role = await self.register.put_role(self.role, OWNER)
        await self.register.put_eligibility(Eligibility(principal=ELIGIBLE, role=ROLE, through_group=True), OWNER)
        return self

    def ask(self, *, message_id: str | None = "m-1", **fields: object) -> FakeMessage:
        """Put a request on the queue, as a flow does."""
        body: dict[str, object] = {
            "version": 1,
            "action": "activate",
            "requestId": "run-1",
            "requester": ADA.user_principal_name,
            "principal": ADA_ADMIN.user_principal_name,
            "role": ROLE,
            "duration": "PT2H",
            "justification": "Restore the finance share",
            **fields,
        }
        raw = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
        return self.bus.put("activation-requests", raw, message_id=message_id, correlation_id="flow-run-1")

    async def deliver(self, message: FakeMessage) -> None:
        """Deliver one message to its function, once."""

        async def work(raw: bytes, envelope: Envelope) -> None:
            match message.queue:
                case "activation-requests":
                    await take_request(raw, envelope, door=Door.FLOW, ports=self.ports)
                case "provisioning":
                    await give(read_nudge(read_body(raw)[0]).activation, ports=self.ports)
                case "approvals":
                    await ask_approvers(read_nudge(read_body(raw)[0]).activation, ports=self.ports)
                case "expirations":
                    await end_due(read_nudge(read_body(raw)[0]).activation, ports=self.ports)
                case "notifications":
                    await notify(read_telling(read_body(raw)[0]), ports=self.ports)
                case "ticks":
                    await sweep(Starter.TICK, ports=self.ports)
                case other:
                    raise AssertionError(f"nobody listens to {other}")

        await settle(message, message.queue, self.ports, work)

    async def run(self) -> None:
        """Deliver whatever is due now, and what follows from it, until nothing is."""
        for _ in range(1000):
            message = self.bus.take()
            if message is None:
                return
            await self.deliver(message)
        raise AssertionError("the queues never ran empty")

    async def run_for(self, span: timedelta, *, sweeping: bool = True) -> None:
        """Let time pass: deliver each scheduled message when it is due, and sweep every minute."""
        end = self.clock.now() + span
        next_sweep = self.clock.now() + timedelta(minutes=1)
        while True:
            await self.run()
            following = min(filter(None, (self.bus.next_at(), next_sweep)))
            if following > end:
                break
            self.clock.advance_to(following)
            if following == next_sweep:
                next_sweep += timedelta(minutes=1)
                if sweeping:
                    await self.sweep()
        self.clock.advance_to(end)
        await self.run()

    async def sweep(self) -> Swept:
        """Sweep as the timer does."""
        swept = await sweep(Starter.TIMER, ports=self.ports)
        assert swept is not None, "the timer's sweep never rests"
        return swept

    def is_held(self) -> bool:
        """Whether Ada's admin account is in the group, in truth."""
        return self.directory.holds(GROUP, ADA_ADMIN.id)

    async def activations(self) -> list[Activation]:
        """Return every activation there is."""
        ids = [partition for table, partition in self.tables.rows if table == "activations"]
        found = [await self.store.activation(key) for key in ids]
        return [activation for activation in found if activation is not None]

    async def activation(self) -> Activation:
        """Return the only activation there is."""
        (found,) = await self.activations()
        return found

    async def events(self) -> list[str]:
        """Return the names of the events of the only activation, in order."""
        activation = await self.activation()
        rows = self.tables.rows["activations", activation.id]
        return [str(rows[key].values["event"]) for key in sorted(rows) if key.startswith("event-")]

    def subjects(self, account: Account) -> list[str]:
        """Return the subjects of the mails that an account's person got."""
        return [mail.subject for mail in self.mailer.to(account.mail or "")]

    def card_of(self, account: Account) -> str:
        """Return the card token in the newest approval mail to an account."""
        mails: list[Mail] = [mail for mail in self.mailer.to(account.mail or "") if "adaptivecard" in mail.html]
        card = json.loads(mails[-1].html.split('adaptivecard+json">')[1].split("</script>")[0])
        first = card["actions"][0]["body"].partition("\n")[0]
        return str(json.loads(first)["token"])
