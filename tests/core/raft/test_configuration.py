"""The membership record."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.raft.configuration import EMPTY, REMOVED_MAX, Configuration, Member, decode

A, B, C = (Member(name, f"{name}:8201", f"http://{name}") for name in "abc")
TWO = Configuration(("a", "b"), (), (), {"a": A, "b": B})

names = st.lists(st.sampled_from("abcdef"), unique=True).map(tuple)
members = st.builds(Member, st.text(), st.text(), st.text(), st.booleans())
configurations = st.builds(
    Configuration, names, names, names, st.dictionaries(st.sampled_from("abcdef"), members)
)


@given(configurations)
def test_what_is_encoded_can_be_read(configuration: Configuration) -> None:
    assert configuration == decode(configuration.encode())


def test_equal_configurations_have_equal_bytes() -> None:
    """The order in which members came to be known does not show."""
    other = Configuration(("a", "b"), (), (), {"b": B, "a": A})

    assert TWO.encode() == other.encode()


def test_no_data_is_nobody() -> None:
    assert EMPTY == decode(b"")


def test_another_format_is_refused() -> None:
    with pytest.raises(InvariantBroken):
        decode(cbor2.dumps([1, [], [], [], {}]))


def test_voters_of_both_groups_vote() -> None:
    joint = Configuration(("a",), ("b",), ("c",), {"a": A, "b": B, "c": C})

    assert [True, True, False] == [joint.votes(node) for node in "abc"]


def test_a_learner_becomes_a_voter() -> None:
    with_learner = TWO.with_learner("c", C)

    assert Configuration(("a", "b"), (), ("c",), {"a": A, "b": B, "c": C}) == with_learner
    expected = Configuration(("a", "b", "c"), (), (), {"a": A, "b": B, "c": C})
    assert expected == with_learner.promoted("c")


def test_who_is_known_only_gets_new_addresses() -> None:
    moved = Member("a", "elsewhere:8201", "http://elsewhere")
    learning = TWO.with_learner("c", C)

    expected = Configuration(("a", "b"), (), ("c",), {"a": moved, "b": B, "c": moved})
    assert expected == learning.with_learner("a", moved).with_learner("c", moved)


def test_only_a_learner_is_promoted() -> None:
    with pytest.raises(InvariantBroken):
        TWO.promoted("a")


def test_who_is_removed_is_gone_for_good() -> None:
    smaller = TWO.without("b")

    assert Configuration(("a",), (), (), {"a": A}, ("b",)) == smaller
    assert smaller == decode(smaller.encode())
    assert ("b", "c") == smaller.with_learner("c", C).promoted("c").without("c").removed
    with pytest.raises(InvariantBroken):
        smaller.with_learner("b", B)


def test_so_many_that_were_removed_are_remembered() -> None:
    configuration = TWO
    for number in range(REMOVED_MAX + 2):
        configuration = configuration.with_learner(f"n{number}", C).without(f"n{number}")

    assert tuple(f"n{number}" for number in range(2, REMOVED_MAX + 2)) == configuration.removed
