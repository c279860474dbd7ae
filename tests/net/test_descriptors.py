"""Clients get their share of descriptors, and no more."""

import resource
from collections.abc import Iterator

import pytest

from net import descriptors


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_as_far_as_allowed(
    limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, hard = limits
    monkeypatch.setattr(descriptors, "DESCRIPTORS_MAX", 2_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, hard))

    shares = [descriptors.for_clients() for _ in range(2)]

    assert [2_000 - descriptors.RESERVED] * 2 == shares
    assert (2_000, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_higher_limit_is_left_alone(
    limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "DESCRIPTORS_MAX", 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_000, limits[1]))

    assert 1_000 - min(descriptors.RESERVED, 500) == descriptors.for_clients()
    assert 1_000 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
