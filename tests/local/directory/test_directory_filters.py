"""``$filter``, as far as directory look-ups use it."""

import pytest

from local.directory.filters import FilterError, parse_filter
from local.directory.model import User

KNOWN = {"id": "", "displayName": "", **User.defaults}
ADA = User.from_json(
    {
        "id": "1",
        "displayName": "Ada O'Hara",
        "mail": "ada@contoso.example",
        "employeeId": "E1",
        "proxyAddresses": ["SMTP:ada@contoso.example", "smtp:a.ohara@contoso.example"],
    }
).properties


@pytest.mark.parametrize(
    "text",
    [
        "mail eq 'ada@contoso.example'",
        "mail eq 'ADA@contoso.example'",
        "Mail EQ 'ada@contoso.example'",
        "displayName eq 'Ada O''Hara'",
        "proxyAddresses/any(x:x eq 'smtp:a.ohara@contoso.example')",
        "proxyAddresses/any(address: address eq 'smtp:ada@contoso.example')",
        "mail eq 'nobody' or userPrincipalName eq 'nobody' or employeeId eq 'E1'",
        "(mail eq 'nobody' or employeeId eq 'E1') and accountEnabled eq true",
        "not (employeeId eq 'E2')",
        "employeeId ne null",
        "employeeId in ('E0', 'E1')",
        "startswith(displayName, 'ada')",
    ],
)
def test_a_filter_lets_ada_through(text: str) -> None:
    assert parse_filter(text, KNOWN, "user")(ADA)


@pytest.mark.parametrize(
    "text",
    [
        "mail eq 'bo@contoso.example'",
        "proxyAddresses/any(x:x eq 'smtp:bo@contoso.example')",
        "mail eq 'ada@contoso.example' and accountEnabled eq false",
        "mail eq 'ada@contoso.example' and employeeId eq 'E1' and employeeId eq 'E2'",
        "employeeId eq null",
        "not startswith(displayName, 'Ada')",
    ],
)
def test_a_filter_keeps_ada_out(text: str) -> None:
    assert not parse_filter(text, KNOWN, "user")(ADA)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("shoeSize eq '42'", "Could not find a property named 'shoeSize' on type 'microsoft.graph.user'."),
        ("mail eq", "Syntax error at 'end of text'"),
        ("mail eq 'ada' nonsense", "Syntax error at 'nonsense'"),
        ("mail eq ada", "Syntax error at 'ada'"),
        ("mail eq 'ada", "Syntax error"),
        ("mail gt 'ada'", "Unsupported property filter clause operator 'gt'."),
        ("proxyAddresses/any(x:y eq 'smtp:ada')", "Syntax error at 'y'"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(FilterError) as refusal:
        parse_filter(text, KNOWN, "user")

    assert complaint in str(refusal.value)
