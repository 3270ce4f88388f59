"""One JSON object per log record: the worker forwards only the formatted message, so the fields go into it."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_correlation: ContextVar[str] = ContextVar("correlation_id", default="")
LONGEST = 128
"""Characters of a correlation id that are kept: as many as the broker allows. A card's comes in a stranger's header."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: event, logger, level, correlation id, fields; line feeds are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line: dict[str, object] = {"event": record.getMessage(), "level": record.levelname, "logger": record.name}
        if correlation := _correlation.get():
            line["correlation_id"] = correlation
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({**fields, **line}, default=str)


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Put ``correlation_id`` into every record, and into every call to the directory, inside the block."""
    token = _correlation.set(correlation_id[:LONGEST])
    try:
        yield
    finally:
        _correlation.reset(token)


def correlation_id() -> str:
    """Return the correlation id of what is being done now; empty where there is none."""
    return _correlation.get()


def install() -> None:
    """Give every handler of the root logger the formatter; the worker has put its own handlers there."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonLines())
    root.setLevel(min(root.level or logging.INFO, logging.INFO))
    for noisy in ("azure", "httpx", "msal", "kiota_http"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
