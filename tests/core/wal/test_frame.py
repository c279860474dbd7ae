"""A frame reads back as it was written, in its own place, and nowhere else and no otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.raft.entry import NODE_BYTES_MAX, Entry, HardState
from core.wal.frame import (
    ENTRY_OVERHEAD_BYTES_MAX,
    FRAME_OVERHEAD_BYTES_MAX,
    HEADER_BYTES,
    STAMP_BYTES_MAX,
    VERSION,
    Opening,
    Payload,
    decode_frame,
    decode_payload,
    encode_frame,
    encode_payload,
    find_frame,
    frame_bytes,
)

PAYLOAD = Payload(HardState(3, "a"), [Entry(7, 3, 1, 5, b"data")])
PREVIOUS = bytes(range(16))


def frame_at(offset: int, *, number: int = 4, payload: Payload = PAYLOAD) -> bytes:
    encoded = encode_payload(payload)
    return encode_frame(encoded, number=number, offset=offset, sequence=9, previous=PREVIOUS)


numbers = st.integers(0, 2**64 - 1)
entries_of_any_kind = st.lists(
    st.builds(Entry, numbers, numbers, numbers, numbers, st.binary(max_size=64)), max_size=4
)
payloads = st.builds(
    Payload,
    st.none() | st.builds(HardState, numbers, st.text(max_size=8)),
    entries_of_any_kind,
    st.none() | st.builds(Opening, st.binary(max_size=STAMP_BYTES_MAX), numbers),
)


@given(payloads)
@settings(max_examples=50)
def test_a_frame_reads_back(payload: Payload) -> None:
    encoded = encode_payload(payload)
    data = encode_frame(encoded, number=4, offset=0, sequence=9, previous=PREVIOUS)

    frame = decode_frame(memoryview(data), number=4, offset=0)

    assert frame is not None
    assert payload == decode_payload(frame.payload)
    assert (VERSION, 9, PREVIOUS) == (frame.version, frame.sequence, frame.previous)
    assert data[: len(frame.digest)] == frame.digest
    assert (frame_bytes(encoded), frame_bytes(encoded)) == (len(data), frame.stop)
    assert 0 == len(data) % 8


@given(payloads)
@settings(max_examples=50)
def test_the_overheads_are_bounds(payload: Payload) -> None:
    entries = sum(len(entry.data) + ENTRY_OVERHEAD_BYTES_MAX for entry in payload.entries)

    assert frame_bytes(encode_payload(payload)) <= entries + FRAME_OVERHEAD_BYTES_MAX


def test_the_overhead_of_the_largest_frame_is_its_bound() -> None:
    largest = Payload(
        HardState(2**64 - 1, "v" * NODE_BYTES_MAX),
        [],
        Opening(b"s" * STAMP_BYTES_MAX, 2**64 - 1),
    )
    short_array_bytes = 4

    size = HEADER_BYTES + len(encode_payload(largest)) + short_array_bytes + 7

    assert FRAME_OVERHEAD_BYTES_MAX == size


def test_every_bit_of_a_frame_counts() -> None:
    data = frame_at(0)

    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert decode_frame(memoryview(damaged), number=4, offset=0) is None


def test_a_frame_that_is_cut_short_is_none() -> None:
    data = frame_at(0)

    for stop in range(len(data)):
        assert decode_frame(memoryview(data)[:stop], number=4, offset=0) is None


@pytest.mark.parametrize(("number", "offset"), [(4, 8), (5, 0), (5, 8)])
def test_a_frame_is_valid_in_its_own_place_only(number: int, offset: int) -> None:
    data = bytes(offset) + frame_at(0)

    assert decode_frame(memoryview(data), number=number, offset=offset) is None


def test_zeroes_are_no_frame() -> None:
    assert decode_frame(memoryview(bytes(128)), number=0, offset=0) is None


def test_a_frame_is_found_behind_anything() -> None:
    scraps = frame_at(0)[:-1] + b"HFwl"
    offset = len(scraps)
    data = scraps + frame_at(offset) + bytes(64)

    assert offset == find_frame(data, number=4, start=1)
    assert offset == find_frame(data, number=4, start=offset)
    assert find_frame(data, number=4, start=offset + 1) is None


def test_a_frame_that_an_entry_carries_is_not_found_elsewhere() -> None:
    carried = frame_at(0)
    torn = bytes(8) + frame_at(8, payload=Payload(None, [Entry(1, 1, 1, 0, carried)]))[8:]

    assert carried in torn
    assert find_frame(bytes(8) + torn, number=4, start=0) is None
