"""Rows: every value that is stored comes back the same, also from rows that an older or a newer version wrote."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.adapters.ledger_rows import NOT_STORED
from access.adapters.quarantine import SetAside, Verdict
from access.adapters.register import PersonLinks
from access.adapters.rows import SCHEMA, SCHEMA_VERSIONS, from_row, to_row, version_of
from access.adapters.tables import Value
from access.errors import TryAgain
from access.hold import Before, Hold, Phase
from access.model import (
    Activation,
    ApprovalDemand,
    Asked,
    Cause,
    DecideWith,
    Door,
    Eligibility,
    RoleSettings,
    Source,
    State,
    Target,
    Ticket,
    TicketDemand,
    Unmet,
)
from tests.promises.samples import NOW, asked_for

texts = st.text(max_size=20)
YEARS = (datetime(2000, 1, 1), datetime(9000, 1, 1))  # noqa: DTZ001 - Hypothesis adds the zone
instants = st.datetimes(*YEARS, timezones=st.just(UTC))
spans = st.timedeltas(timedelta(), timedelta(days=400)).map(
    lambda span: timedelta(seconds=span // timedelta(seconds=1))
)
targets = st.builds(Target, st.sampled_from(Source), st.text("0123456789abcdefABCDEF-/", max_size=36))
tickets = st.builds(Ticket, texts, texts)
demands = st.builds(Unmet, texts, texts, texts)
numbers = st.integers(0, 2**31 - 1)

STORED: dict[type, st.SearchStrategy[Any]] = {
    Activation: st.builds(
        Activation,
        id=texts,
        state=st.sampled_from(State),
        target=targets,
        door=st.sampled_from(Door),
        ticket=st.none() | tickets,
        duration=spans,
        requested_at=instants,
        starts_at=st.none() | instants,
        ends_at=st.none() | instants,
        lapses_at=st.none() | instants,
        decided_at=st.none() | instants,
        decided_by=st.none() | texts,
        cause=st.none() | st.sampled_from(Cause),
        unmet=st.lists(demands, max_size=3).map(tuple),
        version=numbers,
        events=numbers,
        sends=numbers,
        alarm=st.none() | texts,
        alarm_at=st.none() | instants,
        leased_until=st.none() | instants,
        held_before=st.booleans(),
        justification=texts,
        correlation_id=texts,
    ),
    Hold: st.builds(
        Hold,
        principal=texts,
        target=targets,
        phase=st.sampled_from(Phase),
        before=st.sampled_from(Before),
        live=st.dictionaries(texts, instants, max_size=3),
        roles=st.dictionaries(texts, texts, max_size=3),
        released=st.dictionaries(texts, instants, max_size=3),
        asked=numbers,
        removals=numbers,
        until=st.none() | instants,
        gone_at=st.none() | instants,
        by=st.none() | texts,
    ),
    Asked: st.builds(Asked, asked_at=instants),
    Eligibility: st.builds(Eligibility, starts_at=st.none() | instants, ends_at=st.none() | instants),
    RoleSettings: st.builds(
        RoleSettings,
        target=targets,
        maximum_duration=spans,
        default_duration=spans,
        minimum_duration=spans,
        ticket=st.none() | st.builds(TicketDemand, system=st.none() | texts, pattern=st.none() | texts),
        approval=st.none()
        | st.builds(
            ApprovalDemand,
            users=st.lists(texts, max_size=3).map(tuple),
            groups=st.lists(texts, max_size=3).map(tuple),
            lapses_after=spans,
            decide_with=st.sampled_from(DecideWith),
        ),
        accepts=st.frozensets(st.sampled_from(Door)),
        version=numbers,
    ),
    SetAside: st.builds(
        SetAside,
        at=instants,
        enqueued_at=st.none() | instants,
        verdict=st.none() | st.sampled_from(Verdict),
        verdict_at=st.none() | instants,
        properties=st.dictionaries(texts, texts, max_size=3),
        carried=st.just({}),
    ),
    PersonLinks: st.builds(PersonLinks, accounts=st.lists(texts, max_size=3).map(tuple), contact=st.none() | texts),
}
KEYS = {Activation: NOT_STORED, Hold: frozenset({"etag"}), SetAside: frozenset({"id", "etag"})}


class TestTheRoundTrip:
    @pytest.mark.parametrize("kind", STORED)
    @given(data=st.data())
    def test_every_value_that_is_stored_comes_back_the_same(self, kind: type, data: st.DataObject) -> None:
        value = data.draw(STORED[kind])
        keys = KEYS.get(kind, frozenset())

        row = to_row(value, leave_out=keys)

        assert from_row(kind, row, **{name: getattr(value, name) for name in keys}) == value

    @pytest.mark.parametrize("kind", STORED)
    @given(data=st.data())
    def test_a_row_holds_only_what_a_table_can(self, kind: type, data: st.DataObject) -> None:
        row = to_row(data.draw(STORED[kind]))

        assert row[SCHEMA] == version_of(kind)
        assert {type(value) for value in row.values()} <= {str, int, bool}
        assert row.keys() <= {SCHEMA, *(field.name for field in fields(kind))}

    def test_an_instant_comes_back_in_utc_from_wherever_it_was(self) -> None:
        berlin = NOW.astimezone(timezone(timedelta(hours=1)))

        row = to_row(asked_for(ends_at=berlin))

        assert row["ends_at"] == "2026-03-02T09:00:00Z"

    def test_nothing_and_the_usual_are_left_out(self) -> None:
        row = to_row(Eligibility(principal="ada", role="backup-operators"))

        assert row == {SCHEMA: 1, "principal": "ada", "role": "backup-operators"}

    def test_what_is_false_or_empty_where_the_usual_is_not_is_written(self) -> None:
        settings = RoleSettings(
            key="r",
            name="R",
            target=Target(Source.GROUP_MEMBER, "g"),
            maximum_duration=timedelta(),
            default_duration=timedelta(),
            minimum_duration=timedelta(),
            justification_required=False,
            accepts=frozenset(),
        )

        found = from_row(RoleSettings, to_row(settings))

        assert found == settings
        assert not found.justification_required


@dataclass(frozen=True)
class Older:
    name: str


@dataclass(frozen=True)
class Newer:
    name: str
    colour: str = "grey"
    sizes: tuple[int, ...] = ()
    inner: TicketDemand | None = None


class TestVersions:
    def test_a_row_of_a_newer_version_is_read_by_an_older_one(self) -> None:
        newer = Newer("n", "red", (1, 2), TicketDemand(system="s"))

        assert from_row(Older, to_row(newer)) == Older("n")

    def test_a_row_of_an_older_version_is_read_by_a_newer_one_with_its_defaults(self) -> None:
        assert from_row(Newer, to_row(Older("n"))) == Newer("n")

    def test_a_nested_value_may_know_more_or_less(self) -> None:
        row = {**to_row(Newer("n")), "inner": '{"system": "s", "later": [1]}'}

        assert from_row(Newer, row) == Newer("n", inner=TicketDemand(system="s"))

    def test_columns_that_nobody_knows_are_passed_over(self) -> None:
        role = Eligibility(principal="ada", role="backup-operators")

        assert from_row(Eligibility, {**to_row(role), "later": 3}) == role

    @pytest.mark.parametrize("kind", [Activation, Hold, SetAside])
    @given(data=st.data())
    def test_columns_that_a_newer_version_added_are_written_back_by_whoever_rewrites_the_row(
        self, kind: type, data: st.DataObject
    ) -> None:
        value, keys = data.draw(STORED[kind]), KEYS[kind]
        row = {**to_row(value, leave_out=keys), "later": 3, "later_still": "so", "latest": True}

        found: Any = from_row(kind, row, **{name: getattr(value, name) for name in keys})

        assert replace(found, carried={}) == value
        assert to_row(replace(found, etag="changed"), leave_out=keys) == row

    @pytest.mark.parametrize("kind", STORED)
    def test_a_row_that_this_version_must_not_touch_is_waited_for(self, kind: type) -> None:
        row: dict[str, Value] = {SCHEMA: version_of(kind) + 1, "state": "a state that nobody knows yet"}

        with pytest.raises(TryAgain) as later:
            from_row(kind, row)

        assert later.value.fault
        assert later.value.what.startswith("a newer version of Hourglass")

    def test_a_row_from_before_there_were_numbers_is_read(self) -> None:
        assert from_row(Eligibility, {"principal": "ada", "role": "r"}) == Eligibility(principal="ada", role="r")

    def test_every_kind_that_has_a_number_is_one_that_is_stored(self) -> None:
        assert SCHEMA_VERSIONS.keys() <= STORED.keys()

    def test_an_activation_without_what_came_later_is_read(self) -> None:
        activation = replace(asked_for(), held_before=True, removal_delayed=True)
        row = to_row(activation, leave_out=NOT_STORED)
        del row["held_before"], row["removal_delayed"]

        found = from_row(Activation, row, id=activation.id, etag="")

        assert (found.held_before, found.removal_delayed) == (False, False)
