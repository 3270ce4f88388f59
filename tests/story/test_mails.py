"""A mail goes out once, and soon: what stood in its way is gone after the next try, not after somebody's lease."""

from datetime import timedelta

from access.errors import TryAgain
from tests.fakes.tenant import ADA, FakeTenant

SECOND = timedelta(seconds=1)


async def test_a_mail_that_could_not_be_sent_goes_out_seconds_later(tenant: FakeTenant) -> None:
    await tenant.open(approval=None)
    fault = TryAgain("the directory (500 InternalServerError)", after=5 * SECOND, fault=True)
    tenant.mailer.faults = [fault, fault]
    tenant.ask()

    await tenant.run_for(15 * SECOND)  # 5 s, then 10 s

    assert tenant.subjects(ADA) == ["Hourglass: Backup Operators is active until 2026-03-02 11:00 UTC"]
