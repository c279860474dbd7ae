"""A base that is lost: from where it comes back, and when it can't."""

import os
import shutil
from pathlib import Path

import pytest

from core.raft.configuration import Configuration, Member
from core.raft.entry import Entry
from core.store.base import BaseMeta
from net import membership
from net.data_directory import DataDirectory, DataDirectoryError
from net.lmdb_base import LmdbBase
from net.membership import Membership
from tests.core.wal.disk import entries
from tests.net.small_disk import SmallDisk
from tests.net.storage import Life, damage, install, killed_after_a_flush, living


async def behind_a_snapshot(path: Path, *following: Entry) -> int:
    """Have a base that a snapshot made, and another member; return what is void in the log."""
    async with living(path) as life:
        await life.append(*entries(1, 2))
        void_through = life.writer.sequence
        await install(life, BaseMeta(90, 4, b"", 0, void_through))
        if following:
            await life.append(*following)
        members = {"a": Member("a", "", ""), "b": Member("b", "", "")}
        membership.save(path, Membership(Configuration(("a", "b"), members=members)))
    return void_through


def stamp_of(path: Path) -> bytes:
    directory = DataDirectory(path)
    directory.close()
    return directory.identity.node.encode()


async def test_after_a_kill_a_damaged_base_is_built_anew_from_the_log(tmp_path: Path) -> None:
    path = await killed_after_a_flush(tmp_path, cut=False)
    damage(path, b"somewhat long")

    async with living(path) as life:
        assert (BaseMeta(), {}) == (life.storage.base.meta, life.values())
        assert [1, 2, 3, 4] == [entry.index for entry in life.recovered.entries]
        await life.flush(BaseMeta(2, 1), a="1")
        await life.drop(3)
    async with living(path) as life:
        assert {b"a": b"1"} == life.values()
    assert (path / "store" / "damaged" / "data.mdb").exists()


@pytest.mark.parametrize("size", [0, 1_000, 20_000])
async def test_a_base_that_was_cut_short_is_built_anew(tmp_path: Path, size: int) -> None:
    """Also after an orderly end."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.append(*entries(1, 3))
        await life.flush(BaseMeta(2, 1), a="x" * 50_000)
    os.truncate(path / "store" / "base-1" / "data.mdb", size)

    async with living(path) as life:
        assert ({}, [1, 2, 3]) == (
            life.values(),
            [entry.index for entry in life.recovered.entries],
        )


async def test_what_a_cut_log_can_not_give_comes_from_other_members(tmp_path: Path) -> None:
    """Consensus sees that the entries begin behind an empty base, start after start."""
    path = await killed_after_a_flush(tmp_path, cut=True)
    damage(path, b"somewhat long")
    two = {name: Member(name, "", "") for name in ("a", "b")}
    membership.save(path, Membership(Configuration(tuple(two), members=two)))

    for _ in range(2):
        async with living(path) as life:
            assert BaseMeta() == life.storage.base.meta
            assert 1 < life.recovered.entries[0].index <= 4
            assert 4 == life.recovered.entries[-1].index


async def test_without_other_members_a_lost_base_is_an_error(tmp_path: Path) -> None:
    """A node that began anew would answer as if nothing had ever been there."""
    path = await killed_after_a_flush(tmp_path, cut=True)
    damage(path, b"somewhat long")

    for _ in range(2):
        with pytest.raises(DataDirectoryError, match="no other member has what it held"):
            Life(path)
    assert b"omewhat long" in (path / "store" / "damaged" / "data.mdb").read_bytes()


async def test_a_lost_snapshot_without_entries_since_is_an_error(tmp_path: Path) -> None:
    """Consensus would not know how much it has promised to keep."""
    path = tmp_path / "data"
    await behind_a_snapshot(path)
    shutil.rmtree(path / "store" / "base-2")

    with pytest.raises(DataDirectoryError, match="the log has nothing since"):
        Life(path)


async def test_what_a_snapshot_has_voided_stays_void_without_it(tmp_path: Path) -> None:
    """Entries that it replaced could come back else, in front of those that followed it."""
    path = tmp_path / "data"
    void_through = await behind_a_snapshot(path, *entries(91, 2, term=4))
    shutil.rmtree(path / "store" / "base-2")

    async with living(path) as life:
        assert void_through == life.storage.base.meta.void_through
        assert [91, 92] == [entry.index for entry in life.recovered.entries]


async def test_what_is_void_stays_so_if_a_start_is_killed_while_it_builds_the_base_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data"
    void_through = await behind_a_snapshot(path, *entries(91, 1, term=4))
    begun = path / "store" / "base-2"
    shutil.rmtree(begun)
    begun.mkdir()
    LmdbBase(begun, stamp_of(path)).close()

    async with living(path) as life:
        assert void_through == life.storage.base.meta.void_through
        assert [91] == [entry.index for entry in life.recovered.entries]


async def test_a_base_that_can_not_be_built_anew_for_want_of_room_is_an_error(
    small_disk: SmallDisk,
) -> None:
    """Wherever the room ends; with some, the base is whole again."""
    path = small_disk.path / "data"
    async with living(path) as life:
        await life.append(*entries(1, 1))
        await life.flush(BaseMeta(1, 1), a="somewhat long")
    shutil.rmtree(path / "store" / "base-1")
    refused = []
    for room_bytes in range(0, 64 << 10, 4 << 10):
        small_disk.fill(room_bytes)
        try:
            Life(path).close()
        except DataDirectoryError as error:
            refused.append(str(error))
        small_disk.empty()

    assert refused
    async with living(path) as life:
        assert [1] == [entry.index for entry in life.recovered.entries]


async def test_a_base_that_kills_whoever_looks_at_it_is_not_looked_at_for_ever(
    tmp_path: Path,
) -> None:
    path = await killed_after_a_flush(tmp_path, cut=False)
    (path / "store" / "suspect").write_bytes(b"2")
    async with living(path) as life:
        assert {b"a": b"somewhat long"} == life.values()
        assert b"0" == (path / "store" / "suspect").read_bytes()
    (path / "store" / "suspect").write_bytes(b"3")

    async with living(path) as life:
        assert ({}, 1) == (life.values(), life.recovered.entries[0].index)
