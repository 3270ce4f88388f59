"""A figure says what it is held to and whether it is met; prices and the calls of a life are complete."""

import json

import pytest

from access.adapters.tables import Delete, Insert, Put, Row
from bench import lives, prices
from bench.calls import Call, Names, renamed
from bench.figures import Figure, by_group, missed, number
from bench.publish import BEGIN, END, page

LAG = Figure(group="Lag", name="p99", value=4.5, unit="s", floor=3.0)


def test_a_figure_stands_beside_its_floor_as_a_ratio() -> None:
    assert LAG.ratio == 1.5
    assert LAG.cells == ("p99", "4.5 s", "3 s", "1.50", "", "")


def test_nothing_is_a_multiple_of_a_floor_of_nothing() -> None:
    assert Figure(group="Lag", name="p99", value=4.5, floor=0.0).ratio is None
    assert Figure(group="Lag", name="p99", value="none").ratio is None


def test_a_limit_may_be_reached_and_not_passed() -> None:
    assert LAG.within(4.5, "within 4.5 s").met
    assert not LAG.within(4.4, "within 4.4 s").met
    assert LAG.within_floor(1.5).met
    assert not LAG.within_floor(1.4).met


def test_what_was_not_met_is_named() -> None:
    assert missed([LAG, LAG.within(5, "within 5 s"), LAG.within(4, "within 4 s")]) == ["Lag: p99"]
    assert LAG.within(4, "within 4 s").cells[-1] == "NOT MET"


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (0.01234, "0.0123"), (63, "63"), (9.876, "9.88")])
def test_a_number_is_as_short_as_it_is_exact_enough(value: float, text: str) -> None:
    assert number(value) == text


def test_a_million_lives_cost_what_their_calls_cost() -> None:
    some = prices.Prices(tables=0.04, bus=0.8, directory=0.0, currency="USD", as_of="2026-07")

    assert some.of_a_million({"tables": 50, "bus": 10, "directory": 20}) == pytest.approx(10.0)


def test_every_price_has_a_unit_and_a_source() -> None:
    said = json.loads(prices.FILE.read_text(encoding="utf-8"))

    assert prices.Prices.read().as_of == said["as_of"]
    assert all({"per_million", "unit", "source"} <= said[to].keys() for to in ("tables", "bus", "directory"))


def test_every_call_of_a_life_serves_something_and_nothing_else_is_listed() -> None:
    made = {what for life in lives.measure() for _, what in life.count}

    assert made == set(lives.SERVES)


def test_a_call_is_made_again_for_other_ids_in_the_shard_of_the_other() -> None:
    names = Names({"one": "another", "ada": "bo"}, shard="0b")
    row = Row(partition="03", key="20260302_one_1", values={"activation": "one", "version": 1})
    copy = Row(partition="2026-03-02-03", key="one", values={})

    due = renamed(Call("tables", "write", "due", operations=(Insert(row), Delete("03", "one"))), names)
    audit = renamed(Call("tables", "write", "audit", operations=(Insert(copy),)), names)
    sent = renamed(Call("bus", "send", queue="expirations", body=b'{"activation": "one"}'), names)
    asked = renamed(Call("directory", "presence", arguments=("ada", "group")), names)

    again = Row(partition="0b", key="20260302_another_1", values={"activation": "another", "version": 1})
    assert due.operations == (Put(again), Delete("0b", "another"))
    assert audit.operations == (Put(Row(partition="2026-03-02-0b", key="another", values={})),)
    assert sent.body == b'{"activation": "another"}'
    assert asked.arguments == ("bo", "group")


def test_figures_of_one_group_stand_together_whenever_they_were_measured() -> None:
    other = Figure(group="Cost", name="tables", value=63)

    assert list(by_group([LAG, other, LAG]).items()) == [("Lag", [LAG, LAG]), ("Cost", [other])]


def test_a_page_gets_the_figures_of_a_run_between_its_marks_and_nothing_else_changes() -> None:
    text = f"# Figures\n\n{BEGIN}\nof an older run\n{END}\n\nMore.\n"

    once = page(text, [LAG], [("approved", "2", "bus", "send", "law 7")], machine="two cores")

    assert once.startswith(f"# Figures\n\n{BEGIN}\n\nOne run, on a machine with two cores.\n")
    assert once.endswith(f"{END}\n\nMore.\n")
    assert "| p99 | 4.5 s | 3 s | 1.50 |  |  |" in once
    assert "| approved | 2 | bus | `send` | law 7 |" in once
    assert "older" not in once
    assert page(once, [LAG], [("approved", "2", "bus", "send", "law 7")], machine="two cores") == once


def test_a_page_without_its_marks_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="marks"):
        page("# Figures\n", [LAG], [], machine="two cores")
