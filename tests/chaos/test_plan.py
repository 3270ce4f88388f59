"""The choices of a run: made by its seed alone, and everything is killed."""

from itertools import islice

import pytest

from tests.chaos.plan import HOSTS, LONG, SHORT, Plan, Size, Victim, Weather

SIZES = pytest.mark.parametrize("size", [SHORT, LONG], ids=["short", "long"])


@SIZES
def test_a_seed_makes_the_same_choices_again(size: Size) -> None:
    def choices(seed: int) -> tuple[object, ...]:
        plan = Plan(seed, size)
        wishes = [list(islice(plan.wishes(person), 5)) for person in range(3)]
        return list(plan.rounds()), wishes, plan.held_before(), [plan.approves() for _ in range(20)]

    assert choices(7) == choices(7)
    assert choices(7) != choices(8)


@SIZES
@pytest.mark.parametrize("seed", range(20))
def test_every_part_is_killed_and_a_deploy_is_in_the_middle(size: Size, seed: int) -> None:
    rounds = list(Plan(seed, size).rounds())

    assert len(rounds) == size.rounds
    assert {victim for one in rounds for victim in one.victims} == set(Victim)
    assert [one.number for one in rounds if Victim.DEPLOY in one.victims] == [size.rounds // 2 + 1]
    assert {*HOSTS} <= {name for one in rounds for name in one.names}


@pytest.mark.parametrize("seed", range(20))
def test_a_long_run_has_every_weather(seed: int) -> None:
    assert {one.weather for one in Plan(seed, LONG).rounds()} == set(Weather)


def test_people_want_every_role_and_not_always_the_same_time() -> None:
    wishes = list(islice(Plan(1, LONG).wishes(0), 100))

    assert {wish.role for wish in wishes} == {"left", "left-too", "right", "guarded"}
    assert all(LONG.shortest <= wish.seconds <= LONG.longest for wish in wishes)
    assert {wish.twice for wish in wishes} == {wish.gives_back for wish in wishes} == {True, False}
