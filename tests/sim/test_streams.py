"""Named random streams."""

import pytest

from core.entropy import Entropy, uuid
from sim.streams import SeededEntropy, Streams


def test_a_stream_depends_on_seed_and_name_alone() -> None:
    first, second = Streams(7), Streams(7)
    second.stream("something else").random()

    assert first.stream("disk n1").getrandbits(64) == second.stream("disk n1").getrandbits(64)


def test_streams_of_other_names_or_seeds_differ() -> None:
    streams = Streams(7)
    draws = [
        streams.stream("disk n1").getrandbits(64),
        streams.stream("disk n2").getrandbits(64),
        Streams(8).stream("disk n1").getrandbits(64),
        Streams(-7).stream("disk n1").getrandbits(64),
    ]

    assert 4 == len(set(draws))


def test_a_stream_is_fixed_for_good() -> None:
    """Files of plans rely on it: another derivation would change what they mean."""
    assert 0xB21672B35F988897 == Streams(1).stream("network").getrandbits(64)


def test_a_stream_has_one_owner() -> None:
    streams = Streams(7)
    streams.stream("plan")

    with pytest.raises(ValueError, match="'plan' already has an owner"):
        streams.stream("plan")


def test_seeded_entropy_goes_on_where_it_was() -> None:
    entropy: Entropy = SeededEntropy(Streams(1).stream("entropy n1"))
    again = SeededEntropy(Streams(1).stream("entropy n1"))
    drawn = [uuid(entropy), uuid(entropy)]

    assert drawn[0] != drawn[1]
    assert drawn == [uuid(again), uuid(again)]
    assert 5 == len(entropy.random_bytes(5))
