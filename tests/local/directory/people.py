"""Who and what the sample tenant has."""


def _user(number: int) -> str:
    return f"00000000-0000-4000-a000-{number:012d}"


def _group(number: int) -> str:
    return f"00000000-0000-4000-b000-{number:012d}"


ADA, ADA_ADMIN, ADA_CONTRACTOR = _user(101), _user(102), _user(103)
BO, BO_ADMIN = _user(201), _user(202)
CY, DEE, EVE = _user(301), _user(401), _user(501)
STRANGER = _user(999)

BACKUP_OPERATORS, ELIGIBLE, INFRASTRUCTURE_ADMINS, APPROVERS = _group(1), _group(2), _group(3), _group(4)
HELPDESK, DYNAMIC, SYNCED, ROLE_ASSIGNABLE = _group(5), _group(6), _group(7), _group(8)
