"""What a leader knows of a peer: match only grows, and what is sent next lies behind it."""

from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.raft.progress import Mode, Progress, SnapshotTransfer
from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase


class ClosingBase:
    """A pinned base that knows whether it was let go of."""

    def __init__(self) -> None:
        self.closed = False
        self._pinned = MemoryBase().pin()

    @property
    def meta(self) -> BaseMeta:
        return self._pinned.meta

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._pinned.iterate(start)

    def close(self) -> None:
        self.closed = True


def replicating(match: int, *inflight: int) -> Progress:
    return Progress(
        match=match,
        next=max((match, *inflight)) + 1,
        mode=Mode.REPLICATE,
        inflight=deque(inflight),
    )


def test_what_is_sent_while_replicating_is_taken_for_granted_until_answered() -> None:
    peer = replicating(3)
    peer.sent(5)
    peer.sent(8)

    assert (9, deque([5, 8])) == (peer.next, peer.inflight)


def test_a_probe_is_sent_once() -> None:
    peer = Progress(match=0, next=4)
    peer.sent(5)

    assert (True, 4, deque()) == (peer.probing, peer.next, peer.inflight)


def test_an_answer_answers_all_before_it() -> None:
    peer = replicating(3, 5, 8, 9)

    assert peer.accepted(8)
    assert (8, 10, deque([9])) == (peer.match, peer.next, peer.inflight)


def test_an_old_answer_is_no_news() -> None:
    """Bugs 19 and 24: neither match nor what comes next goes back."""
    peer = replicating(8, 9)

    assert not peer.accepted(5)
    assert (8, 10, deque([9])) == (peer.match, peer.next, peer.inflight)


def test_a_peer_that_would_be_sent_what_it_has_is_no_peer() -> None:
    """Whoever comes to that has miscounted, and stops."""
    peer = Progress(match=3, next=3, mode=Mode.REPLICATE)

    with pytest.raises(InvariantBroken, match="never sent what it has"):
        peer.accepted(2)


def test_a_probe_that_matches_begins_replication_right_behind_it() -> None:
    peer = Progress(match=0, next=9, probing=True)

    assert peer.accepted(4)
    assert (4, 5, Mode.REPLICATE, False) == (peer.match, peer.next, peer.mode, peer.probing)


def test_a_refusal_leads_back_to_the_hint() -> None:
    peer = replicating(3, 9)
    peer.refused(9, 6)

    assert (Mode.PROBE, 7, deque()) == (peer.mode, peer.next, peer.inflight)


def test_a_refusal_always_leads_back_at_least_by_one() -> None:
    peer = Progress(match=0, next=9, probing=True)
    peer.refused(8, 12)

    assert (8, False) == (peer.next, peer.probing)


def test_a_refusal_never_leads_behind_what_matches() -> None:
    peer = replicating(5, 9)
    peer.refused(9, 2)

    assert (6, 5) == (peer.next, peer.match)


def test_a_refusal_of_what_matches_is_old() -> None:
    peer = replicating(5)
    peer.refused(5, 2)

    assert (Mode.REPLICATE, 6) == (peer.mode, peer.next)


def test_a_refusal_of_another_probe_is_old() -> None:
    peer = Progress(match=0, next=5, probing=True)
    peer.refused(8, 2)

    assert (5, True) == (peer.next, peer.probing)


def test_a_refusal_does_not_end_a_snapshot() -> None:
    peer = Progress(match=0, next=5, mode=Mode.SNAPSHOT)
    peer.refused(8, 2)

    assert Mode.SNAPSHOT == peer.mode


def test_a_snapshot_that_is_no_longer_sent_is_let_go_of_once() -> None:
    base = ClosingBase()
    peer = Progress(match=0, next=1, transfer=SnapshotTransfer(1, base))
    peer.end_transfer()
    peer.end_transfer()

    assert base.closed
    assert peer.transfer is None


answers = st.tuples(
    st.sampled_from(("sent", "accepted", "refused")), st.integers(0, 20), st.integers(0, 20)
)


@given(st.lists(answers))
def test_match_never_goes_back_and_next_stays_behind_it(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is answered, in whatever order (bugs 19 and 20)."""
    peer = Progress(match=0, next=10)
    for verb, index, hint in steps:
        before = peer.match
        if verb == "sent":
            peer.sent(peer.next + index)
        elif verb == "accepted":
            peer.accepted(index)
        else:
            peer.refused(index, hint)

        assert before <= peer.match < peer.next
        assert sorted(peer.inflight) == list(peer.inflight)
        assert not peer.inflight or peer.mode is Mode.REPLICATE
