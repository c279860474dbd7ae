"""Runs in one process and in several."""

import operator

import pytest

from core.settings import RaftSettings
from sim.campaign import each


def test_one_process_needs_no_other() -> None:
    inside: list[int] = []

    assert list(each(inside.append, [1, 2])) == [None, None]
    assert inside == [1, 2]


@pytest.mark.slow
def test_results_keep_the_order_of_their_items() -> None:
    assert list(each(operator.neg, range(50), jobs=2)) == [-item for item in range(50)]


@pytest.mark.slow
def test_a_mutant_is_planted_elsewhere_and_not_here() -> None:
    (elsewhere,) = each(_lease_ns, [RaftSettings()], mutant="drift-ignored")

    assert elsewhere == RaftSettings().election_timeout_min_ns
    assert _lease_ns(RaftSettings()) < elsewhere


def test_an_unknown_mutant() -> None:
    with pytest.raises(KeyError):
        list(each(operator.neg, [1], mutant="unknown"))


def _lease_ns(settings: RaftSettings) -> int:
    return settings.lease_ns
