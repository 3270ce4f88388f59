"""What the clock does, what is due, and what a due row means (protocol sections 1 and 4)."""

from datetime import datetime, timedelta

import pytest

from access.events import Event
from access.expiry import (
    ALARM_ROW,
    BACK_OFF_LIMIT,
    LOOK_AGAIN_AFTER,
    MISSING_KEPT,
    NOW_ROW,
    RETRY_ROW,
    Drop,
    Keep,
    Nudge,
    alarm_at,
    alarm_send,
    alerts_by,
    back_off,
    due_event,
    early_by,
    is_fresh,
    is_open,
    judge,
    look_is_due,
    may_rest,
    next_alert_at,
    next_tick_at,
    overdue_by,
    queue_for,
    retry_after,
    start_is_due,
    tick_is_over,
)
from access.lifecycle import is_final
from access.model import Activation, Due, State
from tests.access.contoso import HOUR, MINUTE, NOW, SECOND, activation

LAPSE, START, END = NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR
FINAL = [state for state in State if is_final(state)]


def at_state(state: State, **values: object) -> Activation:
    return activation(state, **{"approvers_asked": 2, "lapses_at": LAPSE, "starts_at": START, "ends_at": END, **values})


# The alarm: what will act by itself (law 1)


@pytest.mark.parametrize(
    ("state", "instant"),
    [
        (State.PENDING_APPROVAL, LAPSE),
        (State.SCHEDULED, START),
        (State.PROVISIONING, END),
        (State.ACTIVE, END),
        (State.ENDING, None),
        *((state, None) for state in FINAL),
    ],
    ids=str,
)
def test_each_state_names_the_instant_that_will_act_on_it(state: State, instant: datetime | None) -> None:
    assert alarm_at(at_state(state)) == instant


@pytest.mark.parametrize(
    ("state", "queue", "instant"),
    [
        (State.PENDING_APPROVAL, "expirations", LAPSE),
        (State.SCHEDULED, "provisioning", START),
        (State.PROVISIONING, "expirations", END),
        (State.ACTIVE, "expirations", END),
    ],
    ids=str,
)
def test_a_message_is_scheduled_for_that_instant_to_whoever_acts_then(
    state: State, queue: str, instant: datetime
) -> None:
    send = alarm_send(at_state(state))
    assert send is not None
    assert (send.queue, send.at, send.body) == (queue, instant, {"version": 1, "activation": "activation-1"})


# What the clock does


@pytest.mark.parametrize(
    ("state", "instant", "event"),
    [
        (State.PENDING_APPROVAL, LAPSE, Event.LAPSED),
        (State.SCHEDULED, END, Event.WITHDRAWN),
        (State.PROVISIONING, END, Event.END_DUE),
        (State.ACTIVE, END, Event.END_DUE),
    ],
    ids=str,
)
def test_the_end_is_exclusive_a_second_before_nothing_happens_and_at_it_all_does(
    state: State, instant: datetime, event: Event
) -> None:
    due = at_state(state)
    assert due_event(due, now=instant - SECOND) is None
    assert due_event(due, now=instant) is event
    assert due_event(due, now=instant + HOUR) is event


@pytest.mark.parametrize("state", [State.ENDING, *FINAL], ids=str)
def test_the_clock_does_nothing_to_what_is_ending_or_final(state: State) -> None:
    assert due_event(at_state(state), now=END + HOUR) is None


@pytest.mark.parametrize("state", State, ids=str)
def test_without_instants_the_clock_does_nothing(state: State) -> None:
    assert due_event(activation(state), now=END) is None


def test_a_question_that_lapses_after_its_end_waits_for_its_lapse() -> None:
    waiting = at_state(State.PENDING_APPROVAL, lapses_at=END + HOUR)
    assert due_event(waiting, now=END) is None


@pytest.mark.parametrize(("seconds", "early"), [(6, None), (5, 5 * SECOND), (1, SECOND), (0, None), (-1, None)])
def test_who_is_called_by_a_clock_that_is_ahead_waits_for_what_clocks_differ_by(
    seconds: int, early: timedelta | None
) -> None:
    assert early_by(at_state(State.ACTIVE), now=END - seconds * SECOND) == early
    assert early_by(at_state(State.SCHEDULED), now=START - seconds * SECOND) == early


def test_who_is_called_early_where_nothing_is_to_come_waits_for_nothing() -> None:
    assert early_by(at_state(State.ENDING), now=END - SECOND) is None


def test_a_scheduled_activation_starts_at_its_very_start() -> None:
    scheduled = at_state(State.SCHEDULED)
    assert not start_is_due(scheduled, now=START - SECOND)
    assert start_is_due(scheduled, now=START)
    assert start_is_due(scheduled, now=END - SECOND)


def test_a_start_due_at_or_after_the_end_gives_nothing() -> None:
    scheduled = at_state(State.SCHEDULED)
    assert not start_is_due(scheduled, now=END)
    assert not start_is_due(scheduled, now=END + HOUR)


@pytest.mark.parametrize("missing", ["starts_at", "ends_at"])
def test_nothing_starts_without_a_start_and_an_end(missing: str) -> None:
    assert not start_is_due(at_state(State.SCHEDULED, **{missing: None}), now=START)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SCHEDULED], ids=str)
def test_only_what_is_scheduled_starts(state: State) -> None:
    assert not start_is_due(at_state(state), now=START)


# Until when a decision counts


def test_a_decision_counts_before_the_lapse_and_not_at_it_recorded_or_not() -> None:
    waiting = at_state(State.PENDING_APPROVAL)
    assert is_open(waiting, now=LAPSE - SECOND)
    assert not is_open(waiting, now=LAPSE)


def test_a_question_without_a_lapse_stays_open() -> None:
    assert is_open(at_state(State.PENDING_APPROVAL, lapses_at=None), now=END)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING_APPROVAL], ids=str)
def test_where_nobody_waits_for_a_decision_none_counts(state: State) -> None:
    assert not is_open(at_state(state), now=NOW)


# Who acts


@pytest.mark.parametrize(
    ("state", "now", "queue"),
    [
        (State.PENDING_APPROVAL, LAPSE, "expirations"),
        (State.SCHEDULED, START - SECOND, "expirations"),
        (State.SCHEDULED, START, "provisioning"),
        (State.SCHEDULED, END, "expirations"),
        (State.PROVISIONING, END - SECOND, "provisioning"),
        (State.PROVISIONING, END, "expirations"),
        (State.ACTIVE, NOW, "expirations"),
        (State.ACTIVE, END, "expirations"),
        (State.ENDING, END, "expirations"),
        (State.ENDED, END, "expirations"),
    ],
    ids=str,
)
def test_what_is_to_be_given_goes_to_provisioning_and_all_else_to_expirations(
    state: State, now: datetime, queue: str
) -> None:
    assert queue_for(at_state(state), now=now) == queue


def test_giving_without_an_end_in_sight_still_goes_to_provisioning() -> None:
    assert queue_for(activation(State.PROVISIONING), now=NOW) == "provisioning"


# What a due row means

VERSION = 3
BUSY = [State.PROVISIONING, State.ENDING]
WAITING = [State.PENDING_APPROVAL, State.SCHEDULED, State.ACTIVE]


def row(kind: str, *, version: int = VERSION, key: str = "row", tries: int = 0) -> Due:
    return Due(
        shard="00",
        key=key,
        at=NOW,
        activation="activation-1",
        version=version,
        kind=kind,
        since=NOW - HOUR,
        tries=tries,
    )


def judged(
    due: Due, about: Activation | None, *, outbox_empty: bool = True, now: datetime = NOW
) -> Drop | Keep | Nudge:
    return judge(due, about, outbox_empty=outbox_empty, now=now)


@pytest.mark.parametrize("kind", [NOW_ROW, ALARM_ROW, RETRY_ROW])
@pytest.mark.parametrize("about", [None, at_state(State.ACTIVE, version=VERSION - 1)], ids=["missing", "older"])
def test_a_row_whose_activation_is_missing_or_older_is_kept_for_an_hour_and_hides_no_other_meanwhile(
    kind: str, about: Activation | None
) -> None:
    # Due rows are written first: the commit that explains this one may still be under way.
    assert judged(row(kind), about, now=NOW) == Keep(NOW + 2 * MINUTE)
    last = NOW + MISSING_KEPT - SECOND
    assert judged(row(kind), about, now=last) == Keep(last + 2 * MINUTE)
    assert judged(row(kind), about, now=NOW + MISSING_KEPT) == Drop()
    assert timedelta(hours=1) == MISSING_KEPT


@pytest.mark.parametrize("state", WAITING, ids=str)
def test_the_row_that_is_the_alarm_sends_its_message_and_stays(state: State) -> None:
    # Also where later commits have left the alarm as it was.
    alarm = at_state(state, version=VERSION + 2, alarm="row")
    assert judged(row(ALARM_ROW), alarm) == Nudge("expirations", NOW + 2 * MINUTE, stays=True)


def test_the_alarm_is_sent_again_at_two_four_eight_and_then_every_fifteen_minutes() -> None:
    # Ten thousand that are due at once must not be sent again each minute.
    alarm = at_state(State.ACTIVE, alarm="row")
    verdicts = [judged(row(ALARM_ROW, tries=tries), alarm) for tries in (0, 1, 2, 3, 50)]
    minutes = (2, 4, 8, 15, 15)
    assert verdicts == [Nudge("expirations", NOW + each * MINUTE, stays=True) for each in minutes]


def test_the_alarm_of_a_start_wakes_up_provisioning() -> None:
    scheduled = at_state(State.SCHEDULED, alarm="row")
    assert judged(row(ALARM_ROW), scheduled, now=START) == Nudge("provisioning", START + 2 * MINUTE, stays=True)


@pytest.mark.parametrize("state", FINAL, ids=str)
def test_the_alarm_of_a_final_activation_is_dropped(state: State) -> None:
    assert judged(row(ALARM_ROW), at_state(state, alarm="row")) == Drop()


def test_an_alarm_row_that_is_not_the_alarm_any_more_is_dropped() -> None:
    extended = at_state(State.ACTIVE, version=VERSION + 1, alarm="a later row")
    assert judged(row(ALARM_ROW), extended) == Drop()


def test_an_alarm_row_of_a_commit_that_lost_is_dropped() -> None:
    # Two workers wrote their rows for the same version; one of them committed.
    assert judged(row(ALARM_ROW), at_state(State.ACTIVE, alarm="the winner's row")) == Drop()


@pytest.mark.parametrize("state", State, ids=str)
def test_a_now_row_is_dropped_where_a_newer_version_has_its_own(state: State) -> None:
    assert judged(row(NOW_ROW), at_state(state, version=VERSION + 1), outbox_empty=False) == Drop()


@pytest.mark.parametrize("state", [*WAITING, *FINAL], ids=str)
def test_a_now_row_is_dropped_where_no_outbox_rows_and_no_work_are_left(state: State) -> None:
    assert judged(row(NOW_ROW), at_state(state)) == Drop()


@pytest.mark.parametrize("state", State, ids=str)
def test_a_now_row_sends_its_message_again_while_outbox_rows_are_left_after_a_final_commit_too(state: State) -> None:
    verdict = judged(row(NOW_ROW), at_state(state), outbox_empty=False)
    queue = "provisioning" if state is State.PROVISIONING else "expirations"
    assert verdict == Nudge(queue, NOW + 2 * MINUTE)


@pytest.mark.parametrize("state", BUSY, ids=str)
def test_a_now_row_sends_its_message_again_while_the_directory_has_work_left(state: State) -> None:
    queue = "provisioning" if state is State.PROVISIONING else "expirations"
    assert judged(row(NOW_ROW), at_state(state)) == Nudge(queue, NOW + 2 * MINUTE)


@pytest.mark.parametrize(("tries", "minutes"), [(0, 2), (1, 4), (2, 8), (3, 15), (4, 15), (1_000, 15)])
def test_a_now_row_is_written_again_at_two_four_eight_and_then_every_fifteen_minutes(tries: int, minutes: int) -> None:
    assert back_off(tries) == minutes * MINUTE
    verdict = judged(row(NOW_ROW, tries=tries), at_state(State.ENDING), now=NOW)
    assert verdict == Nudge("expirations", NOW + minutes * MINUTE)
    assert 15 * MINUTE == BACK_OFF_LIMIT


@pytest.mark.parametrize("state", [*WAITING, *BUSY], ids=str)
def test_a_retry_row_sends_its_message_once_and_goes(state: State) -> None:
    queue = "provisioning" if state is State.PROVISIONING else "expirations"
    assert judged(row(RETRY_ROW), at_state(state, version=VERSION + 1)) == Nudge(queue, None)


@pytest.mark.parametrize("state", FINAL, ids=str)
def test_a_retry_row_of_a_final_activation_is_dropped(state: State) -> None:
    assert judged(row(RETRY_ROW), at_state(state)) == Drop()


@pytest.mark.parametrize(("tries", "seconds"), [(0, 5), (1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (1_000, 900)])
def test_the_directory_is_asked_again_after_five_seconds_doubling_to_fifteen_minutes(tries: int, seconds: int) -> None:
    assert retry_after(tries) == seconds * SECOND


def test_an_approval_that_nobody_was_asked_for_yet_is_asked_for_again_until_somebody_is() -> None:
    # The message that asks may be lost, and without it nobody would decide before the lapse.
    unasked = at_state(State.PENDING_APPROVAL, approvers_asked=0)

    assert judged(row(NOW_ROW), unasked) == Nudge("approvals", NOW + back_off(0))
    assert judged(row(NOW_ROW), unasked, now=LAPSE) == Drop()


# A removal that is overdue

DAY = 24 * HOUR
ALERTS = [(0, 5 * MINUTE), (1, HOUR), (2, HOUR + DAY), (3, HOUR + 2 * DAY)]


@pytest.mark.parametrize(("before", "overdue"), ALERTS)
def test_an_overdue_removal_is_reported_after_five_minutes_after_an_hour_and_then_each_day(
    before: int, overdue: timedelta
) -> None:
    ending = at_state(State.ENDING, ending_since=END, alerts=before)
    assert next_alert_at(ending) == END + overdue
    assert alerts_by(ending, now=END + overdue - SECOND) == before
    assert alerts_by(ending, now=END + overdue) == before + 1


def test_alerts_that_nobody_could_give_meanwhile_are_one() -> None:
    # Everything stood still for three days: one report, not five.
    assert alerts_by(at_state(State.ENDING, ending_since=END), now=END + 3 * DAY) == 4


def test_a_removal_is_overdue_since_it_became_due_and_not_since_the_planned_end() -> None:
    given_back = at_state(State.ENDING, ending_since=START)
    assert overdue_by(given_back, now=START + MINUTE) == MINUTE
    assert overdue_by(given_back, now=START - SECOND) == timedelta()


def test_a_removal_of_which_nobody_recorded_since_when_it_is_due_counts_from_its_end() -> None:
    assert next_alert_at(at_state(State.ENDING)) == END + 5 * MINUTE


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDING], ids=str)
def test_what_is_not_being_removed_is_not_overdue(state: State) -> None:
    about = at_state(state, ending_since=START)
    assert (alerts_by(about, now=END + DAY), next_alert_at(about)) == (0, None)


def test_a_removal_that_knows_no_end_is_reported_by_nobody() -> None:
    about = activation(State.ENDING)
    assert (alerts_by(about, now=END), next_alert_at(about)) == (0, None)


@pytest.mark.parametrize(
    ("now", "alerts", "again_after"),
    [
        (END + 4 * MINUTE, 0, MINUTE),
        (END + 5 * MINUTE, 0, 15 * MINUTE),
        (END + 5 * MINUTE, 1, 15 * MINUTE),
        (END + 50 * MINUTE, 1, 10 * MINUTE),
        (END + HOUR, 2, 15 * MINUTE),
    ],
)
def test_an_ending_activation_is_looked_at_when_its_next_alert_is_due_if_not_sooner(
    now: datetime, alerts: int, again_after: timedelta
) -> None:
    ending = at_state(State.ENDING, ending_since=END, alerts=alerts)
    assert judged(row(NOW_ROW, tries=9), ending, now=now) == Nudge("expirations", now + again_after)


# The look after the proof

LOOK = END + 15 * MINUTE
PROVEN = [State.ENDED, State.FAILED]


@pytest.mark.parametrize("state", PROVEN, ids=str)
def test_the_look_after_the_proof_has_an_alarm_and_no_message(state: State) -> None:
    proven = at_state(state, look_at=LOOK)
    assert alarm_at(proven) == LOOK
    assert alarm_send(proven) is None


@pytest.mark.parametrize("state", PROVEN, ids=str)
def test_the_alarm_of_the_look_sends_its_message_once_and_goes(state: State) -> None:
    proven = at_state(state, look_at=LOOK, alarm="row")
    assert judged(row(ALARM_ROW), proven, now=LOOK) == Nudge("expirations", None)


@pytest.mark.parametrize("state", PROVEN, ids=str)
def test_a_look_that_was_put_off_is_tried_again(state: State) -> None:
    proven = at_state(state, look_at=LOOK)
    assert judged(row(RETRY_ROW), proven, now=LOOK - SECOND) == Drop()
    assert judged(row(RETRY_ROW), proven, now=LOOK) == Nudge("expirations", None)


def test_a_look_is_due_at_its_instant_and_only_after_the_end() -> None:
    assert not look_is_due(at_state(State.ENDED, look_at=LOOK), now=LOOK - SECOND)
    assert look_is_due(at_state(State.ENDED, look_at=LOOK), now=LOOK)
    assert not look_is_due(at_state(State.ENDED), now=LOOK)
    assert not look_is_due(at_state(State.ENDING, look_at=LOOK), now=LOOK)
    assert 15 * MINUTE == LOOK_AGAIN_AFTER


# The sweep and what starts it


def test_a_sweep_is_fresh_for_three_minutes_after_its_end() -> None:
    assert is_fresh(NOW, now=NOW + 3 * MINUTE - SECOND)
    assert not is_fresh(NOW, now=NOW + 3 * MINUTE)
    assert not is_fresh(None, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "until"), [(0, 25), (5, 20), (6, 79), (10, 75), (24, 61), (25, 60), (26, 59), (59, 26)]
)
def test_a_tick_comes_where_the_timer_has_just_swept_and_is_never_the_one_that_is_here(
    seconds: int, until: int
) -> None:
    minute = NOW.replace(second=0)
    now = minute + seconds * SECOND

    assert next_tick_at(now) == now + until * SECOND
    assert not tick_is_over(next_tick_at(now), now=now)


def test_who_comes_within_thirty_seconds_of_a_sweep_may_rest_whichever_clock_is_fast() -> None:
    assert may_rest(NOW, now=NOW + 29 * SECOND)
    assert may_rest(NOW, now=NOW - 5 * SECOND)
    assert not may_rest(NOW, now=NOW + 30 * SECOND)
    assert not may_rest(NOW, now=NOW - HOUR)
    assert not may_rest(None, now=NOW)


@pytest.mark.parametrize(
    ("next_at", "over"),
    [
        (None, True),
        (NOW - HOUR, True),
        (NOW, True),
        (NOW + 10 * SECOND, True),
        (NOW + 16 * SECOND, False),
        (NOW + MINUTE + 10 * SECOND, False),
        (NOW + 2 * MINUTE, False),
        (NOW + 2 * MINUTE + SECOND, True),
        (NOW + 365 * DAY, True),
    ],
)
def test_another_tick_is_sent_where_the_last_one_has_come_by_any_clock_or_can_be_none(
    next_at: datetime | None,
    over: bool,  # noqa: FBT001 - the table's second column
) -> None:
    assert tick_is_over(next_at, now=NOW) is over
