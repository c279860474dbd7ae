"""The writer fills one segment after another, and says when it needs a further one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.raft.entry import NODE_BYTES_MAX, Entry, HardState
from core.wal.frame import (
    ENTRY_OVERHEAD_BYTES_MAX,
    FRAME_OVERHEAD_BYTES_MAX,
    STAMP_BYTES_MAX,
    Opening,
    Payload,
    decode_frame,
    decode_payload,
    encode_payload,
    frame_bytes,
)
from core.wal.writer import (
    BATCH_BYTES_MAX,
    NO_DIGEST,
    PREPARE_BYTES,
    RESERVE_SHARE,
    SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN,
    Batch,
    Position,
    SegmentRequest,
    SegmentWrite,
    WalFull,
    Writer,
    goes_back,
)
from tests.core.wal.disk import STAMP, Log, entries

RESERVE_BYTES = SEGMENT_BYTES_MIN // RESERVE_SHARE


def new_writer(segment_bytes: int = SEGMENT_BYTES_MIN) -> Writer:
    return Writer(STAMP, segment_bytes, Position())


def prepared_writer(segment_bytes: int = SEGMENT_BYTES_MIN) -> Writer:
    writer = new_writer(segment_bytes)
    prepare(writer)
    return writer


def prepare(writer: Writer) -> None:
    request = writer.wants_segment()
    assert request is not None
    writer.segment_ready(request.number)


def append(
    writer: Writer, added: list[Entry], hard_state: HardState | None = None
) -> tuple[int, int]:
    """Append a batch, durably; return its segment and offset."""
    batch = writer.append(hard_state, added)
    writer.durable(batch.sequence)
    (write,) = batch.writes
    return write.number, write.offset


def payload_of(write: SegmentWrite) -> Payload:
    view = memoryview(bytes(write.offset) + write.data)
    frame = decode_frame(view, number=write.number, offset=write.offset)
    assert frame is not None
    return decode_payload(frame.payload)


def one_entry(size: int, index: int = 1) -> list[Entry]:
    return [Entry(index, 1, 1, 0, bytes(size - ENTRY_OVERHEAD_BYTES_MAX))]


def test_batches_follow_each_other() -> None:
    writer = prepared_writer()
    added = entries(1, 2)

    first = writer.append(HardState(1, "a"), added)
    writer.durable(1)
    second = writer.append(None, entries(3, 1))

    assert (1, 2, 2) == (first.sequence, second.sequence, writer.sequence)
    assert SegmentWrite(1, 0, first.writes[0].data) == first.writes[0]
    assert (1, len(first.writes[0].data)) == (second.writes[0].number, second.writes[0].offset)
    opening = Opening(STAMP, SEGMENT_BYTES_MIN)
    assert Payload(HardState(1, "a"), added, opening) == payload_of(first.writes[0])
    assert Payload(None, entries(3, 1)) == payload_of(second.writes[0])


def test_each_frame_names_the_one_before() -> None:
    log = Log()
    writes = [write for index in range(1, 200) for write in log.append(entries(index, 1, size=999))]

    digest = NO_DIGEST
    for write in writes:
        data = memoryview(bytes(write.offset) + write.data)
        frame = decode_frame(data, number=write.number, offset=write.offset)
        assert frame is not None
        assert digest == frame.previous
        digest = frame.digest
    assert writes[-1].number > 2


def test_a_batch_that_does_not_fit_opens_the_next_segment() -> None:
    writer = prepared_writer()
    append(writer, one_entry(SEGMENT_BYTES_MIN // 2), HardState(4, "b"))
    prepare(writer)

    (write,) = writer.append(None, one_entry(SEGMENT_BYTES_MIN // 2, 2)).writes

    assert (2, 0) == (write.number, write.offset)
    payload = payload_of(write)
    assert (HardState(4, "b"), Opening(STAMP, SEGMENT_BYTES_MIN)) == (
        payload.hard_state,
        payload.opening,
    )


def test_a_new_hard_state_opens_a_segment_with_itself() -> None:
    writer = prepared_writer()
    append(writer, one_entry(SEGMENT_BYTES_MIN // 2), HardState(4, "b"))
    prepare(writer)

    (write,) = writer.append(HardState(5, "c"), one_entry(SEGMENT_BYTES_MIN // 2, 2)).writes

    assert HardState(5, "c") == payload_of(write).hard_state


def test_without_a_segment_nothing_can_be_written_and_nothing_changes() -> None:
    writer = new_writer()

    with pytest.raises(WalFull):
        writer.append(HardState(1, "a"), ())

    assert (0, 0) == (writer.sequence, writer.room())
    prepare(writer)
    assert (1, 0) == append(writer, [], HardState(1, "b"))


def test_a_full_segment_refuses_a_batch_and_takes_a_smaller_one() -> None:
    writer = prepared_writer()
    append(writer, one_entry(SEGMENT_BYTES_MIN // 2))

    with pytest.raises(WalFull):
        writer.append(None, one_entry(SEGMENT_BYTES_MIN // 2, 2))

    assert 1 == append(writer, one_entry(SEGMENT_BYTES_MIN // 4, 2))[0]


def test_batches_may_fill_a_segment_to_its_last_byte() -> None:
    opening = Opening(STAMP, SEGMENT_BYTES_MIN)
    half = SEGMENT_BYTES_MIN // 2
    writer = prepared_writer()

    assert (1, 0) == append(writer, filling(half, HardState(), opening))
    assert (1, half) == append(writer, filling(half, None, None))
    prepare(writer)
    assert (2, 0) == append(writer, filling(SEGMENT_BYTES_MIN, HardState(), opening))


def filling(size: int, hard_state: HardState | None, opening: Opening | None) -> list[Entry]:
    """Return an entry whose frame takes `size` bytes, beside what else is in it."""
    data_bytes = 1_000
    entry = Entry(1, 1, 1, 0, bytes(data_bytes))
    rest = size - frame_bytes(encode_payload(Payload(hard_state, [entry], opening)))
    return [Entry(1, 1, 1, 0, bytes(data_bytes + rest))]


def test_a_batch_larger_than_a_segment_is_refused() -> None:
    writer = prepared_writer()

    with pytest.raises(WalFull):
        writer.append(None, one_entry(SEGMENT_BYTES_MIN))

    assert (1, 0) == append(writer, one_entry(writer.room()))


@given(st.lists(st.integers(ENTRY_OVERHEAD_BYTES_MAX, SEGMENT_BYTES_MIN), max_size=12))
def test_what_there_is_room_for_is_taken(sizes: list[int]) -> None:
    log = Log()
    for index, size in enumerate(sizes, 1):
        log.prepare()
        fits = min(size, log.writer.room())
        if fits >= ENTRY_OVERHEAD_BYTES_MAX:
            log.append(one_entry(fits, index))


@given(st.lists(st.integers(ENTRY_OVERHEAD_BYTES_MAX, SEGMENT_BYTES_MIN), max_size=12))
def test_on_a_full_disk_the_reserve_is_left_for_hard_states(sizes: list[int]) -> None:
    """Entries come until there is no room left, in pieces of any size."""
    writer = prepared_writer()
    for index, size in enumerate([*sizes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MIN], 1):
        fits = min(size, writer.room())
        if fits >= ENTRY_OVERHEAD_BYTES_MAX:
            append(writer, one_entry(fits, index))
    assert writer.room() < FRAME_OVERHEAD_BYTES_MAX + ENTRY_OVERHEAD_BYTES_MAX

    longest_vote = "v" * NODE_BYTES_MAX
    for term in range(1, 1 + RESERVE_BYTES // FRAME_OVERHEAD_BYTES_MAX):
        assert 1 == append(writer, [], HardState(term, longest_vote))[0]


def test_room_is_what_is_left_but_for_the_reserve() -> None:
    aside = RESERVE_BYTES + FRAME_OVERHEAD_BYTES_MAX
    writer = new_writer()
    rooms = [writer.room()]
    prepare(writer)
    rooms.append(writer.room())
    batch = writer.append(None, one_entry(1_000))
    writer.durable(1)
    rooms.append(writer.room())
    prepare(writer)
    rooms.append(writer.room())

    left = SEGMENT_BYTES_MIN - len(batch.writes[0].data)
    assert [0, SEGMENT_BYTES_MIN - aside, left - aside, SEGMENT_BYTES_MIN - aside] == rooms


def test_a_segment_is_wanted_once_and_again_when_refused() -> None:
    writer = new_writer()
    request = SegmentRequest(1, SEGMENT_BYTES_MIN)

    assert [request, None] == [writer.wants_segment(), writer.wants_segment()]
    writer.segment_refused(1)
    assert [request, None] == [writer.wants_segment(), writer.wants_segment()]
    writer.segment_ready(1)
    assert writer.wants_segment() is None


def test_a_segment_is_wanted_only_when_the_one_before_it_is_opened() -> None:
    writer = prepared_writer()
    batch = writer.append(HardState(1, "a"), ())
    assert writer.wants_segment() is None

    writer.durable(batch.sequence)

    assert SegmentRequest(2, SEGMENT_BYTES_MIN) == writer.wants_segment()


def test_a_large_segment_is_wanted_when_the_current_one_runs_low() -> None:
    segment_bytes = PREPARE_BYTES + BATCH_BYTES_MAX
    writer = prepared_writer(segment_bytes)
    append(writer, one_entry(1_000))
    assert writer.wants_segment() is None

    append(writer, one_entry(BATCH_BYTES_MAX, 2))

    assert SegmentRequest(2, segment_bytes) == writer.wants_segment()


def test_segments_below_the_first_index_needed_are_droppable() -> None:
    log = Log()
    for index in range(1, 4):
        log.append(one_entry(SEGMENT_BYTES_MIN // 2, index))

    assert [0, 2, 0, 3] == [log.writer.droppable(needed) for needed in (1, 2, 2, 100)]


def test_entries_that_were_replaced_still_hold_their_segment() -> None:
    log = Log()
    log.append(entries(1, 9))
    log.append(entries(2, 1))
    log.append(one_entry(SEGMENT_BYTES_MIN - 1_000, 3))
    recovered = log.disk.recover().writer

    assert [0, 2] == [log.writer.droppable(needed) for needed in (9, 10)]
    assert [0, 2] == [recovered.droppable(needed) for needed in (9, 10)]


def test_what_is_not_durable_drops_nothing() -> None:
    """Else a crash could take the segment that repeats the hard state along with the old one."""
    log = Log()
    log.append(one_entry(SEGMENT_BYTES_MIN // 2, 1), HardState(3, "c"))
    log.prepare()
    batch = log.writer.append(None, one_entry(SEGMENT_BYTES_MIN // 2, 2))
    assert 0 == log.writer.droppable(100)

    log.writer.durable(batch.sequence)

    assert 2 == log.writer.droppable(100)


def test_an_empty_log_drops_nothing() -> None:
    assert 0 == new_writer().droppable(100)


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        (HardState(2, "a"), HardState(2, "a"), False),
        (HardState(2, ""), HardState(2, "a"), False),
        (HardState(2, "a"), HardState(3, ""), False),
        (HardState(2, "a"), HardState(2, "b"), True),
        (HardState(2, "a"), HardState(2, ""), True),
        (HardState(2, "a"), HardState(1, "a"), True),
    ],
)
def test_a_hard_state_goes_back(before: HardState, after: HardState, back: bool) -> None:
    assert back == goes_back(before, after)


@pytest.mark.parametrize(
    ("hard_state", "added"),
    [
        (None, []),
        (HardState(1, "b"), []),
        (HardState(2, "v" * (NODE_BYTES_MAX + 1)), []),
        (None, [*entries(1, 1), *entries(3, 1)]),
        (None, [Entry(1, 1, 1, 0, bytes(BATCH_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX))]),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(
    hard_state: HardState | None, added: list[Entry]
) -> None:
    writer = prepared_writer()
    append(writer, [], HardState(1, "a"))

    with pytest.raises(InvariantBroken):
        writer.append(hard_state, added)


def test_a_second_batch_waits_for_the_first() -> None:
    writer = prepared_writer()
    batch = writer.append(HardState(1, "a"), ())
    assert isinstance(batch, Batch)

    with pytest.raises(InvariantBroken):
        writer.append(HardState(2, "a"), ())
    with pytest.raises(InvariantBroken):
        writer.durable(2)


def test_segments_that_nobody_asked_for_are_refused() -> None:
    writer = new_writer()
    with pytest.raises(InvariantBroken):
        writer.segment_ready(1)
    with pytest.raises(InvariantBroken):
        writer.segment_refused(1)
    writer.wants_segment()
    with pytest.raises(InvariantBroken):
        writer.segment_ready(2)
    with pytest.raises(InvariantBroken):
        writer.segment_refused(2)


@pytest.mark.parametrize(
    ("stamp", "segment_bytes"),
    [
        (b"s" * (STAMP_BYTES_MAX + 1), SEGMENT_BYTES_MIN),
        (STAMP, SEGMENT_BYTES_MIN - 8),
        (STAMP, SEGMENT_BYTES_MAX + 8),
        (STAMP, SEGMENT_BYTES_MIN + 4),
    ],
)
def test_settings_out_of_bounds_are_refused(stamp: bytes, segment_bytes: int) -> None:
    with pytest.raises(InvariantBroken):
        Writer(stamp, segment_bytes, Position())
