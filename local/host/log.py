"""What the host writes to standard error: the worker's records as they are, and lines of its own as JSON."""

import contextvars
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

host_log = logging.getLogger("host")

# True inside an invocation: there a record of an Azure SDK is the app's, elsewhere it is this host's own client talking.
in_invocation: contextvars.ContextVar[bool] = contextvars.ContextVar("in_invocation", default=False)


def set_up_logging() -> None:
    """Give the root logger one handler, as the worker does: the app may put a formatter of its own on it."""
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING") == "1" else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_of_the_app)
    root.addHandler(handler)
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(_JsonLines())
    host_log.addHandler(own)
    host_log.propagate = False


def _is_of_the_app(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.WARNING:
        return True
    # `azure.functions` is the worker library: Azure keeps what it says apart, as a system log.
    if record.name == "azure.functions":
        return False
    return in_invocation.get() or not record.name.startswith(("azure.", "uvicorn", "asyncio"))


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": "host",
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
