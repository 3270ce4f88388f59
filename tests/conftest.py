"""What every suite may ask for."""

import logging
from collections.abc import Iterator

import pytest

from tests.fakes.tenant import FakeTenant


@pytest.fixture
def tenant() -> FakeTenant:
    """A tenant in memory; a test opens the role as it wants it."""
    return FakeTenant()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """The command sets up the log of its process, which here is that of other tests too."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
