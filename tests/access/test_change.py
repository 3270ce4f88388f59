"""One change as a value: a move by the table, with what leaves with it."""

import pytest

from access.change import begin, move
from access.errors import WrongState
from access.events import SYSTEM, Event, Happened
from access.model import Cause, Send, State
from tests.access.contoso import NOW, activation

TELL = (Send(queue="notifications"),)


def test_a_new_activation_begins_in_the_state_that_its_event_leads_to() -> None:
    change = begin(activation(State.REFUSED), Happened(event=Event.ACCEPTED, at=NOW), sends=TELL, command="message-1")
    assert change.before is None
    assert change.after == activation(State.PROVISIONING)
    assert (change.sends, change.command, change.asked) == (TELL, "message-1", ())


def test_a_move_changes_the_state_and_the_values_it_names() -> None:
    active = activation(State.ACTIVE)
    change = move(active, Happened(event=Event.END_DUE, at=NOW), sends=TELL, cause=Cause.EXPIRED)
    assert change.before is active
    assert change.after == activation(State.ENDING, cause=Cause.EXPIRED)
    assert (change.sends, change.command) == (TELL, None)


def test_a_move_cannot_name_another_state_than_the_table_does() -> None:
    change = move(activation(State.ACTIVE), Happened(event=Event.END_DUE, at=NOW), state=State.ENDED)
    assert change.after.state is State.ENDING


def test_a_move_that_the_table_does_not_have_is_a_bug() -> None:
    with pytest.raises(WrongState):
        move(activation(State.ENDED), Happened(event=Event.APPROVED, at=NOW))
    with pytest.raises(WrongState):
        begin(activation(State.ACTIVE), Happened(event=Event.PROVISIONED, at=NOW), command="message-1")


def test_what_nobody_did_was_done_by_the_system() -> None:
    assert Happened(event=Event.END_DUE, at=NOW).by == SYSTEM
