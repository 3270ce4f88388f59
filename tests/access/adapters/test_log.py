"""The log: one line of JSON for a record, with its fields, its correlation, and no way to write a second line."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from access.adapters.log import JsonLines, correlated, correlation_id, install


def record(message: str, *args: object, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    return logging.getLogger("access.somewhere").makeRecord(
        "access.somewhere", level, "file.py", 1, message, args, None, extra=fields
    )


def written(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines().format(made)
    assert "\n" not in line
    assert "\r" not in line
    return dict(json.loads(line))


@contextmanager
def root_with(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    """Give the root logger as a worker left it; afterwards it is as it was."""
    root = logging.getLogger()
    kept, level = root.handlers, root.level
    root.handlers = list(handlers)
    try:
        yield root
    finally:
        root.handlers = kept
        root.setLevel(level)


class TestARecord:
    def test_it_is_one_line_with_its_event_its_level_its_logger_and_its_fields(self) -> None:
        line = written(
            record("approval.refused", level=logging.WARNING, activation_id="a-1", seconds=1.5, codes=["HG-1"])
        )

        assert line == {
            "event": "approval.refused",
            "level": "WARNING",
            "logger": "access.somewhere",
            "activation_id": "a-1",
            "seconds": 1.5,
            "codes": ["HG-1"],
        }

    def test_a_field_can_not_pass_for_the_event_the_level_or_the_logger(self) -> None:
        forged: dict[str, Any] = {"event": "nothing", "logger": "nobody", "correlation_id": "forged"}
        made = record("outbox.delayed", **forged)
        made.__dict__["level"] = "DEBUG"
        with correlated("flow-run-1"):
            line = written(made)

        assert (line["event"], line["level"], line["logger"]) == ("outbox.delayed", "INFO", "access.somewhere")
        assert line["correlation_id"] == "flow-run-1"

    @pytest.mark.parametrize("text", ["a\nb", "a\r\nb", 'a"}\n{"event": "forged"', "a\u2028b", "\x00", "\ud800"])
    def test_nothing_that_a_stranger_sends_begins_a_new_line(self, text: str) -> None:
        assert written(record("message.put_off", what=text))["what"] == text

    def test_what_json_does_not_know_is_written_as_text(self) -> None:
        assert written(record("x.y", what=ValueError("no")))["what"] == "no"

    def test_arguments_are_put_into_the_message(self) -> None:
        assert written(record("seen %d of %s", 1, "two"))["event"] == "seen 1 of two"

    def test_an_exception_is_inside_the_line(self) -> None:
        made = record("sweep.failed", level=logging.ERROR)
        try:
            _ = 1 // 0
        except ZeroDivisionError:
            made.exc_info = sys.exc_info()

        exception = written(made)["exception"]
        assert "ZeroDivisionError: integer" in exception
        assert "Traceback" in exception


class TestTheCorrelation:
    def test_it_is_in_every_record_inside_the_block_and_in_none_after_it(self) -> None:
        with correlated("flow-run-1"):
            assert correlation_id() == "flow-run-1"
            assert written(record("x.y"))["correlation_id"] == "flow-run-1"

        assert correlation_id() == ""
        assert "correlation_id" not in written(record("x.y"))

    def test_blocks_may_be_inside_one_another(self) -> None:
        with correlated("outer"):
            with correlated("inner"):
                assert correlation_id() == "inner"
            assert correlation_id() == "outer"

    def test_it_ends_with_a_block_that_fails(self) -> None:
        with pytest.raises(ZeroDivisionError), correlated("flow-run-1"):
            raise ZeroDivisionError

        assert correlation_id() == ""

    def test_an_id_that_a_stranger_sends_fills_no_lines(self) -> None:
        with correlated("x" * 100_000):
            assert len(correlation_id()) == 128


class TestInstalling:
    def test_every_handler_that_the_worker_has_writes_json(self) -> None:
        with root_with(logging.NullHandler(), logging.NullHandler()) as root:
            install()

            assert [type(handler.formatter) for handler in root.handlers] == [JsonLines, JsonLines]

    def test_without_a_worker_there_is_a_handler_all_the_same(self) -> None:
        with root_with() as root:
            install()

            assert [type(handler.formatter) for handler in root.handlers] == [JsonLines]

    def test_the_sdks_say_only_what_is_wrong(self) -> None:
        with root_with(logging.NullHandler()):
            install()

            assert not logging.getLogger("azure.core.pipeline").isEnabledFor(logging.INFO)
            assert logging.getLogger("access.adapters.ledger").isEnabledFor(logging.INFO)
