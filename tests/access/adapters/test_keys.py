"""Keys: every one fits every store, sorts as it must, and tells apart what is different."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.adapters import keys

ID = "a0" * 16
GUID = "00000000-0000-4000-a000-000000000101"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LONG = "Ä/\\#?\n'" * 200
"""What a stranger may send where an id is expected."""

EVERY_KEY = {
    "event": keys.event(999_999),
    "out": keys.out(999_999),
    "command": keys.command(LONG),
    "decision": keys.decision(GUID),
    "told": keys.told(LONG),
    "due": keys.due(NOW, ID, 999_999, "0a1b2c3d"),
    "newest_first": keys.newest_first(NOW, ID),
    "audit partition": keys.audit(NOW, ID, 999_999)[0],
    "audit": keys.audit(NOW, ID, 999_999)[1],
    "role": keys.role(" Backup-Operators "),
    "principal": keys.principal(GUID.upper()),
    "person": keys.person("Ada"),
    "change": keys.change(NOW, ID),
    "of_role": keys.of_role("backup-operators"),
    "eligible": keys.eligible(GUID, group=True),
    "day": keys.day(NOW),
    "shard": keys.shard(LONG),
    "activation": keys.ACTIVATION,
    "hold": keys.HOLD,
    "roles": keys.ROLE,
    "people": keys.PEOPLE,
}
SPANS = {
    "out": (keys.OUT, [keys.out(1), keys.out(999_999)]),
    "asked": (keys.ASKED, [keys.decision(GUID)]),
    "events": (keys.EVENTS, [keys.event(1), keys.event(999_999)]),
    "users": (keys.USERS, [keys.eligible(GUID, group=False)]),
    "groups": (keys.GROUPS, [keys.eligible(GUID, group=True)]),
    "listed": (keys.LISTED, [keys.role("a"), keys.role("zz-9")]),
}

YEARS = (datetime(2000, 1, 1), datetime(9000, 1, 1))  # noqa: DTZ001 - Hypothesis adds the zone
instants = st.datetimes(*YEARS, timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))


class TestWhatFits:
    @pytest.mark.parametrize("name", EVERY_KEY)
    def test_every_key_is_taken_by_every_store(self, name: str) -> None:
        assert keys.checked(EVERY_KEY[name]) == EVERY_KEY[name]

    @pytest.mark.parametrize("name", EVERY_KEY)
    def test_no_key_is_near_the_limit_of_one_kibibyte(self, name: str) -> None:
        assert len(EVERY_KEY[name]) <= 128

    @given(st.text())
    def test_whatever_a_sender_calls_a_command_or_a_mail_its_key_fits(self, text: str) -> None:
        assert keys.checked(keys.command(text))
        assert keys.checked(keys.told(text))

    @pytest.mark.parametrize(
        "key", ["", "a/b", "a\\b", "a#b", "a?b", "a\x00", "a\x1f", "a\x7f", "a\x9f", "ä", "x" * 257]
    )
    def test_what_a_store_refuses_is_refused_here_first(self, key: str) -> None:
        with pytest.raises(ValueError, match="not a table key"):
            keys.checked(key)

    @pytest.mark.parametrize("make", [keys.role, keys.principal, keys.person, keys.decision, keys.of_role])
    def test_an_id_that_is_none_makes_no_key(self, make: object) -> None:
        with pytest.raises(ValueError, match="not a table key"):
            make("a/b")  # type: ignore[operator] # each takes one text


class TestTheirOrder:
    @given(instants, instants)
    def test_instants_sort_by_time(self, one: datetime, other: datetime) -> None:
        assert (keys.instant(one) < keys.instant(other)) == (one < other)

    @given(instants)
    def test_an_instant_is_read_as_it_was_written(self, at: datetime) -> None:
        assert keys.read_instant(keys.instant(at)) == at

    def test_an_instant_is_the_same_from_every_zone(self) -> None:
        berlin = NOW.astimezone(timezone(timedelta(hours=1)))

        assert keys.instant(berlin) == keys.instant(NOW)
        assert (keys.day(berlin), keys.audit(berlin, ID, 1)) == (keys.day(NOW), keys.audit(NOW, ID, 1))

    def test_the_day_of_an_instant_is_that_of_utc(self) -> None:
        assert keys.day(datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-03-01"

    @given(instants, instants)
    def test_due_rows_sort_by_time_whatever_stands_behind_it(self, one: datetime, other: datetime) -> None:
        first, second = keys.due(one, "ff" * 16, 999_999, "ffffffff"), keys.due(other, "00" * 16, 1, "00000000")

        assert one >= other or first < second

    @given(instants)
    def test_the_span_up_to_now_has_what_is_due_now_and_nothing_later(self, now: datetime) -> None:
        end = keys.instant(now) + keys.END

        assert "0" <= keys.due(now, ID, 1, "0") < end
        assert keys.due(now + timedelta(seconds=1), ID, 1, "0") >= end

    @given(*[instants.filter(lambda at: at.year < 5000)] * 2)
    def test_what_was_asked_last_comes_first(self, one: datetime, other: datetime) -> None:
        assert (keys.newest_first(one, ID) < keys.newest_first(other, ID)) == (one > other)

    def test_numbered_rows_sort_by_number(self) -> None:
        numbers = [1, 2, 9, 10, 11, 99, 100, 999_999]

        assert sorted(map(keys.event, numbers)) == [keys.event(number) for number in numbers]
        assert sorted(map(keys.out, numbers)) == [keys.out(number) for number in numbers]

    @pytest.mark.parametrize("name", SPANS)
    def test_a_span_has_its_own_rows_and_no_others(self, name: str) -> None:
        (start, end), own = SPANS[name]
        others = [key for other, (_, found) in SPANS.items() for key in found if other not in {name, "listed"}]
        others += [keys.ACTIVATION, keys.command("x"), keys.told("x")] if name != "listed" else [keys.change(NOW, ID)]

        assert all(start <= key < end for key in own)
        assert name == "listed" or not any(start <= key < end for key in others)
        assert name != "listed" or not start <= keys.change(NOW, ID) < end


class TestWhatTheyTellApart:
    def test_two_spellings_of_an_id_are_one_key(self) -> None:
        assert keys.principal(f" {GUID.upper()} ") == keys.principal(GUID)
        assert keys.role("Backup-Operators ") == keys.role("backup-operators")

    def test_a_user_and_a_group_of_one_id_are_two(self) -> None:
        assert keys.eligible(GUID, group=True) != keys.eligible(GUID, group=False)

    def test_two_due_rows_of_one_version_are_told_apart_by_their_nonce(self) -> None:
        assert keys.due(NOW, ID, 1, "a") != keys.due(NOW, ID, 1, "b")

    def test_every_activation_has_one_of_sixteen_shards_about_evenly(self) -> None:
        counted = Counter(keys.shard(f"{number:032x}") for number in range(1600))

        assert set(counted) == set(keys.shards())
        assert (keys.shards()[0], keys.shards()[-1]) == ("00", "0f")
        assert min(counted.values()) > 50
