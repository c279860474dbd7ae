"""Storage on disk: order, room, failures, and what a start finds after the worst."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import trio
import trio.testing

from core import effects, events
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from core.wal.writer import SEGMENT_BYTES_MIN
from net import file_base
from net.base_directory import VERIFICATIONS_MAX
from net.data_directory import DataDirectoryError
from net.lmdb_base import SLICE_RECORDS_MAX
from tests.core.wal.disk import entries
from tests.net.forgetful_tree import Open
from tests.net.recorder import recording
from tests.net.small_disk import SmallDisk
from tests.net.storage import (
    PATIENCE_S,
    Life,
    damage,
    flushing,
    install,
    killed,
    killed_after_a_flush,
    living,
)


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


class SlowTable(Memtable):
    """Changes that take as long as they may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = Event(), Event()

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        yield b"a", b"1"


SEGMENT_PATH = "wal/0000000000000001.seg"


async def test_what_was_written_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "data"
    async with living(path) as life:
        await life.append(*entries(1, 3))
        meta = BaseMeta(2, 1)
        assert events.BaseFlushed(2) == await life.flush(meta, a="1")
        assert (meta, {b"a": b"1"}) == (life.storage.base.meta, life.values())
        copy = killed(path)

    async with living(copy) as life:
        assert (meta, {b"a": b"1"}) == (life.storage.base.meta, life.values())
        assert entries(1, 3)[-1] == life.recovered.entries[-1]


async def test_the_log_does_not_wait_for_a_flush(tmp_path: Path) -> None:
    """Not even for one step of it that takes as long as it likes."""
    slow = SlowTable()
    async with living(tmp_path / "data") as life:
        life.put(effects.FlushBase(BaseMeta(1), slow))
        await trio.to_thread.run_sync(slow.begun.wait)
        await life.append(*entries(1, 1))
        told = [*life.done]
        slow.may_end.set()
        await life.told(3)

    assert [events.SegmentReady(1), events.LogWritten(1)] == told
    assert [*told, events.BaseFlushed(1)] == life.done


async def test_a_chunk_does_not_wait_for_a_flush(tmp_path: Path) -> None:
    """It is kept between two steps."""
    table = Memtable()
    for number in range(4 * SLICE_RECORDS_MAX):
        table.put(b"%d" % number, b"x")
    life = Life(tmp_path / "data")
    life.put(effects.FlushBase(BaseMeta(1), table))
    life.put(effects.StageSnapshot(1, 0, []))
    life.start()

    assert [events.SnapshotStaged(1, 0), events.BaseFlushed(1)] == await life.told(2)
    life.close()


async def test_an_end_waits_for_what_is_under_way_but_not_for_a_flush(tmp_path: Path) -> None:
    life = Life(tmp_path / "data")
    life.put(flushing(BaseMeta(1), a="1"))
    life.put(effects.PrepareSegment(1, 4096))
    workers = (life.storage._file_log.worker, life.storage._file_base.worker)
    for worker in workers:
        worker.finish()
    life.start()
    life.close()

    assert 4096 == (tmp_path / "data" / SEGMENT_PATH).stat().st_size
    async with living(tmp_path / "data") as life:
        assert BaseMeta() == life.storage.base.meta


async def test_the_log_is_cut_behind_the_base(tmp_path: Path) -> None:
    path = tmp_path / "data"
    async with living(path) as life:
        await life.fill(4)
        await life.flush(BaseMeta(3, 1), a="1")
        before = len(names(path / "wal"))
        await life.drop(4)
        assert len(names(path / "wal")) < before

    async with living(path) as life:
        assert 4 == life.recovered.entries[-1].index
        assert life.recovered.entries[0].index > 1


# -- snapshots ------------------------------------------------------------------------------


async def test_a_snapshot_takes_the_place_of_the_base(tmp_path: Path) -> None:
    path = tmp_path / "data"
    meta = BaseMeta(90, 4, b"", 0, 3)
    async with living(path) as life:
        await life.append(*entries(1, 2))
        await life.flush(BaseMeta(1, 1), a="1")
        await install(life, meta)
        assert (meta, {b"b": b"2", b"c": b"3"}) == (life.storage.base.meta, life.values())
        await life.flush(BaseMeta(91, 4, b"", 0, 3), d="4")
        copy = killed(path)
    assert ["base-2", "current"] == names(path / "store")

    async with living(copy) as life:
        assert 91 == life.storage.base.meta.index
        assert {b"b": b"2", b"c": b"3", b"d": b"4"} == life.values()


async def test_a_snapshot_that_was_not_put_in_place_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "data"
    async with living(path) as life:
        await life.flush(BaseMeta(1, 1), a="1")
        await life.carry_out(effects.StageSnapshot(5, 0, [(b"b", b"2")]))
        copy = killed(path)

    async with living(copy) as life:
        assert {b"a": b"1"} == life.values()
        assert not (copy / "store" / "base-2").exists()


# -- no room --------------------------------------------------------------------------------


async def test_a_full_disk_refuses_and_goes_on(small_disk: SmallDisk) -> None:
    """The log keeps working in the segment that it has; later there is room again."""
    async with living(small_disk.path / "data") as life:
        await life.append(*entries(1, 1))
        small_disk.fill(but_bytes=16 << 10)
        refused = await life.carry_out(
            effects.PrepareSegment(7, SEGMENT_BYTES_MIN),
            flushing(BaseMeta(1, 1), a="x" * 100_000),
        )
        await life.append(*entries(2, 1))
        small_disk.empty()
        flushed = await life.flush(BaseMeta(1, 1), a="1")
        assert {b"a": b"1"} == life.values()

    assert [events.SegmentRefused, events.BaseFlushRefused] == [type(event) for event in refused]
    assert events.BaseFlushed(1) == flushed


async def test_no_room_for_the_standing_is_no_room(tmp_path: Path) -> None:
    """The base has been flushed then; that does not show, and the flush is repeated."""
    path = tmp_path / "data"
    async with living(path) as life:
        full = path / "store" / "current.new"
        full.symlink_to("/dev/full")
        refused = await life.flush(BaseMeta(1, 1), a="1")
        assert ({}, BaseMeta()) == (life.values(), life.storage.base.meta)
        full.unlink()
        assert events.BaseFlushed(1) == await life.flush(BaseMeta(1, 1), a="1")
        assert {b"a": b"1"} == life.values()

    assert isinstance(refused, events.BaseFlushRefused)


async def test_a_snapshot_without_room_is_refused_and_comes_again(small_disk: SmallDisk) -> None:
    """A chunk that was kept before stays."""
    meta = BaseMeta(90, 4)
    async with living(small_disk.path / "data") as life:
        await life.carry_out(effects.StageSnapshot(5, 0, [(b"a", b"1")]))
        chunk = effects.StageSnapshot(5, 1, [(b"b", b"x" * 1_000_000)])
        small_disk.fill(but_bytes=16 << 10)
        refused = (await life.carry_out(chunk))[0]
        small_disk.empty()
        staged = await life.carry_out(chunk)
        await life.carry_out(effects.ReplaceBase(5, meta))
        assert {b"a": b"1", b"b": b"x" * 1_000_000} == life.values()

    assert isinstance(refused, events.SnapshotRefused)
    assert (5, 1) == (refused.snapshot, refused.number)
    assert [events.SnapshotStaged(5, 1)] == staged


@pytest.mark.parametrize("pages", range(9))
async def test_no_room_even_to_begin_a_snapshot_is_no_room(
    small_disk: SmallDisk, pages: int
) -> None:
    """Wherever there is none: for a directory, the readers of LMDB, its first pages."""
    chunk = effects.StageSnapshot(5, 0, [(b"a", b"x" * 40_000)])
    async with living(small_disk.path / "data") as life:
        small_disk.fill(but_bytes=pages << 12)
        refused = await life.carry_out(chunk)
        small_disk.empty()
        staged = (await life.carry_out(chunk))[-1]

    assert [events.SnapshotRefused] == [type(event) for event in refused]
    assert events.SnapshotStaged(5, 0) == staged
    assert [] == life.failures


@pytest.mark.slow
async def test_a_snapshot_is_put_in_place_as_soon_as_there_is_room(tmp_path: Path) -> None:
    """The node is told once, and the log does not wait for it."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.carry_out(effects.StageSnapshot(5, 0, [(b"a", b"1")]))
        full = path / "store" / "current.new"
        full.symlink_to("/dev/full")
        life.put(effects.ReplaceBase(5, BaseMeta(90, 4)))
        await life.append(*entries(1, 1))
        assert {} == life.values()
        full.unlink()
        told = await life.told(len(life.done) + 1)
        assert {b"a": b"1"} == life.values()

    assert [events.BaseReplaced(5)] == told[-1:]
    assert 1 == told.count(events.BaseReplaced(5))


async def test_a_snapshot_that_can_not_be_kept_for_another_reason_stops_the_node(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data"
    async with living(path) as life:
        (path / "store" / "base-2").touch()
        await life.carry_out(effects.StageSnapshot(5, 0, [(b"a", b"1")]))

    assert 1 == len(life.failures)


# -- failures -------------------------------------------------------------------------------


async def test_a_failure_is_told_and_nothing_follows(tmp_path: Path) -> None:
    """And the next start does not trust the base."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.append(*entries(1, 1))
        life.storage._file_log.close()
        (path / SEGMENT_PATH).unlink()
        written = life.writer.append(None, entries(2, 1))
        told = await life.carry_out(effects.WriteLog(written.sequence, written.writes))
        life.put(effects.WriteLog(9, ()))

    assert [] == told
    assert ["the log has failed"] == [reason.partition(":")[0] for reason in life.failures]
    assert (path / "store" / "suspect").exists()


async def test_a_failure_of_the_base_is_told_once_and_nothing_else(tmp_path: Path) -> None:
    """What the log is asked for is done all the same; the next start looks at the base."""
    path = tmp_path / "data"
    async with living(path) as life:
        (path / "store" / "base-2").touch()
        life.put(effects.StageSnapshot(5, 0, [(b"a", b"1")]))
        life.storage._file_base.worker.join()
        life.put(effects.StageSnapshot(6, 0, [(b"a", b"1")]))
        life.put(effects.PrepareSegment(1, 4096))
        await life.told(1)

    assert [] == life.done
    assert ["[Errno 20] Not a directory"] == [each.partition(":")[0] for each in life.failures]
    assert 4096 == (path / SEGMENT_PATH).stat().st_size
    assert (path / "store" / "suspect").exists()


def test_after_the_end_of_the_loop_nobody_is_told(tmp_path: Path) -> None:
    life = Life(tmp_path / "data")

    async def start() -> None:
        life.start()

    trio.run(start)
    life.put(effects.PrepareSegment(1, 4096))
    life.close()

    assert [] == life.done
    assert (tmp_path / "data" / SEGMENT_PATH).exists()


async def test_what_fails_in_the_thread_of_the_loop_stops_the_node(tmp_path: Path) -> None:
    """And not the loop."""

    def fail(_event: events.Event) -> None:
        raise RuntimeError("this is a test")

    async with living(tmp_path / "data") as life:
        life.storage.carry_out(effects.PrepareSegment(1, 4096), fail)
        await life.told(1)

    assert ["this is a test"] == life.failures
    assert (tmp_path / "data" / "store" / "suspect").exists()


async def test_after_the_end_nothing_is_told(tmp_path: Path) -> None:
    """What the thread had to tell may be under way still."""
    async with living(tmp_path / "data") as life:
        life.put(effects.PrepareSegment(1, 4096))
        life.put(flushing(BaseMeta(1, 1), a="1"))
    await trio.testing.wait_all_tasks_blocked()

    assert ([], []) == (life.done, life.failures)


async def test_the_scrub_finds_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody reads the record."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.flush(BaseMeta(1, 1), a="somewhat long", b="2")
    damage(path, b"somewhat long")
    monkeypatch.setattr(file_base, "SCRUB_PAUSE_S", 0.0)

    async with living(path) as life:
        await life.told(1)

    assert ["the record of key 61 does not match its checksum"] == life.failures


# -- what is refused ------------------------------------------------------------------------


async def test_what_belongs_to_another_node_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        async with living(path) as life:
            await life.append(*entries(1, 1))
    one, two = paths
    former = (one / "wal").rename(tmp_path / "wal")
    shutil.copytree(two / "wal", one / "wal")
    with pytest.raises(DataDirectoryError, match="segment 1 belongs to another node"):
        Life(one)
    shutil.rmtree(one / "wal")
    former.rename(one / "wal")
    shutil.rmtree(one / "store")
    shutil.copytree(two / "store", one / "store")

    with pytest.raises(DataDirectoryError, match="base-1 belongs to another node"):
        Life(one)


async def test_a_log_that_belongs_to_another_node_gets_no_base_here(tmp_path: Path) -> None:
    """Its owner, once it is back, finds nothing in its way."""
    path, identity = tmp_path / "data", tmp_path / "data" / "identity.json"
    async with living(path) as life:
        await life.append(*entries(1, 1))
    owner = identity.read_bytes()
    shutil.rmtree(path / "store")
    identity.write_text('{"format":1,"node":"another"}')
    with pytest.raises(DataDirectoryError, match="segment 1 belongs to another node"):
        Life(path)
    identity.write_bytes(owner)

    async with living(path) as life:
        assert [1] == [entry.index for entry in life.recovered.entries]


async def test_a_base_that_was_refused_is_not_taken_for_damaged(tmp_path: Path) -> None:
    """However often that happens, its owner finds it as it was."""
    path = await killed_after_a_flush(tmp_path, cut=False)
    identity, log = path / "identity.json", path / "wal"
    owner, aside = identity.read_bytes(), log.rename(tmp_path / "wal")
    (path / "has-log").unlink()
    identity.write_text('{"format":1,"node":"another"}')
    for _ in range(VERIFICATIONS_MAX + 2):
        with pytest.raises(DataDirectoryError, match="belongs to another node"):
            Life(path)
    log.rmdir()
    aside.rename(log)
    identity.write_bytes(owner)

    async with living(path) as life:
        assert {b"a": b"somewhat long"} == life.values()
        assert not (path / "store" / "damaged").exists()


async def test_a_standing_that_means_nothing_is_refused(tmp_path: Path) -> None:
    async with living(tmp_path):
        pass
    (tmp_path / "store" / "current").write_text("1")

    with pytest.raises(DataDirectoryError, match="current cannot be read"):
        Life(tmp_path)


async def test_a_count_of_verifications_that_means_nothing_begins_anew(tmp_path: Path) -> None:
    path = await killed_after_a_flush(tmp_path, cut=False)
    (path / "store" / "suspect").write_bytes(b"\x00")

    async with living(path) as life:
        assert {b"a": b"somewhat long"} == life.values()
        assert b"0" == (path / "store" / "suspect").read_bytes()


async def test_a_disk_without_any_room_is_an_error_at_a_start(tmp_path: Path) -> None:
    async with living(tmp_path):
        pass
    (tmp_path / "store" / "suspect.new").symlink_to("/dev/full")

    with pytest.raises(DataDirectoryError, match="No space left"):
        Life(tmp_path)


async def test_a_torn_batch_is_cleared_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "data"
    async with living(path) as life:
        await life.append(*entries(1, 1))
        written = life.writer.append(None, entries(2, 1))
    write = written.writes[0]
    with (path / SEGMENT_PATH).open("r+b") as segment:
        segment.seek(write.offset)
        segment.write(write.data[:-9])
    async with living(path) as life:
        assert [1] == [entry.index for entry in life.recovered.entries]

    content = (path / SEGMENT_PATH).read_bytes()
    assert bytes(len(content) - write.offset) == content[write.offset :]


async def test_a_start_reads_each_segment_once(tmp_path: Path) -> None:
    """Though it looks whose log it is before it opens the base."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.fill(4)
    with recording(tmp_path) as recorder:
        Life(path).close()
    opened = [each.path for each in recorder.journal if isinstance(each, Open)]

    segments = [f"data/wal/{name}" for name in names(path / "wal")]
    assert segments == [each for each in opened if each.endswith(".seg")]


async def test_a_log_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """The node would vote twice in a term, and miss what it has acknowledged."""
    async with living(tmp_path) as life:
        await life.append(*entries(1, 1))
    shutil.rmtree(tmp_path / "wal")

    with pytest.raises(DataDirectoryError, match="is gone"):
        Life(tmp_path)
