"""Several activations on one hold, in every order: late workers, stale reads, calls that land after they timed out.

The workers here do what the use cases do with the pure decisions, one conditional write at a time; Hypothesis chooses who
goes next, who is frozen between a write and its call, and what the directory answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from access import hold as holding
from access.hold import Before, Hold, Outcome, Phase, Presence, Release, Wait, Write
from tests.access.contoso import DAY, FREE, NOW, TIMING, WINDOW
from tests.access.slow_directory import SlowDirectory

ACTIVATIONS = ("first", "second", "third")
LAGS = (timedelta(), timedelta(seconds=45), WINDOW - timedelta(seconds=1))
SPANS = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 71, 121, 300))
LATE = (timedelta(seconds=1), timedelta(seconds=30), TIMING.tail)
ANSWERS = ("done", "answer lost", "lands late", "never arrives", "says no")


@dataclass(frozen=True)
class Call:
    """A worker between its write and its call; it may be frozen there."""

    by: str
    version: int
    row: Hold
    sent_by: datetime


class Holds(RuleBasedStateMachine):
    """One principal, one target, three activations."""

    @initialize(held_before=st.booleans())
    def begin(self, held_before: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        self.now = NOW
        self.row, self.version = FREE, 0
        self.by_hand, self.surely_theirs = held_before, held_before
        self.directory = SlowDirectory(held=held_before, now=NOW)
        self.state = dict.fromkeys(ACTIVATIONS, "provisioning")
        self.asks: list[Call] = []
        self.removals: list[Call] = []
        self.removal_answered = False

    # Time, other people, and what the record says of the activations

    @rule(span=st.sampled_from(SPANS))
    def time_passes(self, span: timedelta) -> None:
        until = self.now + span
        while landing := self.directory.next_landing(until):
            self.now, held = landing
            self.directory.land(held, self.now)
            self.note_changes()
        self.now = until

    @rule(who=st.sampled_from(ACTIVATIONS))
    def it_is_to_end(self, who: str) -> None:
        if self.state[who] == "provisioning":
            self.state[who] = "ending"

    @precondition(lambda self: self.row.before is Before.NO and self.row.asked == 0 and not self.directory.held)
    @rule()
    def somebody_else_gives_it_by_hand(self) -> None:
        """Told from ours only by the first ask's answer; until then, or if a stale read unsettles it, it may be taken."""
        self.directory.land(held=True, at=self.now)
        self.note_changes()
        self.by_hand = True

    # Giving

    @rule(
        who=st.sampled_from(ACTIVATIONS),
        answer=st.sampled_from(ANSWERS),
        late=st.sampled_from(LATE),
        lag=st.sampled_from(LAGS),
    )
    def somebody_gives(self, who: str, answer: str, late: timedelta, lag: timedelta) -> None:
        """All steps of giving in one go: the usual case, and the way into the deep ones."""
        self.somebody_claims(who)
        if self.row.phase is Phase.HELD:
            self.somebody_settles_what_was_before(lag)
        if self.row.phase is Phase.HELD and self.row.before is Before.NO:
            self.somebody_is_about_to_ask(who)
        if self.asks:
            self.an_ask_goes_out(answer, late)

    @rule(who=st.sampled_from(ACTIVATIONS))
    def somebody_claims(self, who: str) -> None:
        """Also a worker who read ``provisioning`` long ago, and wakes up now."""
        before = self.row
        verdict = holding.claim(before, who, role="role", ends_at=self.now + DAY, now=self.now)
        if not isinstance(verdict, Write):
            return
        assert who not in before.released, "a released id never gets live again"
        assert before.phase is not Phase.REMOVING
        quiet = before.quiet_until
        assert before.phase is Phase.HELD or quiet is None or self.now >= quiet, "a removal might take what we give now"
        self.write(verdict.hold)

    @precondition(lambda self: self.row.phase is Phase.HELD)
    @rule(lag=st.sampled_from(LAGS))
    def somebody_settles_what_was_before(self, lag: timedelta) -> None:
        verdict = holding.settle_before(self.row, self.look(lag), read_began=self.now, timing=TIMING)
        if isinstance(verdict, Write):
            self.write(verdict.hold)

    @precondition(lambda self: self.row.phase is Phase.HELD and self.row.before is Before.NO)
    @rule(who=st.sampled_from(ACTIVATIONS))
    def somebody_is_about_to_ask(self, who: str) -> None:
        if who not in self.row.live:
            return
        self.write(holding.ask(self.row, now=self.now, timing=TIMING))
        if self.state[who] == "provisioning":
            self.asks.append(Call(who, self.version, self.row, self.now + TIMING.call_limit))

    @precondition(lambda self: self.asks)
    @rule(answer=st.sampled_from(ANSWERS), late=st.sampled_from(LATE))
    def an_ask_goes_out(self, answer: str, late: timedelta) -> None:
        call = self.asks.pop(0)
        if self.now > call.sent_by:
            return
        if self.directory.held:
            theirs = holding.found_already_there(call.row)
            if call.version == self.version:
                self.write(theirs)
            return
        if answer == "says no":
            innocent = holding.definitely_refused(call.row)
            if innocent is not None and call.version == self.version:
                self.write(innocent)
            self.it_is_to_end(call.by)
            return
        self.carry_out(answer, held=True, late=late)

    @precondition(lambda self: self.row.phase is Phase.HELD and self.row.before is Before.YES)
    @rule(lag=st.sampled_from(LAGS))
    def a_read_contradicts_held_before(self, lag: timedelta) -> None:
        if self.look(lag) is not Presence.HELD:
            self.surely_theirs = False
            self.write(holding.unsettle(self.row))

    # Ending

    @rule(
        who=st.sampled_from(ACTIVATIONS),
        answer=st.sampled_from(ANSWERS),
        late=st.sampled_from(LATE),
        lag=st.sampled_from(LAGS),
    )
    def somebody_takes_it_back(self, who: str, answer: str, late: timedelta, lag: timedelta) -> None:
        """All steps of ending in one go."""
        self.it_is_to_end(who)
        self.somebody_lets_go(who)
        if self.row.phase is Phase.REMOVING:
            self.somebody_is_about_to_remove()
        if self.removals:
            self.a_removal_goes_out(answer, late, lag)
        if self.row.phase is Phase.REMOVING and self.removal_answered:
            self.somebody_looks_for_the_proof(lag)

    @rule(who=st.sampled_from(ACTIVATIONS))
    def somebody_lets_go(self, who: str) -> None:
        if self.state[who] != "ending":
            return
        before = self.row
        finished = frozenset(key for key in before.live if self.state[key] == "ended")
        verdict = holding.release(before, who, finished=finished, now=self.now)
        assert isinstance(verdict, Release)
        if verdict.hold is not None:
            needed = set(before.live) - finished - {who}
            assert verdict.hold.phase is Phase.HELD or not needed, "never free while others live"
            if verdict.outcome is Outcome.REMOVE:
                assert before.before is not Before.YES, "never take what was held before"
                assert before.asked > 0, "never take what was never asked for"
                self.removal_answered = False
            self.write(verdict.hold)
        assert who not in self.row.live
        assert who in self.row.released, "so that a late claim is turned away"
        if verdict.outcome is not Outcome.REMOVE:
            self.state[who] = "ended"

    @precondition(lambda self: self.row.phase is Phase.REMOVING)
    @rule()
    def somebody_is_about_to_remove(self) -> None:
        if holding.only_reads(self.row, now=self.now, timing=TIMING):
            return
        self.write(holding.attempt(self.row, now=self.now, timing=TIMING))
        self.removals.append(Call(self.row.by or "", self.version, self.row, self.now + TIMING.call_limit))

    @precondition(lambda self: self.removals)
    @rule(answer=st.sampled_from(ANSWERS), late=st.sampled_from(LATE), lag=st.sampled_from(LAGS))
    def a_removal_goes_out(self, answer: str, late: timedelta, lag: timedelta) -> None:
        call = self.removals.pop(0)
        if self.now > call.sent_by:
            return
        if not self.directory.held or (answer == "says no" and not self.directory.read(self.now - lag)):
            self.removal_answered = self.row.phase is Phase.REMOVING
        elif answer != "says no":
            self.carry_out(answer, held=False, late=late)
            if answer == "done":
                self.removal_answered = self.row.phase is Phase.REMOVING
                if call.version == self.version:
                    self.write(holding.answered(self.row, at=self.now))

    @precondition(lambda self: self.row.phase is Phase.REMOVING and self.removal_answered)
    @rule(lag=st.sampled_from(LAGS))
    def somebody_looks_for_the_proof(self, lag: timedelta) -> None:
        before, presence = self.row, self.look(lag)
        verdict = holding.prove(before, presence, read_began=self.now, timing=TIMING)
        match verdict:
            case Write(free):
                assert before.until is not None
                assert self.now >= before.until + WINDOW, "never proven before every ask has landed and shows"
                assert not self.directory.held, "proven gone is gone"
                self.write(free)
                self.state[before.by or ""] = "ended"
            case Wait():
                self.write(holding.missing(before, presence, read_began=self.now))
            case _:
                self.write(verdict.hold)

    # What always holds

    @invariant()
    def nothing_but_a_free_row_is_without_a_purpose(self) -> None:
        assert (self.row.phase is Phase.HELD) == bool(self.row.live)
        assert not set(self.row.live) & set(self.row.released)

    @invariant()
    def what_is_surely_theirs_stays(self) -> None:
        assert self.directory.held or not self.surely_theirs

    def teardown(self) -> None:
        """When the directory answers again and everybody lets go, nothing of ours is left, and nothing else is gone."""
        if not hasattr(self, "row"):
            return
        self.asks.clear()
        self.removals.clear()
        for who in self.state:
            self.it_is_to_end(who)
        for _ in range(12):
            self.time_passes(timedelta(minutes=5))
            for who in self.state:
                self.somebody_lets_go(who)
            if self.row.phase is Phase.REMOVING:
                self.somebody_is_about_to_remove()
                while self.removals:
                    self.a_removal_goes_out("done", timedelta(), timedelta())
                self.somebody_looks_for_the_proof(timedelta())
        assert set(self.state.values()) == {"ended"}
        assert self.row.phase is Phase.FREE
        assert self.directory.held is self.by_hand

    # How the workers and the directory do it

    def write(self, row: Hold) -> None:
        if row.before is Before.YES:
            assert self.by_hand, "what is ours, or was, is never taken for theirs"
            self.surely_theirs = True
        self.row, self.version = row, self.version + 1

    def look(self, lag: timedelta) -> Presence:
        return Presence.HELD if self.directory.read(self.now - lag) else Presence.NOT_HELD

    def carry_out(self, answer: str, *, held: bool, late: timedelta) -> None:
        if answer in {"done", "answer lost"}:
            self.directory.land(held, self.now)
            self.note_changes()
        elif answer == "lands late":
            self.directory.time_out(held, self.now + late)

    def note_changes(self) -> None:
        for held in self.directory.changes:
            if held:
                assert self.row.phase is not Phase.FREE, "nothing is given once the hold is free"
            else:
                assert self.row.phase is Phase.REMOVING, "nothing is taken while somebody may hold it"
                self.by_hand = False
        self.directory.changes.clear()


def test_whatever_the_order_of_steps_we_take_away_all_that_we_gave_and_nothing_else() -> None:
    run_state_machine_as_test(
        Holds,
        settings=settings(max_examples=200, stateful_step_count=30, deadline=None, derandomize=True),
    )


def possible_steps(holds: Holds, who: str, chance: Random) -> list[Callable[[], None]]:
    """What can happen next, with everything else left to chance."""
    answer, late, lag, row = chance.choice(ANSWERS), chance.choice(LATE), chance.choice(LAGS), holds.row
    held, removing, fresh = row.phase is Phase.HELD, row.phase is Phase.REMOVING, row.before is Before.NO
    steps: list[tuple[object, Callable[[], None]]] = [
        (True, partial(holds.time_passes, chance.choice(SPANS))),
        (True, partial(holds.somebody_gives, who, answer, late, lag)),
        (True, partial(holds.somebody_takes_it_back, who, answer, late, lag)),
        (True, partial(holds.somebody_claims, who)),
        (True, partial(holds.somebody_lets_go, who)),
        (fresh and row.asked == 0 and not holds.directory.held, holds.somebody_else_gives_it_by_hand),
        (row.before is Before.YES, partial(holds.a_read_contradicts_held_before, lag)),
        (held, partial(holds.somebody_settles_what_was_before, lag)),
        (held and fresh, partial(holds.somebody_is_about_to_ask, who)),
        (holds.asks, partial(holds.an_ask_goes_out, answer, late)),
        (removing, holds.somebody_is_about_to_remove),
        (removing and holds.removal_answered, partial(holds.somebody_looks_for_the_proof, lag)),
        (holds.removals, partial(holds.a_removal_goes_out, answer, late, lag)),
    ]
    return [step for possible, step in steps if possible]


def walk(chance: Random) -> None:
    """Take a hundred steps by chance alone; who has ended makes way for the next: so the row lives again and again."""
    holds, current = Holds(), list(ACTIVATIONS[: chance.choice((2, 3))])
    holds.begin(held_before=chance.random() < 0.1)
    for number in range(100):
        for place, name in enumerate(current):
            if holds.state[name] == "ended" and chance.random() < 0.5:
                current[place] = f"number-{number}-{place}"
                holds.state[current[place]] = "provisioning"
        chance.choice(possible_steps(holds, chance.choice(current), chance))()
        holds.nothing_but_a_free_row_is_without_a_purpose()
        holds.what_is_surely_theirs_stays()
    holds.teardown()


@pytest.mark.parametrize("seed", range(10))
def test_so_it_is_in_long_histories_where_the_row_lives_again_and_again(seed: int) -> None:
    chance = Random(seed)
    for _ in range(40):
        walk(chance)
