"""Recovery tells a torn tail from damage, and reads back what was written."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.raft.entry import Entry, HardState
from core.wal.frame import (
    VERSION,
    Opening,
    Payload,
    encode_frame,
    encode_payload,
)
from core.wal.recovery import Recovered, WalDamaged, WalForeign, check_owner, recover
from core.wal.writer import NO_DIGEST, SEGMENT_BYTES_MIN, SegmentRequest, SegmentWrite
from tests.core.wal.disk import STAMP, Disk, Log, entries

OPENING = Opening(STAMP, SEGMENT_BYTES_MIN)
HARD_STATE = HardState(1, "a")


def read(
    *segments: bytes | bytearray, first: int = 1, void_through: int = 0, base_index: int = 0
) -> Recovered:
    return recover(
        [(number, bytes(data)) for number, data in enumerate(segments, first)],
        stamp=STAMP,
        segment_bytes=SEGMENT_BYTES_MIN,
        void_through=void_through,
        base_index=base_index,
    )


def damage(*segments: bytes | bytearray, first: int = 1) -> tuple[int, int, str]:
    """Return where and why these segments are damaged."""
    with pytest.raises(WalDamaged) as caught:
        read(*segments, first=first)
    error = caught.value
    assert f"segment {error.number} at byte {error.offset}: {error.reason}" in str(error)
    return error.number, error.offset, error.reason


def segment(*payloads: Payload | bytes, number: int = 1, sequences: Sequence[int] = ()) -> bytes:
    """Return a segment with these payloads, each in a frame that follows the one before."""
    data = b""
    digest = NO_DIGEST
    for place, payload in enumerate(payloads):
        frame = encode_frame(
            payload if isinstance(payload, bytes) else encode_payload(payload),
            number=number,
            offset=len(data),
            sequence=sequences[place] if sequences else place + 1,
            previous=digest,
        )
        digest = frame[:16]
        data += frame
    return data.ljust(SEGMENT_BYTES_MIN, b"\0")


def opened(*added: Entry, hard_state: HardState = HARD_STATE) -> Payload:
    return Payload(hard_state, added, OPENING)


def long_log() -> tuple[Disk, list[SegmentWrite]]:
    """Return three segments of batches and an empty one, and what was written."""
    log = Log()
    written: list[SegmentWrite] = []
    while len(written) < 3 or written[-3].number < 3:
        index = len(written) * 2 + 1
        written += log.append(entries(index, 2, size=1_500), HardState(index, "a"))
    return log.disk, written


LONG, WRITTEN = long_log()


def test_nothing_is_an_empty_log() -> None:
    recovered = read()

    assert (HardState(), [], ()) == (recovered.hard_state, recovered.entries, recovered.cut)
    assert SegmentRequest(1, SEGMENT_BYTES_MIN) == recovered.writer.wants_segment()


@pytest.mark.parametrize("length", [0, 10, 100, SEGMENT_BYTES_MIN])
def test_a_segment_that_was_never_opened_is_asked_for_anew(length: int) -> None:
    recovered = read(bytes(length))
    assert ([], ()) == (recovered.entries, recovered.cut)
    assert SegmentRequest(1, SEGMENT_BYTES_MIN) == recovered.writer.wants_segment()

    recovered = read(segment(opened(*entries(1, 2))), bytes(length))
    assert (entries(1, 2), ()) == (recovered.entries, recovered.cut)
    assert SegmentRequest(2, SEGMENT_BYTES_MIN) == recovered.writer.wants_segment()


def test_what_was_written_is_read_back() -> None:
    recovered = LONG.recover()

    count = 2 * len(WRITTEN)
    assert HardState(count - 1, "a") == recovered.hard_state
    assert entries(1, count, size=1_500) == recovered.entries
    assert (len(WRITTEN), ()) == (recovered.writer.sequence, recovered.cut)


def test_a_recovered_writer_continues_where_the_log_ended() -> None:
    log = Log()
    log.append(entries(1, 3), HARD_STATE)
    log = Log(log.disk)
    log.append(entries(4, 3))

    recovered = log.disk.recover()
    assert (entries(1, 6), HARD_STATE) == (recovered.entries, recovered.hard_state)


def test_a_recovered_writer_repeats_the_hard_state() -> None:
    log = Log()
    log.append((), HardState(7, "c"))
    log = Log(log.disk)
    log.append(entries(1, 1, size=SEGMENT_BYTES_MIN - 1_000))
    log.append(entries(2, 1, size=SEGMENT_BYTES_MIN - 1_000))
    log.disk.drop(2)

    recovered = log.disk.recover(base_index=1)

    assert (HardState(7, "c"), [2]) == (
        recovered.hard_state,
        [entry.index for entry in recovered.entries],
    )


def test_a_recovered_writer_knows_what_it_may_drop() -> None:
    recovered = LONG.recover()
    opening_writes = [write for write in WRITTEN if write.offset == 0]
    first_in_second = 2 * WRITTEN.index(opening_writes[1]) + 1

    assert 0 == recovered.writer.droppable(first_in_second - 1)
    assert 2 == recovered.writer.droppable(first_in_second)
    assert 3 == recovered.writer.droppable(10**6)


def test_further_segments_may_have_another_size() -> None:
    log = Log()
    log.append(entries(1, 1))
    log.disk.segment_bytes = 2 * SEGMENT_BYTES_MIN
    log = Log(log.disk)
    log.append(entries(2, 1, size=SEGMENT_BYTES_MIN))

    assert [SEGMENT_BYTES_MIN, 2 * SEGMENT_BYTES_MIN] == [
        len(data) for data in log.disk.segments.values()
    ]
    assert [1, 2] == [entry.index for entry in log.disk.recover().entries]


# Entries


def test_later_entries_replace_those_from_the_first_of_them_on() -> None:
    log = Log()
    log.append(entries(1, 9))
    log.append(entries(5, 2, term=2))
    assert entries(1, 4) + entries(5, 2, term=2) == log.disk.recover().entries

    log.append(entries(1, 1, term=3))
    assert entries(1, 1, term=3) == log.disk.recover().entries


def test_entries_that_go_back_before_the_first_replace_all() -> None:
    recovered = read(
        segment(opened(*entries(5, 2)), Payload(None, entries(3, 1, term=2))), base_index=4
    )

    assert [] == recovered.entries


@pytest.mark.parametrize(
    ("base_index", "indices"),
    [(1, [2, 3, 4]), (2, [2, 3, 4]), (4, [2, 3, 4]), (5, []), (9, [])],
)
def test_entries_reach_from_the_base_or_are_none(base_index: int, indices: list[int]) -> None:
    recovered = read(segment(opened(*entries(2, 3))), base_index=base_index)

    assert indices == [entry.index for entry in recovered.entries]


def test_entries_that_only_the_base_holds_may_be_missing() -> None:
    """They were applied, and the base flushed, before they were durable here."""
    log = segment(opened(*entries(1, 3)), Payload(None, entries(6, 2)))

    assert entries(6, 2) == read(log, base_index=5).entries
    assert entries(6, 2) == read(log, base_index=7).entries
    with pytest.raises(WalDamaged, match="missing before 6"):
        read(log, base_index=4)


def test_void_batches_hold_hard_states_but_no_entries() -> None:
    log = segment(
        opened(*entries(1, 9)),
        Payload(HardState(5, "b"), entries(10, 1)),
        Payload(None, entries(8, 2, term=6)),
    )

    recovered = read(log, void_through=2, base_index=7)

    assert (HardState(5, "b"), entries(8, 2, term=6)) == (recovered.hard_state, recovered.entries)


def test_void_entries_hold_no_segment() -> None:
    log = Log()
    log.append(entries(1, 1, size=SEGMENT_BYTES_MIN // 2))
    log.append(entries(2, 1, size=SEGMENT_BYTES_MIN // 2))

    assert 2 == log.disk.recover(void_through=1, base_index=1).writer.droppable(1)


def test_no_batch_is_written_that_is_void_already() -> None:
    """The last batch before the base was replaced may have been lost."""
    log = Log()
    log.append(entries(1, 3))
    log.writer = log.disk.recover(void_through=2, base_index=9).writer
    log.append(entries(10, 2))

    assert entries(10, 2) == log.disk.recover(void_through=2, base_index=9).entries


# Torn tails


def test_a_batch_cut_at_any_byte_is_cut_off() -> None:
    log = Log()
    log.append(entries(1, 3), HARD_STATE)
    (write,) = log.append(entries(4, 1))
    whole = log.disk.segments[1]

    for kept in range(len(write.data.rstrip(b"\0"))):
        torn = whole[: write.offset + kept].ljust(len(whole), b"\0")
        recovered = read(torn)
        left_bytes = len(write.data[:kept].rstrip(b"\0"))
        cut = (SegmentWrite(1, write.offset, bytes(left_bytes)),) if left_bytes else ()
        assert (entries(1, 3), cut) == (recovered.entries, recovered.cut)
        assert 1 == recovered.writer.sequence


def test_a_torn_opening_is_cut_off() -> None:
    whole = segment(opened(*entries(4, 3)), number=2)
    torn = b"\0" + whole[1:]
    first = segment(opened(*entries(1, 3)))

    recovered = read(first, torn)

    assert entries(1, 3) == recovered.entries
    assert (SegmentWrite(2, 0, bytes(len(torn.rstrip(b"\0")))),) == recovered.cut
    assert SegmentRequest(2, SEGMENT_BYTES_MIN) == recovered.writer.wants_segment()


def test_the_very_first_batch_may_be_torn() -> None:
    torn = bytearray(segment(opened(*entries(1, 3))))
    torn[200] ^= 1

    recovered = read(torn)

    assert ([], 0, 1) == (recovered.entries, recovered.writer.sequence, len(recovered.cut))


def test_two_torn_tails_are_both_cut_off() -> None:
    """The cut itself was interrupted, then a batch that opened the next segment."""
    first = bytearray(segment(opened(*entries(1, 3))))
    first[-1] = 1

    recovered = read(first, b"\1".ljust(SEGMENT_BYTES_MIN, b"\0"))

    assert [1, 2] == [write.number for write in recovered.cut]
    assert SEGMENT_BYTES_MIN == recovered.cut[0].offset + len(recovered.cut[0].data)


def test_a_frame_within_a_torn_batch_is_no_frame() -> None:
    carried = segment(opened(*entries(1, 3)))[:1_000]
    log = Log()
    log.append(entries(1, 3))
    (write,) = log.append([Entry(4, 1, 1, 0, carried)])
    log.disk.segments[1][write.offset] ^= 1

    assert entries(1, 3) == log.disk.recover().entries


def test_a_cut_leaves_a_clean_log() -> None:
    log = Log()
    log.append(entries(1, 3))
    log.append(entries(4, 1, size=5_000))
    log.disk.segments[1][900] ^= 1
    first = log.disk.recover()
    log = Log(log.disk)
    log.append(entries(4, 2, term=2))

    recovered = log.disk.recover()

    assert (1, 0) == (len(first.cut), len(recovered.cut))
    assert entries(1, 3) + entries(4, 2, term=2) == recovered.entries


# Damage


@given(st.data())
def test_any_bit_flipped_before_the_last_batch_is_damage(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 3))
    stop = WRITTEN[-1].offset if number == 3 else SEGMENT_BYTES_MIN
    bit = data.draw(st.integers(0, stop * 8 - 1))
    segments = [bytearray(LONG.segments[each]) for each in (1, 2, 3)]
    segments[number - 1][bit // 8] ^= 1 << bit % 8

    where, offset, _ = damage(*segments)

    assert (number, True) == (where, offset * 8 <= bit)


@given(st.integers(1, 2), st.integers(0, SEGMENT_BYTES_MIN - 1))
def test_a_segment_that_lost_its_end_is_damaged(number: int, length: int) -> None:
    segments = [bytes(LONG.segments[each]) for each in (1, 2, 3)]
    segments[number - 1] = segments[number - 1][:length]

    assert number == damage(*segments)[0]


def test_the_last_segment_that_lost_its_end_is_damaged() -> None:
    segments = [bytes(LONG.segments[each]) for each in (1, 2, 3)]

    expected = (3, WRITTEN[-1].offset, f"it ends here, and had {SEGMENT_BYTES_MIN} bytes")
    assert expected == damage(*segments[:2], segments[2][: WRITTEN[-1].offset])


def test_a_zeroed_frame_is_damage() -> None:
    """The bytes never reached the disk, though it said so."""
    first, second = WRITTEN[1], WRITTEN[2]
    lost = bytearray(LONG.segments[1])
    lost[first.offset : second.offset] = bytes(len(first.data))

    assert (1, first.offset, f"no valid frame, yet there is one at {second.offset}") == damage(lost)


def test_a_zeroed_end_of_a_segment_is_damage() -> None:
    """The next segment does not follow what is left."""
    last = max(write.offset for write in WRITTEN if write.number == 1)
    lost = LONG.segments[1][:last].ljust(SEGMENT_BYTES_MIN, b"\0")

    assert (2, 0, "it does not follow the frame before it") == damage(lost, LONG.segments[2])


def test_a_zeroed_segment_is_damage_if_there_is_a_later_one() -> None:
    empty = bytes(SEGMENT_BYTES_MIN)
    reason = "it has no frame, yet there is a later segment"

    assert (2, 0, reason) == damage(LONG.segments[1], empty, LONG.segments[3])
    assert (2, 0, reason) == damage(LONG.segments[1], empty, empty)
    assert (1, 0, reason) == damage(empty, empty)


def test_a_missing_segment_is_damage() -> None:
    first, third = bytes(LONG.segments[1]), bytes(LONG.segments[3])

    with pytest.raises(WalDamaged, match="segment 3 at byte 0: segments before it are missing"):
        recover([(1, first), (3, third)], stamp=STAMP, segment_bytes=SEGMENT_BYTES_MIN)


def test_missing_first_segments_are_damage_unless_the_base_holds_them() -> None:
    held = 2 * sum(write.number == 1 for write in WRITTEN)
    number, offset, reason = damage(LONG.segments[2], LONG.segments[3], first=2)
    assert (2, 0, f"entries are missing before {held + 1}") == (number, offset, reason)

    recovered = read(LONG.segments[2], LONG.segments[3], first=2, base_index=held)
    assert held + 1 == recovered.entries[0].index


@pytest.mark.parametrize("content", [b"", b"\1"])
def test_a_log_whose_first_segments_were_dropped_is_not_empty(content: bytes) -> None:
    reason = "the log starts without a valid frame"

    assert (2, 0, reason) == damage(content.ljust(SEGMENT_BYTES_MIN, b"\0"), first=2)


def test_a_segment_in_the_place_of_another_is_damage() -> None:
    swapped = damage(LONG.segments[1], LONG.segments[3], LONG.segments[2])

    assert (2, 0, "it has no frame, yet there is a later segment") == swapped


def test_another_log_of_the_same_node_is_damage() -> None:
    other = segment(opened(*entries(4, 3)), number=2)

    reason = "it does not follow the frame before it"
    assert (2, 0, reason) == damage(segment(opened(*entries(1, 3))), other)


def test_a_foreign_log_is_refused() -> None:
    foreign = segment(Payload(HARD_STATE, (), Opening(b"another", SEGMENT_BYTES_MIN)))

    with pytest.raises(WalForeign, match="segment 1 belongs to another node"):
        read(foreign)


BATCH = Payload(None, entries(1, 1))


@pytest.mark.parametrize(
    ("payloads", "reason"),
    [
        ([BATCH], "only the first frame opens a segment"),
        ([opened(), opened()], "only the first frame opens a segment"),
        ([opened(), b"\x90"], "its payload: Expected `array` of at least length 2, got 0"),
        ([opened(), Payload(HardState(), ())], "the hard state goes back"),
        (
            [opened(), Payload(None, [*entries(1, 1), *entries(3, 1)])],
            "its entries are not consecutive",
        ),
        ([opened(*entries(2, 1))], "entries are missing before 2"),
    ],
)
def test_a_frame_that_makes_no_sense_is_damage(
    payloads: list[Payload | bytes], reason: str
) -> None:
    assert reason == damage(segment(*payloads))[2]


@pytest.mark.parametrize("sequences", [(2, 2), (2, 1)])
def test_sequences_that_do_not_ascend_are_damage(sequences: tuple[int, int]) -> None:
    data = segment(opened(), BATCH, sequences=sequences)

    assert "its sequence does not ascend" == damage(data)[2]


def test_a_later_format_is_not_taken_for_a_torn_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("core.wal.frame.VERSION", VERSION + 1)
        later = segment(opened(*entries(1, 3)))

    assert (1, 0, f"its format {VERSION + 1} is not known here") == damage(later)


def test_the_long_log_is_what_these_tests_need() -> None:
    assert [1, 2, 3, 4] == sorted(LONG.segments)
    assert 3 == sum(write.number == 3 for write in WRITTEN)
    assert bytes(SEGMENT_BYTES_MIN) == LONG.segments[4]


def test_the_owner_is_known_by_the_first_frame_alone() -> None:
    """Whatever is behind it."""
    opening = Opening(b"another", SEGMENT_BYTES_MIN)
    damaged = segment(Payload(HARD_STATE, (), opening), number=3)[:-1] + b"x"
    with pytest.raises(WalForeign, match="segment 3 belongs to another node"):
        check_owner(3, damaged, stamp=STAMP)

    check_owner(3, damaged, stamp=b"another")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(SEGMENT_BYTES_MIN), id="zeroes"),
        pytest.param(segment(b"\xc1"), id="no payload"),
        pytest.param(segment(Payload(HARD_STATE, ())), id="no opening"),
    ],
)
def test_what_does_not_say_whose_it_is_is_for_the_recovery(data: bytes) -> None:
    check_owner(1, data, stamp=STAMP)
