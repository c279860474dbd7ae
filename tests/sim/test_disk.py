"""The simulated disk."""

from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.store.base import BaseMeta
from sim.disk import FLOOR_NS_MAX, FLOOR_NS_MIN, FLUSH_NS_PER_CHANGE, SYNC_NS_MAX, Disk
from sim.faults import DiskFull, SlowDisk, Unsynced
from sim.run import GRACE_NS
from sim.streams import Streams

SIZE = 16
META = BaseMeta(index=5, term=2)
FULL = DiskFull(at_ns=0, for_ns=1, nodes=("n1",))
MODES: tuple[Unsynced, ...] = get_args(Unsynced)


def _disk(segments: int = 1) -> Disk:
    disk = Disk(Streams(7).stream("disk n1"))
    for number in range(1, segments + 1):
        assert disk.start_prepare(number, SIZE)
        disk.finish_prepare(number)
    return disk


def _contents(disk: Disk) -> bytes:
    ((number, content),) = disk.segments()
    assert 1 == number
    return content


def test_a_prepared_segment_is_zero() -> None:
    assert [(1, bytes(SIZE)), (2, bytes(SIZE))] == _disk(2).segments()


def test_a_write_is_durable_after_a_sync() -> None:
    disk = _disk()
    disk.write(1, 2, b"abcd")
    assert bytes(SIZE) == _contents(disk)

    disk.sync()
    disk.crash(Random(1), "drop")
    assert b"\0\0abcd".ljust(SIZE, b"\0") == _contents(disk)


def test_later_writes_win() -> None:
    disk = _disk()
    disk.write(1, 0, b"aaaa")
    disk.write(1, 2, b"bbbb")
    disk.sync()

    assert b"aabbbb".ljust(SIZE, b"\0") == _contents(disk)


@pytest.mark.parametrize(("number", "offset"), [(2, 0), (1, -1), (1, SIZE - 1), (0, 0)])
def test_a_write_outside_of_a_segment_is_refused(number: int, offset: int) -> None:
    with pytest.raises(InvariantBroken, match=f"at {offset} is outside of segment {number}"):
        _disk().write(number, offset, b"ab")


def test_a_crash_may_keep_or_drop_all() -> None:
    for unsynced, expected in (("keep", b"abcd"), ("drop", bytes(4))):
        disk = _disk()
        disk.write(1, 0, b"abcd")
        disk.crash(Random(1), "keep" if unsynced == "keep" else "drop")
        disk.sync()

        assert expected == _contents(disk)[:4]


def _torn(seed: int, *writes: tuple[int, bytes]) -> bytes:
    disk = _disk()
    for offset, data in writes:
        disk.write(1, offset, data)
    disk.crash(Random(seed), "tear")
    return _contents(disk)


def test_a_crash_tears_at_any_byte() -> None:
    """Of one write, each beginning, each end and holes in the middle are seen to survive."""
    outcomes = {_torn(seed, (0, b"abcd"))[:4] for seed in range(300)}

    beginnings = {b"abcd"[:cut].ljust(4, b"\0") for cut in range(5)}
    ends = {b"abcd"[cut:].rjust(4, b"\0") for cut in range(5)}
    assert beginnings | ends | {b"a\0\0d", b"\0bc\0"} <= outcomes


def test_a_crash_forgets_the_order_of_writes() -> None:
    outcomes = {_torn(seed, (0, b"a"), (1, b"b"))[:2] for seed in range(100)}

    assert {b"\0\0", b"a\0", b"\0b", b"ab"} == outcomes


@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=8), st.integers(0, 8))
def test_a_crash_leaves_old_bytes_or_new_ones(seed: int, data: bytes, offset: int) -> None:
    disk = _disk()
    disk.write(1, 0, b"x" * SIZE)
    disk.sync()
    disk.write(1, offset, data)
    disk.crash(Random(seed), "tear")

    new = (b"x" * offset + data).ljust(SIZE, b"x")
    assert all(byte in (ord("x"), new[at]) for at, byte in enumerate(_contents(disk)))


def test_a_segment_that_is_prepared_may_be_short_after_a_crash() -> None:
    lengths: list[int | None] = []
    for seed in range(100):
        disk = _disk(0)
        disk.start_prepare(1, SIZE)
        disk.crash(Random(seed), "tear")
        lengths.append(len(_contents(disk)) if disk.segments() else None)

    assert {None, 0, SIZE} < set(lengths)
    assert any(0 < length < SIZE for length in lengths if length is not None)


def test_a_segment_that_is_prepared_is_kept_or_dropped_whole() -> None:
    kept, dropped = _disk(0), _disk(0)
    for disk, unsynced in ((kept, MODES[1]), (dropped, MODES[0])):
        disk.start_prepare(1, SIZE)
        disk.crash(Random(1), unsynced)

    assert [(1, bytes(SIZE))] == kept.segments()
    assert [] == dropped.segments()


def _numbers_after_drop(unsynced: Unsynced, seed: int) -> tuple[int, ...]:
    disk = _disk(4)
    disk.drop(4)
    assert [4] == [number for number, _ in disk.segments()]
    disk.crash(Random(seed), unsynced)
    return tuple(number for number, _ in disk.segments())


def test_a_crash_brings_dropped_segments_back_without_a_gap() -> None:
    assert (1, 2, 3, 4) == _numbers_after_drop("drop", 1)
    assert (4,) == _numbers_after_drop("keep", 1)
    assert {(4,), (3, 4), (2, 3, 4), (1, 2, 3, 4)} == {
        _numbers_after_drop("tear", seed) for seed in range(50)
    }


def test_dropped_segments_are_gone_after_a_sync() -> None:
    disk = _disk(3)
    disk.drop(2)
    disk.sync()
    disk.crash(Random(1), "drop")

    assert [2, 3] == [number for number, _ in disk.segments()]


def test_a_drop_of_all_segments_leaves_none() -> None:
    disk = _disk(2)
    disk.drop(9)

    assert [] == disk.segments()


def test_a_full_disk_refuses_segments_and_flushes_and_takes_writes() -> None:
    disk = _disk()
    disk.begin(FULL)
    assert not disk.start_prepare(2, SIZE)
    assert not disk.start_flush(META, [])
    disk.write(1, 0, b"a")
    disk.sync()
    assert b"a" == _contents(disk)[:1]

    disk.end(FULL)
    assert disk.start_prepare(2, SIZE)
    assert disk.start_flush(META, [])


def test_a_flush_shows_when_it_is_finished() -> None:
    disk = _disk()
    assert disk.start_flush(META, [(b"a", b"1")])
    assert BaseMeta() == disk.base.meta
    assert disk.base.get(b"a") is None

    disk.finish_base_change()
    assert META == disk.base.meta
    assert b"1" == disk.base.get(b"a")


@pytest.mark.parametrize("replaces", [False, True])
def test_a_crash_changes_the_base_as_a_whole_or_not_at_all(*, replaces: bool) -> None:
    def survived(unsynced: Unsynced, seed: int) -> int:
        disk = _disk()
        if replaces:
            disk.stage(1, 0, [(b"a", b"1")])
            disk.start_replace(1, META)
        else:
            disk.start_flush(META, [(b"a", b"1")])
        disk.crash(Random(seed), unsynced)
        assert (disk.base.meta == META) == (disk.base.get(b"a") == b"1")
        assert disk.start_flush(META, [])
        return len(disk.base)

    assert 0 == survived("drop", 1)
    assert 1 == survived("keep", 1)
    assert {0, 1} == {survived("tear", seed) for seed in range(20)}


def test_a_snapshot_replaces_the_base_with_all_its_chunks() -> None:
    disk = _disk()
    disk.start_flush(META, [(b"old", b"0")])
    disk.finish_base_change()
    disk.stage(1, 0, [(b"x", b"1")])
    disk.stage(1, 1, [(b"y", b"2")])
    disk.stage(2, 0, [(b"a", b"1"), (b"b", b"2")])
    disk.stage(2, 1, [(b"c", b"3")])
    disk.start_replace(2, BaseMeta(index=9))
    assert 5 == disk.base.meta.index

    disk.finish_base_change()
    assert 9 == disk.base.meta.index
    assert [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")] == list(disk.base.iterate(b"", b"z"))
    with pytest.raises(InvariantBroken, match="nothing is staged of snapshot 2"):
        disk.start_replace(2, META)


@pytest.mark.parametrize("chunk", [(2, 1), (1, 2)], ids=["another snapshot", "one left out"])
def test_a_chunk_that_is_not_the_next_one_breaks_an_invariant(chunk: tuple[int, int]) -> None:
    disk = _disk()
    disk.stage(1, 0, [])
    with pytest.raises(InvariantBroken, match="is not the next one"):
        disk.stage(*chunk, [])


def test_a_full_disk_has_no_room_for_a_snapshot() -> None:
    disk = _disk()
    assert disk.stage(1, 0, [(b"a", b"1")])
    disk.begin(FULL)
    assert not disk.stage(1, 1, [(b"b", b"2")])
    assert not disk.start_replace(1, META)
    disk.end(FULL)
    assert disk.stage(1, 1, [(b"b", b"2")])
    assert disk.start_replace(1, META)
    disk.finish_base_change()

    assert [(b"a", b"1"), (b"b", b"2")] == list(disk.base.iterate(b"", b"z"))


@pytest.mark.parametrize("unsynced", MODES)
def test_a_crash_forgets_what_was_staged(unsynced: Unsynced) -> None:
    disk = _disk()
    disk.stage(1, 0, [(b"a", b"1")])
    disk.crash(Random(1), unsynced)

    with pytest.raises(InvariantBroken, match="nothing is staged"):
        disk.start_replace(1, META)


def test_one_change_of_the_base_at_a_time() -> None:
    disk = _disk()
    disk.start_flush(META, [])
    with pytest.raises(InvariantBroken, match="under way already"):
        disk.start_flush(META, [])

    disk.finish_base_change()
    with pytest.raises(InvariantBroken, match="no change of the base is under way"):
        disk.finish_base_change()


def test_latencies_have_a_floor_a_tail_and_a_price_per_change() -> None:
    first, second = _disk(), _disk()
    syncs = sorted(first.sync_ns() for _ in range(1_000))
    flushes = sorted(second.flush_ns(100) for _ in range(1_000))

    assert FLOOR_NS_MIN <= syncs[0] <= FLOOR_NS_MAX
    assert syncs[-1] > 20 * syncs[0]
    assert [sync + 100 * FLUSH_NS_PER_CHANGE for sync in syncs] == flushes


def test_no_sync_outlasts_the_time_that_a_healed_cluster_has() -> None:
    """Seed 1684: a node whose first segment took twenty seconds could not answer in the end."""
    disk = _disk()
    disk.begin(SlowDisk(at_ns=0, for_ns=1, nodes=("n1",), factor=200))

    assert SYNC_NS_MAX == max(disk.sync_ns() for _ in range(10_000))
    assert SYNC_NS_MAX < GRACE_NS


def test_a_slow_disk_is_slow_until_the_last_episode_ends() -> None:
    disk, healthy = _disk(), _disk()
    slow = SlowDisk(at_ns=0, for_ns=1, nodes=("n1",), factor=10)
    slower = SlowDisk(at_ns=0, for_ns=1, nodes=("n1",), factor=50)
    for fault in (slow, slower):
        disk.begin(fault)
    assert disk.sync_ns() == pytest.approx(50 * healthy.sync_ns(), abs=50)

    disk.end(slower)
    assert disk.sync_ns() == pytest.approx(10 * healthy.sync_ns(), abs=10)
    disk.end(slow)
    assert disk.sync_ns() == healthy.sync_ns()


def test_healing_takes_back_all_faults() -> None:
    disk, healthy = _disk(), _disk()
    disk.begin(FULL)
    disk.begin(SlowDisk(at_ns=0, for_ns=1, nodes=("n1",), factor=10))
    disk.heal()
    disk.end(FULL)

    assert disk.sync_ns() == healthy.sync_ns()
    assert disk.start_prepare(2, SIZE)


def test_a_disk_that_is_wiped_has_nothing() -> None:
    disk = _disk()
    disk.start_prepare(2, SIZE)
    disk.write(1, 0, b"lost")
    disk.start_flush(META, [(b"k", b"v")])
    disk.finish_base_change()
    disk.start_flush(META, [(b"l", b"v")])
    disk.wipe()
    disk.crash(Random(1), "keep")

    assert [] == disk.segments()
    assert [] == list(disk.base.iterate(b"", b"\xff"))
    assert 0 == disk.base.meta.index
