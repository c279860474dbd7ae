"""What members say to each other survives the way over the wire."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.raft.entry import Entry, HardState
from core.raft.messages import (
    AppendRequest,
    AppendResponse,
    RaftMessage,
    ReadIndexRequest,
    ReadIndexResponse,
    SnapshotRequest,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)

numbers = st.integers(0, 2**63 - 1)
entries = st.builds(Entry, numbers, numbers, st.integers(0, 2), numbers, st.binary())
messages = st.one_of(
    st.builds(VoteRequest, numbers, numbers, numbers, st.booleans(), st.booleans()),
    st.builds(VoteResponse, numbers, st.booleans(), st.booleans()),
    st.builds(
        AppendRequest,
        *(numbers for _ in range(6)),
        st.lists(entries, max_size=4).map(tuple),
    ),
    st.builds(
        AppendResponse,
        numbers,
        numbers,
        st.booleans(),
        numbers,
        numbers,
        numbers,
        st.booleans(),
        numbers,
    ),
    st.builds(
        SnapshotRequest,
        *(numbers for _ in range(6)),
        st.binary(),
        numbers,
        st.binary(),
        st.binary(),
        st.booleans(),
    ),
    st.builds(SnapshotResponse, *(numbers for _ in range(6))),
    st.builds(ReadIndexRequest, numbers),
    st.builds(ReadIndexResponse, numbers, numbers, numbers, numbers, st.booleans()),
    st.builds(TimeoutNow, numbers),
)
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(RaftMessage).decode


@given(messages)
def test_a_message_arrives_as_it_was_sent(message: RaftMessage) -> None:
    arrived = decode(encode(message))

    assert message == arrived
    assert type(message) is type(arrived)


@pytest.mark.parametrize(
    "foreign",
    [[], [0], [99, 1, 2], [2, 1, True], [2, "1", True, False], [9, None], {"term": 1}, "term"],
    ids=str,
)
def test_what_is_no_message_is_refused(foreign: object) -> None:
    """Among them are an unknown tag, too few fields and wrong types."""
    with pytest.raises(msgspec.ValidationError):
        decode(encode(foreign))


def test_the_smallest_message_is_small() -> None:
    """Array-like records carry no names: a heartbeat and its answer take a few dozen bytes."""
    heartbeat = AppendRequest(5, 1000, 5, 1000, 10**15, 10**18, ())
    answer = AppendResponse(
        term=5,
        stamp=10**15,
        success=True,
        index=1000,
        hint_index=0,
        hint_term=0,
        electable=True,
        snapshot_floor=0,
    )

    assert len(encode(heartbeat)) == 29
    assert len(encode(answer)) == 20


def test_a_hard_state_is_empty_at_first() -> None:
    assert HardState() == HardState(0, "")
