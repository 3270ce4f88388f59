"""Each kind of mistake in a roles file, and the exact words: where, which field, what, and what to do instead."""

import pytest

from hourglass.roles_file import placed_yaml
from hourglass.roles_file.mistakes import FileWrong
from hourglass.roles_file.wanted import read
from tests.hourglass.conftest import FakeDirectory

ROLE = """\
version: 1
roles:
  backups:
    name: Backups
    gives: {group: Backup Operators}
    maximum: PT8H
"""


async def said(text: str | bytes) -> list[str]:
    """All mistakes of a file as they are printed."""
    raw = text if isinstance(text, bytes) else text.encode()
    try:
        await read(raw, FakeDirectory())
    except FileWrong as wrong:
        return [mistake.said("roles.yaml") for mistake in wrong.mistakes]
    return []


async def test_a_right_file_has_no_mistakes() -> None:
    assert await said(ROLE) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"8 hours"', "write PT8H"),
        ("8h", "write PT8H"),
        ("2h 30min", "write PT2H30M"),
        ("1 day, 2 hours", "write P1DT2H"),
        ("pt8h", "write PT8H"),
        ('"1.5"', "write PT1H30M"),
        ("P1Y", "write one like PT8H"),
        ("P", "write one like PT8H"),
        ("PT", "write one like PT8H"),
        ("soon", "write one like PT8H"),
        ("-PT8H", "write one like PT8H"),
    ],
)
async def test_a_duration_that_is_none_is_answered_with_what_was_probably_meant(written: str, meant: str) -> None:
    mistakes = await said(ROLE.replace("PT8H", written))

    text = written.strip('"')
    assert mistakes == [f'roles.yaml:6:14: roles.backups.maximum: "{text}" is not a duration; {meant}']


_CASES = {
    "a key that is close to a known one": (
        ROLE.replace("maximum:", "maximun:"),
        [
            "roles.yaml:4:5: roles.backups: maximum is missing; add it",
            "roles.yaml:6:5: roles.backups.maximun: maximun is not known here; did you mean maximum?",
        ],
    ),
    "a key that is like none": (
        ROLE + "    colour: red\n",
        [
            (
                "roles.yaml:7:5: roles.backups.colour: colour is not known here; known here: name, gives, maximum, "
                "default, minimum, justification, ticket, approval, accepts, eligible"
            )
        ],
    ),
    "no version": (
        ROLE.replace("version: 1\n", ""),
        ["roles.yaml:1:1: version is missing; add it"],
    ),
    "another version": (
        ROLE.replace("version: 1", "version: 2"),
        ["roles.yaml:1:10: version: 2 is not known; write 1"],
    ),
    "a number where text belongs": (
        ROLE.replace("PT8H", "8"),
        ["roles.yaml:6:14: roles.backups.maximum: 8 is not text; put it in quotes"],
    ),
    "nothing where a mapping belongs": (
        "version: 1\nroles:\n",
        ["roles.yaml:2:1: roles: there is nothing here; write a mapping (key: value)"],
    ),
    "a mapping where a list belongs": (
        ROLE + "    eligible: {user: ada@contoso.example}\n",
        ["roles.yaml:7:15: roles.backups.eligible: this is a mapping; write a list (lines that begin with -)"],
    ),
    "a list where a mapping belongs": (
        "version: 1\nroles: []\n",
        ["roles.yaml:2:8: roles: this is a list; write a mapping (key: value)"],
    ),
    "text where a list belongs": (
        ROLE + "    accepts: flow\n",
        ['roles.yaml:7:14: roles.backups.accepts: "flow" is not a list (lines that begin with -)'],
    ),
    "a choice with a slip": (
        ROLE + "    justification: requird\n",
        ['roles.yaml:7:20: roles.backups.justification: "requird" is not one of the choices; did you mean required?'],
    ),
    "a choice that is none": (
        ROLE + "    justification: true\n",
        ["roles.yaml:7:20: roles.backups.justification: true is not one of the choices; write required or optional"],
    ),
    "a door twice, and an empty list of doors": (
        ROLE + "    accepts: [flow, flow]\n" + "  other:\n    name: Other\n    gives: {group: Backup Operators}\n"
        "    maximum: PT1H\n    accepts: []\n",
        [
            'roles.yaml:7:21: roles.backups.accepts[1]: "flow" is in the list twice; keep one',
            "roles.yaml:12:14: roles.other.accepts: this is empty; name at least one",
        ],
    ),
    "an empty name": (
        ROLE.replace("name: Backups", 'name: ""'),
        ["roles.yaml:4:11: roles.backups.name: this is empty; write something"],
    ),
    "a name that is too long": (
        ROLE.replace("name: Backups", f"name: {'x' * 121}"),
        ["roles.yaml:4:11: roles.backups.name: this has 121 characters; at most 120"],
    ),
    "a key with a blank": (
        ROLE.replace("  backups:", "  my backups:"),
        [
            (
                'roles.yaml:3:3: roles."my backups": "my backups" is not a key; write one like backup-operators '
                "(letters, digits and dashes)"
            )
        ],
    ),
    "two keys that differ in capitals": (
        ROLE + "  Backups:\n    name: Other\n    gives: {group: Backup Operators}\n    maximum: PT1H\n",
        ["roles.yaml:7:3: roles.Backups: Backups and backups are the same key; rename one"],
    ),
    "the same key twice": (
        ROLE + "    maximum: PT4H\n",
        ["roles.yaml:7:5: roles.backups.maximum: maximum is here twice, first in line 6; keep one"],
    ),
    "a minimum and a default beyond the maximum": (
        ROLE + "    minimum: PT9H\n    default: PT10H\n",
        [
            "roles.yaml:7:14: roles.backups.minimum: PT9H is longer than the maximum, PT8H; write at most PT8H",
            "roles.yaml:8:14: roles.backups.default: PT10H is longer than the maximum, PT8H; write at most PT8H",
        ],
    ),
    "a default under the minimum": (
        ROLE + "    minimum: PT20M\n    default: PT10M\n",
        ["roles.yaml:8:14: roles.backups.default: PT10M is shorter than the minimum, PT20M; write at least PT20M"],
    ),
    "a default under the minimum that nobody wrote": (
        ROLE + "    default: PT1M\n",
        [
            (
                "roles.yaml:7:14: roles.backups.default: PT1M is shorter than the minimum, PT5M, which holds where no "
                "minimum is written; write at least PT5M"
            )
        ],
    ),
    "a duration of nothing": (
        ROLE.replace("PT8H", "PT0S"),
        ["roles.yaml:6:14: roles.backups.maximum: PT0S is no time at all; write a duration above 0"],
    ),
    "a pattern that does not compile": (
        ROLE + "    ticket: {pattern: 'INC(\\d+'}\n",
        [
            (
                'roles.yaml:7:23: roles.backups.ticket.pattern: "INC(\\d+" is not a regular expression (missing ), '
                "unterminated subpattern at position 3); mend it, or leave it out"
            )
        ],
    ),
    "no approvers": (
        ROLE + "    approval: {approvers: {users: []}}\n",
        [
            (
                "roles.yaml:7:27: roles.backups.approval.approvers: nobody could decide; name a user or a group, or "
                "leave approval out"
            )
        ],
    ),
    "a question that lapses at once": (
        ROLE + "    approval: {approvers: {users: [bo@contoso.example]}, lapses-after: PT0S}\n",
        ["roles.yaml:7:72: roles.backups.approval.lapses-after: PT0S is no time at all; write a duration above 0"],
    ),
    "an eligibility for nobody, and one for two": (
        ROLE + "    eligible:\n      - until: 2027-01-01T00:00:00Z\n"
        "      - {user: bo@contoso.example, group: Backup approvers}\n",
        [
            "roles.yaml:8:9: roles.backups.eligible[0]: nobody is named; write user: or group:",
            (
                "roles.yaml:9:9: roles.backups.eligible[1]: user and group stand side by side; keep one, and give the "
                "other an entry of its own"
            ),
        ],
    ),
    "a date without a time": (
        ROLE + "    eligible:\n      - {user: bo@contoso.example, until: 2027-06-30}\n",
        [
            (
                'roles.yaml:8:43: roles.backups.eligible[0].until: "2027-06-30" is not an instant; '
                "write 2027-06-30T00:00:00Z"
            )
        ],
    ),
    "an instant without an offset": (
        ROLE + "    eligible:\n      - {user: bo@contoso.example, until: 2027-06-30T00:00:00}\n",
        [
            (
                'roles.yaml:8:43: roles.backups.eligible[0].until: "2027-06-30T00:00:00" is not an instant; '
                "write one like 2027-06-30T00:00:00Z"
            )
        ],
    ),
    "a day that does not exist": (
        ROLE + "    eligible:\n      - {user: bo@contoso.example, until: 2027-02-30T00:00:00Z}\n",
        [
            (
                "roles.yaml:8:43: roles.backups.eligible[0].until: 2027-02-30T00:00:00Z is no instant: there is no such "
                "day or hour"
            )
        ],
    ),
    "an end before the beginning": (
        ROLE + "    eligible:\n      - user: bo@contoso.example\n        from: 2027-01-01T00:00:00Z\n"
        "        until: 2027-01-01T00:30:00+01:00\n",
        [
            (
                "roles.yaml:10:16: roles.backups.eligible[0].until: 2027-01-01T00:30:00+01:00 is not after its "
                "beginning, 2027-01-01T00:00:00Z"
            )
        ],
    ),
    "names that the directory does not know": (
        ROLE.replace("Backup Operators", "Backup Opers") + "    eligible:\n      - user: nobody@contoso.example\n",
        [
            (
                'roles.yaml:5:20: roles.backups.gives.group: "Backup Opers" is not exactly one group of the directory; '
                "write an object id or a display name that fits one only"
            ),
            (
                'roles.yaml:8:15: roles.backups.eligible[0].user: "nobody@contoso.example" is not exactly one user of '
                "the directory; write an object id or a user principal name that fits one only"
            ),
        ],
    ),
    "one account twice, by name and by id": (
        ROLE + "    eligible:\n      - user: bo@contoso.example\n      - user: 00000000-0000-4000-a000-000000000201\n",
        ["roles.yaml:9:15: roles.backups.eligible[1].user: this is the same as eligible[0]; keep one entry"],
    ),
    "an account of two people": (
        ROLE + "people:\n  ada:\n    accounts: [ada@contoso.example]\n  bo:\n"
        "    accounts: [bo@contoso.example, ada@contoso.example]\n",
        [
            (
                "roles.yaml:11:36: people.bo.accounts[1]: this account is in people.ada already; an account belongs to "
                "one person"
            )
        ],
    ),
    "a contact that is no address": (
        ROLE + "people:\n  ada:\n    accounts: [ada@contoso.example]\n    contact: Ada\n",
        ['roles.yaml:10:14: people.ada.contact: "Ada" is not a mail address; write one like ada@contoso.example'],
    ),
    "an anchor and an alias": (
        ROLE.replace("PT8H", "&long PT8H") + "    default: *long\n",
        [
            "roles.yaml:6:14: roles.backups.maximum: &long is an anchor; leave it out",
            "roles.yaml:7:14: roles.backups.default: *long is an alias; write the value out",
        ],
    ),
    "a tag": (
        ROLE.replace("PT8H", "!!python/name:os.system PT8H"),
        ['roles.yaml:6:14: roles.backups.maximum: "tag:yaml.org,2002:python/name:os.system" is a tag; leave it out'],
    ),
    "a second document": (
        ROLE + "---\n" + ROLE,
        ["roles.yaml:7:1: a second document begins here; write one document"],
    ),
    "a key that is a mapping": (
        "version: 1\n? {a: 1}\n: 2\n",
        ["roles.yaml:2:3: a key must be plain text"],
    ),
    "a bracket that is not closed": (
        "version: 1\nroles: [1\nb: 2\n",
        ["roles.yaml:3:2: this is not YAML: expected ',' or ']', but got ':'"],
    ),
    "a tab for indentation": (
        "version: 1\nroles:\n\tbackups: 1\n",
        ["roles.yaml:3:1: this is not YAML: found character '\\t' that cannot start any token"],
    ),
    "a control character": (
        "version: 1\nroles: \x07\n",
        ["roles.yaml:2:8: this is not YAML: special characters are not allowed"],
    ),
    "an empty file": (
        "",
        ["roles.yaml:1:1: there is nothing here; write a mapping (key: value)"],
    ),
    "text alone": (
        "hello",
        ['roles.yaml:1:1: "hello" is not a mapping (key: value)'],
    ),
}


@pytest.mark.parametrize("case", _CASES)
async def test_a_mistake_is_said_with_its_place_and_its_remedy(case: str) -> None:
    text, expected = _CASES[case]

    assert await said(text) == expected


async def test_all_mistakes_are_said_at_once_in_the_order_of_the_file() -> None:
    text = ROLE.replace("version: 1", "version: one").replace("PT8H", "8 hours") + "    justification: maybe\n"

    assert [line.split(": ")[0] for line in await said(text)] == [
        "roles.yaml:1:10",
        "roles.yaml:6:14",
        "roles.yaml:7:20",
    ]


async def test_text_that_is_not_utf_8_is_said_with_its_line() -> None:
    assert await said(b"version: 1\nroles: \xff\n") == ["roles.yaml:2:8: this is not UTF-8; save the file as UTF-8"]


async def test_a_byte_order_mark_is_fine() -> None:
    assert await said(b"\xef\xbb\xbf" + ROLE.encode()) == []


async def test_a_file_of_more_than_five_megabytes_is_not_read() -> None:
    raw = b"#" * (placed_yaml.SIZE_LIMIT + 1)

    assert await said(raw) == ["roles.yaml:1:1: the file has 5242881 bytes; at most 5242880 are read"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
async def test_a_file_that_is_nested_ten_thousand_deep_is_refused_before_it_is_read_whole(opening: str) -> None:
    mistakes = await said(opening * 10_000)

    assert len(mistakes) == 1
    assert mistakes[0].endswith("mappings and lists are nested more than 20 deep")


async def test_what_a_terminal_would_obey_is_not_printed() -> None:
    mistakes = await said(ROLE.replace("PT8H", '"\\e[31m\\u202e8"'))

    assert mistakes == [
        'roles.yaml:6:14: roles.backups.maximum: "\ufffd[31m\ufffd8" is not a duration; write one like PT8H'
    ]


async def test_words_that_other_readers_of_yaml_take_for_dates_or_bools_stay_text() -> None:
    placed = placed_yaml.read(
        b"a: no\nb: 2027-06-30\nc: 1:30\nd: 0x1F\ne: 1_000\nf: on\ng: 12\nh: '12'\ni: true\nj: ~\n"
    )

    assert placed.value == {
        "a": "no",
        "b": "2027-06-30",
        "c": "1:30",
        "d": "0x1F",
        "e": "1_000",
        "f": "on",
        "g": 12,
        "h": "12",
        "i": True,
        "j": None,
    }
