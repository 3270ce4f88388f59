"""The people, roles and activations that the specifications of the rules are about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from access.hold import Hold
from access.model import (
    Account,
    Activation,
    ApprovalDemand,
    Door,
    Eligibility,
    Person,
    RoleSettings,
    Source,
    State,
    Target,
    Timing,
)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ADA = Account(id="ada", name="Ada", user_principal_name="ada@contoso.example", employee_id="1815", has_mailbox=True)
ADA_ADMIN = Account(
    id="ada-admin", name="Ada (admin)", user_principal_name="adm-ada@contoso.example", employee_id="1815"
)
BO = Account(id="bo", name="Bo", user_principal_name="bo@contoso.example", employee_id="1906", has_mailbox=True)
BO_ADMIN = Account(id="bo-admin", name="Bo (admin)", user_principal_name="adm-bo@contoso.example", employee_id="1906")
CY = Account(id="cy", name="Cy", user_principal_name="cy@contoso.example", has_mailbox=True)

ADA_PERSON = Person(accounts=(ADA, ADA_ADMIN))
BO_PERSON = Person(accounts=(BO, BO_ADMIN))
CY_PERSON = Person(accounts=(CY,))

STORAGE_ADMINS = Target(Source.GROUP_MEMBER, "storage-admins")
TIMING = Timing(call_limit=timedelta(seconds=10), tail=timedelta(seconds=60), proof_window=timedelta(minutes=2))
IN_FLIGHT, WINDOW = TIMING.in_flight, TIMING.proof_window

APPROVAL = ApprovalDemand(users=("bo",))

ROLE = RoleSettings(
    key="storage-admin",
    name="Storage administrator",
    target=STORAGE_ADMINS,
    maximum_duration=8 * HOUR,
    default_duration=HOUR,
    justification_required=False,
)

ELIGIBLE = Eligibility(principal="ada-admin", role="storage-admin")

_ACTIVATION = Activation(
    id="activation-1",
    state=State.ACTIVE,
    role="storage-admin",
    role_name="Storage administrator",
    target=STORAGE_ADMINS,
    requester="ada",
    requester_name="Ada",
    principal="ada-admin",
    principal_name="Ada (admin)",
    door=Door.FLOW,
    duration=HOUR,
    requested_at=NOW,
    version=3,
)

FREE = Hold(principal="ada-admin", target=STORAGE_ADMINS)


def activation(state: State, **values: object) -> Activation:
    """Ada's request for her admin account, in ``state``."""
    return replace(_ACTIVATION, state=state, **values)  # type: ignore[arg-type] # fields by name


def hold(**values: object) -> Hold:
    """The hold of Ada's admin account on the storage administrators."""
    return replace(FREE, **values)  # type: ignore[arg-type] # fields by name
