"""Who belongs to a cluster and who does no more."""

from pathlib import Path

import pytest

from core.raft.configuration import Configuration, Member
from net import membership
from net.data_directory import DataDirectoryError
from net.membership import REMOVED_MAX, Membership


def of(*nodes: str) -> Configuration:
    members = {node: Member(node, f"{node}:8201", f"https://{node}:8200") for node in nodes}
    return Configuration(nodes, members=members)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    known = Membership(
        of("a", "b").with_learner("c", Member("c", "c:1", "", stays_learner=True)), ("d",)
    )

    membership.save(tmp_path, known)

    assert known == membership.load(tmp_path)


def test_nobody_is_known_before(tmp_path: Path) -> None:
    assert Membership() == membership.load(tmp_path)


def test_a_file_that_means_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text("[]")

    with pytest.raises(DataDirectoryError, match=r"peers.json cannot be read"):
        membership.load(tmp_path)


def test_the_removed_are_remembered_until_they_are_members_again() -> None:
    both = Membership().followed_by(of("a", "b"))
    one = both.followed_by(of("a"), ["b"])
    again = one.followed_by(of("a", "b"))

    assert ((), ("b",), ()) == (both.removed, one.removed, again.removed)


def test_not_more_than_so_many_are_remembered() -> None:
    gone = [f"n{number}" for number in range(REMOVED_MAX + 1)]

    known = Membership().followed_by(of("a"), gone)

    assert gone[1:] == list(known.removed)
