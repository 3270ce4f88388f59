"""What every suite may ask for."""

import pytest

from tests.fakes.tenant import FakeTenant


@pytest.fixture
def tenant() -> FakeTenant:
    """A tenant in memory; a test opens the role as it wants it."""
    return FakeTenant()
