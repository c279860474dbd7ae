"""A fresh cluster for each test."""

import pytest

from tests.sim.invariants.settled import Settled


@pytest.fixture
def settled() -> Settled:
    """Return a cluster at rest, which is the test's own to break."""
    return Settled()
