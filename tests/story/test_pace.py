"""The directory's quota in the life of activations: a storm of ends is taken in its pace, and removals go first."""

from datetime import datetime, timedelta

import pytest

from access.errors import Throttled
from access.model import Account, State, Target
from access.pace import Quota
from access.wire import ATTEMPT
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectory
from tests.fakes.tenant import ELIGIBLE, GROUP, FakeTenant

QUOTA = Quota(writes=100, window=timedelta(seconds=30))
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


class TimedDirectory(FakeDirectory):
    """Notes when it was asked to change something."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[tuple[str, datetime]] = []

    async def assign(self, principal: str, target: Target, *, deadline: float) -> None:
        self.asked.append(("assign", self._clock.now()))
        await super().assign(principal, target, deadline=deadline)

    async def remove(self, principal: str, target: Target, *, deadline: float) -> None:
        self.asked.append(("remove", self._clock.now()))
        await super().remove(principal, target, deadline=deadline)


class Crowd:
    """A tenant with many people who may all have the role without an approval."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.directory = TimedDirectory(self.clock)
        self.tenant = FakeTenant(clock=self.clock, directory=self.directory, quota=QUOTA)

    async def open(self) -> None:
        await self.tenant.open(approval=None)

    def ask(self, first: int, count: int) -> None:
        """Let people ask for themselves, from the ``first`` one on."""
        for number in range(first, first + count):
            account = Account(
                id=f"00000000-0000-0000-1111-{number:012d}",
                name=f"Person {number}",
                user_principal_name=f"person{number}@contoso.example",
                mail=f"person{number}@contoso.example",
                has_mailbox=True,
            )
            self.directory.add_account(account)
            self.directory.put_member(ELIGIBLE, account.id)
            self.tenant.ask(
                message_id=f"m-{number}",
                requestId=f"run-{number}",
                requester=account.id,
                principal=account.id,
                duration="PT1H",
            )

    async def work(self) -> None:
        """Deliver what is due now until nothing is; each wait in place moves the clock on."""
        while message := self.tenant.bus.take():
            await self.tenant.deliver(message)

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass, with a sweep each minute, whatever the work itself takes."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.advance_to(min(end, self.tenant.bus.next_at() or end, self.clock.now() + timedelta(minutes=1)))
            await self.work()
            await self.tenant.sweep()
            await self.work()

    @property
    def put_off(self) -> list[str]:
        """The queues of messages that were sent again for later."""
        return [message.queue for message in self.tenant.bus.sent if ATTEMPT in message.application_properties]

    def times(self, what: str) -> list[datetime]:
        return [at for asked, at in self.directory.asked if asked == what]


@pytest.fixture
async def crowd() -> Crowd:
    crowd = Crowd()
    await crowd.open()
    return crowd


def overruns(times: list[datetime]) -> list[datetime]:
    return [at for at in times if sum(at <= other < at + QUOTA.window for other in times) > QUOTA.writes]


async def test_a_storm_fills_the_quota_and_no_more_and_nothing_of_it_is_put_off(crowd: Crowd) -> None:
    crowd.ask(0, 400)
    await crowd.work()
    await crowd.pass_time(HOUR + timedelta(minutes=10))

    states = [activation.state for activation in await crowd.tenant.activations()]
    assert states == [State.ENDED] * 400
    assert (len(crowd.times("assign")), len(crowd.times("remove"))) == (400, 400)
    assert overruns([at for _, at in crowd.directory.asked]) == []
    assert crowd.put_off == []
    assert crowd.tenant.quarantine.kept == {}
    # The first hundred at once, the others as the window frees: three waits, each a little longer than the window.
    removals = crowd.times("remove")
    assert removals[-1] - removals[0] == 3 * QUOTA.counted_for


async def test_an_end_is_on_time_though_grants_have_filled_their_share_and_more_of_them_wait(crowd: Crowd) -> None:
    crowd.ask(0, 1)
    await crowd.work()
    crowd.clock.advance(HOUR - SECOND)
    crowd.ask(1, 80)
    await crowd.work()
    crowd.clock.advance(SECOND)
    crowd.ask(100, 5)

    await crowd.work()

    (removed,) = crowd.times("remove")
    (first, *_) = sorted(await crowd.tenant.activations(), key=lambda one: one.requested_at)
    assert removed == first.ends_at
    late = [at for at in crowd.times("assign") if at > removed]
    assert len(late) == 5
    assert overruns([at for _, at in crowd.directory.asked]) == []


async def test_all_removals_wait_where_the_directory_told_one_to(crowd: Crowd) -> None:
    crowd.ask(0, 20)
    await crowd.work()
    crowd.directory.faults["remove"] = [Throttled("the directory (429)", after=45 * SECOND, fault=True)]

    await crowd.pass_time(HOUR + timedelta(minutes=3))

    first, *others = crowd.times("remove")
    assert len(others) == 20
    assert min(others) == first + 45 * SECOND
    assert not any(crowd.directory.holds(GROUP, member) for member in crowd.directory.accounts)
