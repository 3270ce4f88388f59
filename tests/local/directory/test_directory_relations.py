"""Who belonged to which group at which instant."""

from datetime import UTC, datetime, timedelta

import pytest

from local.directory.model import Relation
from local.directory.relations import Relations

MEMBERS = Relation.MEMBERS
NINE = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NINE

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def relations(watch: Watch) -> Relations:
    relations = Relations(watch)
    relations.load("group", MEMBERS, "bo")
    return relations


def test_the_past_does_not_know_who_joined_since(relations: Relations, watch: Watch) -> None:
    watch.now = NINE + 10 * SECOND
    relations.add("group", MEMBERS, "ada")

    assert relations.of("group", MEMBERS) == {"ada", "bo"}
    assert relations.of("group", MEMBERS, NINE + 9 * SECOND) == {"bo"}
    assert relations.of("group", MEMBERS, NINE + 10 * SECOND) == {"ada", "bo"}


def test_the_past_still_has_who_left_since(relations: Relations, watch: Watch) -> None:
    watch.now = NINE + 10 * SECOND
    relations.remove("group", MEMBERS, "bo")

    assert relations.of("group", MEMBERS) == set()
    assert relations.of("group", MEMBERS, NINE) == {"bo"}


def test_joining_leaving_and_joining_again_is_seen_at_each_instant(relations: Relations, watch: Watch) -> None:
    for second, change in enumerate((relations.add, relations.remove, relations.add), start=1):
        watch.now = NINE + second * SECOND
        change("group", MEMBERS, "ada")

    seen = ["ada" in relations.of("group", MEMBERS, NINE + second * SECOND) for second in range(4)]
    assert seen == [False, True, False, True]


def test_a_change_that_changes_nothing_leaves_no_trace(relations: Relations, watch: Watch) -> None:
    watch.now = NINE + SECOND
    relations.add("group", MEMBERS, "bo")
    relations.remove("group", MEMBERS, "ada")

    assert relations.of("group", MEMBERS, NINE) == {"bo"}


def test_members_and_owners_are_told_apart(relations: Relations) -> None:
    relations.add("group", Relation.OWNERS, "cy")

    assert relations.of("group", MEMBERS) == {"bo"}
    assert relations.of("group", Relation.OWNERS) == {"cy"}
    assert set(relations.touching("group")) == {("group", MEMBERS, "bo"), ("group", Relation.OWNERS, "cy")}
