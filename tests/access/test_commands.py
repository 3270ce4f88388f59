"""Which activation a command means, whose it is, and when it can't happen any more: by rule, without any look-up."""

from dataclasses import replace

import pytest

from access.commands import EVENT_OF, choose, not_own_account, not_theirs, not_through, takes
from access.errors import Code
from access.model import Action, Activation, Door, Person, State, Unmet
from tests.access.contoso import (
    ADA,
    ADA_ADMIN,
    ADA_PERSON,
    BO_PERSON,
    CY_PERSON,
    HOUR,
    NOW,
    ROLE,
    SECOND,
    activation,
)

HELD = activation(State.ACTIVE, ends_at=NOW + HOUR)
COMMANDS = (Action.DEACTIVATE, Action.CANCEL, Action.EXTEND)
FLOW_ONLY, SIGNED_IN_ONLY = frozenset({Door.FLOW}), frozenset({Door.SIGNED_IN})


def told(action: Action, *found: Activation) -> Unmet:
    answer = choose(action, found, now=NOW)
    assert isinstance(answer, Unmet)
    assert answer.what.endswith(".")
    assert answer.remedy.endswith(".")
    return answer


@pytest.mark.parametrize("state", State)
def test_each_state_takes_the_commands_that_are_written_here(state: State) -> None:
    taken = {action for action in COMMANDS if takes(activation(state, ends_at=NOW + HOUR), action, now=NOW)}
    assert taken == {
        State.PENDING_APPROVAL: {Action.CANCEL},
        State.SCHEDULED: {Action.CANCEL},
        State.PROVISIONING: {Action.CANCEL, Action.DEACTIVATE},
        State.ACTIVE: {Action.DEACTIVATE, Action.EXTEND},
    }.get(state, set())


def test_every_command_about_an_activation_has_its_event() -> None:
    assert set(EVENT_OF) == set(Action) - {Action.ACTIVATE, Action.VALIDATE}


def test_what_is_over_is_given_back_still_and_not_extended() -> None:
    over = activation(State.ACTIVE, ends_at=NOW)
    assert takes(over, Action.DEACTIVATE, now=NOW)
    assert not takes(over, Action.EXTEND, now=NOW)
    assert takes(over, Action.EXTEND, now=NOW - SECOND)
    assert not takes(replace(over, ends_at=None), Action.EXTEND, now=NOW)


def test_the_only_one_that_takes_it_is_meant() -> None:
    ended = activation(State.ENDED, id="old")
    waiting = activation(State.PENDING_APPROVAL, id="next")
    assert choose(Action.DEACTIVATE, (ended, HELD, waiting), now=NOW) is HELD
    assert choose(Action.CANCEL, (ended, HELD, waiting), now=NOW) is waiting


def test_of_several_one_must_be_named_and_all_are_listed() -> None:
    answer = told(Action.DEACTIVATE, HELD, replace(HELD, id="activation-2"))
    assert answer.code == Code.ACTIVATION_AMBIGUOUS
    assert "activation-1, activation-2" in answer.remedy


@pytest.mark.parametrize(
    ("action", "state", "code", "hint"),
    [
        (Action.DEACTIVATE, State.PENDING_APPROVAL, Code.NOTHING_TO_END, "Send cancel"),
        (Action.DEACTIVATE, State.SCHEDULED, Code.NOTHING_TO_END, "Send cancel"),
        (Action.DEACTIVATE, State.ENDING, Code.NOTHING_TO_END, "Wait for the mail"),
        (Action.DEACTIVATE, State.ENDED, Code.NOTHING_TO_END, "Nothing is left"),
        (Action.CANCEL, State.ACTIVE, Code.NOTHING_TO_CANCEL, "Send deactivate"),
        (Action.CANCEL, State.ENDING, Code.NOTHING_TO_CANCEL, "Wait for the mail"),
        (Action.CANCEL, State.LAPSED, Code.NOTHING_TO_CANCEL, "Nothing is left"),
        (Action.EXTEND, State.PENDING_APPROVAL, Code.NOTHING_TO_EXTEND, "once it is active"),
        (Action.EXTEND, State.PROVISIONING, Code.NOTHING_TO_EXTEND, "once it is active"),
        (Action.EXTEND, State.ENDING, Code.NOTHING_TO_EXTEND, "Wait for the mail"),
        (Action.EXTEND, State.ENDED, Code.NOTHING_TO_EXTEND, "anew"),
    ],
)
def test_where_there_is_none_the_answer_says_what_to_do_instead(
    action: Action, state: State, code: Code, hint: str
) -> None:
    answer = told(action, activation(state))
    assert answer.code == code
    assert hint in answer.remedy


@pytest.mark.parametrize("action", COMMANDS)
def test_who_has_nothing_of_the_role_is_not_told_that_nothing_is_left_to_do(action: Action) -> None:
    answer = told(action)
    assert answer.code in {Code.NOTHING_TO_END, Code.NOTHING_TO_CANCEL, Code.NOTHING_TO_EXTEND}
    assert "the account if you named one" in answer.remedy


@pytest.mark.parametrize("person", [ADA_PERSON, Person(accounts=(ADA_ADMIN,)), Person(accounts=(ADA,))])
def test_who_asked_and_who_receives_may(person: Person) -> None:
    assert not list(not_theirs(HELD, person))


@pytest.mark.parametrize(
    "person", [BO_PERSON, CY_PERSON, Person(accounts=(replace(ADA, id="another", mail=ADA.mail),))]
)
def test_nobody_else_may_whatever_their_name_or_address(person: Person) -> None:
    assert [unmet.code for unmet in not_theirs(HELD, person)] == [Code.ACTIVATION_NOT_YOURS]


def test_an_account_is_named_by_its_own_person_only() -> None:
    assert not list(not_own_account(ADA_ADMIN, ADA_PERSON))
    assert [unmet.code for unmet in not_own_account(ADA_ADMIN, BO_PERSON)] == [Code.NOT_SAME_PERSON]


@pytest.mark.parametrize(
    ("made", "door", "accepts", "codes"),
    [
        (Door.FLOW, Door.FLOW, SIGNED_IN_ONLY, []),
        (Door.FLOW, Door.SIGNED_IN, FLOW_ONLY, []),
        (Door.SIGNED_IN, Door.SIGNED_IN, FLOW_ONLY, []),
        (Door.SIGNED_IN, Door.FLOW, FLOW_ONLY, []),
        (Door.SIGNED_IN, Door.FLOW, SIGNED_IN_ONLY, [Code.DOOR_NOT_ACCEPTED]),
        (Door.SIGNED_IN, Door.FLOW, None, [Code.DOOR_NOT_ACCEPTED]),
    ],
)
def test_what_was_proven_is_not_ended_by_what_is_only_said_unless_the_role_takes_flows(
    made: Door, door: Door, accepts: frozenset[Door] | None, codes: list[Code]
) -> None:
    settings = None if accepts is None else replace(ROLE, accepts=accepts)
    assert [one.code for one in not_through(replace(HELD, door=made), door, settings)] == codes
