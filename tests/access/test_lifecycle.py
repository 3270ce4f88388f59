"""Every state and every event, from a table written out again (protocol section 1)."""

import pytest

from access.errors import WrongState
from access.events import Event
from access.lifecycle import TABLE, Work, advance, asks_for, is_busy, is_final, may
from access.model import State

MOVES = """
    (new)             activation.refused               refused
    (new)             activation.requested             pending_approval
    (new)             activation.scheduled             scheduled
    (new)             activation.accepted              provisioning

    pending_approval  approval.asked                   pending_approval
    pending_approval  approval.approved                provisioning
    pending_approval  approval.approved_for_later      scheduled
    pending_approval  approval.denied                  denied
    pending_approval  approval.lapsed                  lapsed
    pending_approval  activation.canceled              canceled
    pending_approval  activation.withdrawn             canceled
    pending_approval  activation.revoked               canceled

    scheduled         activation.start_due             provisioning
    scheduled         activation.canceled              canceled
    scheduled         activation.withdrawn             canceled
    scheduled         activation.revoked               canceled

    provisioning      activation.provisioned           active
    provisioning      activation.provisioning_refused  ending
    provisioning      activation.end_due               ending
    provisioning      activation.deactivated           ending
    provisioning      activation.canceled              ending
    provisioning      activation.revoked               ending

    active            activation.extended              active
    active            assignment.missing               active
    active            activation.end_due               ending
    active            activation.deactivated           ending
    active            activation.revoked               ending

    ending            removal.delayed                  ending
    ending            removal.overdue                  ending
    ending            removal.proven                   ended
    ending            removal.failure_proven           failed

    failed            assignment.returned              failed
    ended             assignment.returned              ended
"""

EXPECTED = {
    (None if state == "(new)" else State(state), Event(event)): State(after)
    for state, event, after in (line.split() for line in MOVES.splitlines() if line.strip())
}
PAIRS = [(state, event) for state in (None, *State) for event in Event]
ALLOWED = [pair for pair in PAIRS if pair in EXPECTED]
FORBIDDEN = [pair for pair in PAIRS if pair not in EXPECTED]
FINAL = {State.REFUSED, State.DENIED, State.CANCELED, State.LAPSED, State.FAILED, State.ENDED}


def before(state: State) -> set[State | None]:
    """The states from which ``state`` is entered from outside."""
    return {source for (source, _), after in EXPECTED.items() if after is state and source is not state}


def events_into(state: State, source: State) -> set[Event]:
    return {event for (origin, event), after in EXPECTED.items() if origin is source and after is state}


@pytest.mark.parametrize(("state", "event"), ALLOWED, ids=str)
def test_an_allowed_event_moves_the_state_as_the_table_says(state: State | None, event: Event) -> None:
    assert may(state, event)
    assert advance(state, event) is EXPECTED[state, event]


@pytest.mark.parametrize(("state", "event"), FORBIDDEN, ids=str)
def test_any_other_event_is_a_bug_that_changes_nothing(state: State | None, event: Event) -> None:
    assert not may(state, event)
    with pytest.raises(WrongState, match=event):
        advance(state, event)


def test_the_table_knows_every_state_and_every_event() -> None:
    assert set(TABLE) == {None, *State}
    assert {event for moves in TABLE.values() for event in moves} == set(Event)


def test_every_state_can_be_reached_from_nothing() -> None:
    reached: set[State | None] = {None}
    while grown := {after for (state, _), after in EXPECTED.items() if state in reached} - reached:
        reached |= grown
    assert reached == {None, *State}


def test_nothing_leads_out_of_a_final_state() -> None:
    assert {state for state in State if is_final(state)} == FINAL
    assert not any(state in FINAL and after is not state for (state, _), after in EXPECTED.items())


def test_every_other_state_can_still_come_to_an_end() -> None:
    closing: set[State | None] = {*FINAL}
    while grown := {state for (state, _), after in EXPECTED.items() if after in closing} - closing:
        closing |= grown
    assert closing == {None, *State}


def test_failed_is_reached_only_through_ending() -> None:
    # A call that was refused may follow one that landed.
    assert before(State.FAILED) == {State.ENDING}


def test_ended_is_reached_only_through_ending() -> None:
    assert before(State.ENDED) == {State.ENDING}


def test_ending_is_left_only_by_a_proof() -> None:
    leaving = {event for (state, event), after in EXPECTED.items() if state is State.ENDING and after is not state}
    assert leaving == {Event.REMOVAL_PROVEN, Event.FAILURE_PROVEN}


def test_what_may_have_been_given_leaves_only_by_being_taken_back() -> None:
    for state in (State.PROVISIONING, State.ACTIVE):
        leaving = {after for (source, _), after in EXPECTED.items() if source is state}
        assert leaving <= {State.ACTIVE, State.ENDING}


def test_a_refusal_by_the_rules_is_stored_once_and_never_moves() -> None:
    assert before(State.REFUSED) == {None}
    assert not any(may(State.REFUSED, event) for event in Event)


def test_a_request_that_waits_leaves_by_approved_denied_canceled_or_lapsed() -> None:
    leaving = {after for (source, _), after in EXPECTED.items() if source is State.PENDING_APPROVAL}
    assert leaving - {State.PENDING_APPROVAL} == {
        State.PROVISIONING,
        State.SCHEDULED,
        State.DENIED,
        State.CANCELED,
        State.LAPSED,
    }


def test_what_is_being_given_is_ended_by_its_end_or_by_somebody_or_by_the_directory() -> None:
    assert events_into(State.ENDING, State.PROVISIONING) == {
        Event.END_DUE,
        Event.DEACTIVATED,
        Event.CANCELED,
        Event.REVOKED,
        Event.PROVISIONING_REFUSED,
    }


def test_what_is_held_is_ended_by_its_end_or_by_somebody_and_no_more_canceled() -> None:
    assert events_into(State.ENDING, State.ACTIVE) == {Event.END_DUE, Event.DEACTIVATED, Event.REVOKED}


def test_an_extension_leaves_what_is_held_held_and_touches_nothing_else() -> None:
    assert [state for state in (None, *State) if may(state, Event.EXTENDED)] == [State.ACTIVE]
    assert advance(State.ACTIVE, Event.EXTENDED) is State.ACTIVE


@pytest.mark.parametrize("state", [State.PENDING_APPROVAL, State.SCHEDULED], ids=str)
def test_the_rules_asked_again_before_giving_can_still_withdraw_it(state: State) -> None:
    # At approval and at start due; a start due at or after the end gives nothing.
    assert advance(state, Event.WITHDRAWN) is State.CANCELED


@pytest.mark.parametrize(
    ("state", "work"),
    [
        (State.PENDING_APPROVAL, Work.DECISION),
        (State.SCHEDULED, Work.START),
        (State.PROVISIONING, Work.GIVING),
        (State.ACTIVE, Work.END),
        (State.ENDING, Work.REMOVAL),
        *((state, Work.NOTHING) for state in sorted(FINAL)),
    ],
    ids=str,
)
def test_each_state_asks_for_one_kind_of_work(state: State, work: Work) -> None:
    assert asks_for(state) is work


def test_only_giving_and_removing_go_on_without_waiting_for_an_instant() -> None:
    assert {state for state in State if is_busy(state)} == {State.PROVISIONING, State.ENDING}
