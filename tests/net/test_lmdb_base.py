"""The base on disk: reads, changes as a whole, and damage that is noticed."""

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from random import Random

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase
from net.lmdb_base import (
    SLICE_RECORDS_MAX,
    BaseDamaged,
    BaseForeign,
    BaseFull,
    BaseUnusable,
    LmdbBase,
)
from tests.net.small_disk import SmallDisk

STAMP = b"node"
META = BaseMeta(7, 3, b"configuration", 1_000, 5)
RECORDS = {b"%04d" % number: b"value-%d" % number * 9 for number in range(3 * SLICE_RECORDS_MAX)}

Changes = dict[bytes, bytes | None]


def merge(base: LmdbBase, meta: BaseMeta, changes: Iterable[tuple[bytes, bytes | None]]) -> int:
    """Merge, show it, and return how many steps it took."""
    steps = sum(1 for _ in base.merge(meta, changes))
    base.refresh()
    return steps


def filled(path: Path) -> LmdbBase:
    base = LmdbBase(path, STAMP)
    merge(base, META, RECORDS.items())
    return base


def all_of(base: LmdbBase) -> dict[bytes, bytes]:
    return dict(base.iterate(b"", b"\xff"))


def test_a_new_base_is_empty(tmp_path: Path) -> None:
    base = LmdbBase(tmp_path, STAMP)

    assert (BaseMeta(), {}, None) == (base.meta, all_of(base), base.get(b"a"))
    base.verify()
    base.close()


def test_what_was_merged_is_there_after_a_start(tmp_path: Path) -> None:
    filled(tmp_path).close()
    base = LmdbBase(tmp_path, STAMP)

    assert (META, RECORDS, RECORDS[b"0100"]) == (base.meta, all_of(base), base.get(b"0100"))
    base.close()


def test_a_merge_is_taken_in_short_steps(tmp_path: Path) -> None:
    base = LmdbBase(tmp_path, STAMP)

    assert [True] * 3 + [False] == list(base.merge(META, RECORDS.items()))
    base.close()


_keys = st.binary(min_size=1, max_size=3).filter(lambda key: key < b"\xff")


@pytest.mark.slow
@given(
    st.lists(st.dictionaries(_keys, st.none() | st.binary(max_size=9)), max_size=4),
    _keys,
    _keys,
)
def test_it_is_as_one_in_memory(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[Changes], start: bytes, stop: bytes
) -> None:
    base = LmdbBase(tmp_path_factory.mktemp("base"), STAMP)
    model = MemoryBase()
    for index, changes in enumerate(rounds, 1):
        meta = BaseMeta(index)
        merge(base, meta, sorted(changes.items()))
        model.flush(meta, changes.items())

    assert model.meta == base.meta
    assert list(model.iterate(start, stop)) == list(base.iterate(start, stop))
    assert [model.get(key) for key in (start, stop)] == [base.get(key) for key in (start, stop)]
    pinned, model_pinned = base.pin(), model.pin()
    assert list(model_pinned.iterate(start)) == list(pinned.iterate(start))
    pinned.close()
    base.verify()
    base.close()


def test_nothing_shows_before_it_is_refreshed(tmp_path: Path) -> None:
    base = filled(tmp_path)
    for _ in base.merge(BaseMeta(8), [(b"0100", None), (b"a", b"b")]):
        pass

    before = (base.meta, base.get(b"0100"), base.get(b"a"))
    base.refresh()
    after = (base.meta.index, base.get(b"0100"), base.get(b"a"))

    assert (META, RECORDS[b"0100"], None) == before
    assert (8, None, b"b") == after
    base.close()


def test_a_merge_that_is_broken_off_changes_nothing(tmp_path: Path) -> None:
    base = filled(tmp_path)
    merging = base.merge(BaseMeta(8), [(key, None) for key in RECORDS])
    next(merging)
    merging.close()
    base.refresh()

    assert (META, RECORDS) == (base.meta, all_of(base))
    base.close()


def test_what_is_pinned_stays_as_it_was(tmp_path: Path) -> None:
    base = filled(tmp_path)
    pinned = base.pin()
    iterating = pinned.iterate(b"0500")
    first = next(iterating)
    merge(base, BaseMeta(8), [(key, None) for key in RECORDS])

    rest = dict(iterating)
    expected = {key: value for key, value in RECORDS.items() if key >= b"0500"}
    assert expected == {first[0]: first[1], **rest}
    assert (META, {}) == (pinned.meta, all_of(base))
    pinned.close()
    base.close()


def test_it_can_move_to_another_directory(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.mkdir()
    other = LmdbBase(two, STAMP)
    merge(other, BaseMeta(9), [(b"a", b"b")])
    other.close()
    base = filled(one)
    pinned = base.pin()

    base.move_to(two)

    assert (9, {b"a": b"b"}) == (base.meta.index, all_of(base))
    with pytest.raises(BaseUnusable):
        next(pinned.iterate(b""))
    pinned.close()
    base.close()


def test_a_foreign_base_is_refused(tmp_path: Path) -> None:
    filled(tmp_path).close()

    for _ in range(2):
        with pytest.raises(BaseForeign, match=str(tmp_path)):
            LmdbBase(tmp_path, b"other")


# -- damage ---------------------------------------------------------------------------------


def flip(path: Path, value: bytes, start: int = 0) -> None:
    """Change one bit of each copy of `value` in the file."""
    file = path / "data.mdb"
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as content:
        position = content.find(value, start)
        assert position >= 0
        while position >= 0:
            content[position] ^= 1
            position = content.find(value, position + 1)


def test_a_flipped_bit_is_noticed_by_whoever_reads_it(tmp_path: Path) -> None:
    filled(tmp_path).close()
    flip(tmp_path, RECORDS[b"0700"])
    base = LmdbBase(tmp_path, STAMP)

    message = "the record of key 30373030 does not match its checksum"
    for read in (
        lambda: base.get(b"0700"),
        lambda: list(base.iterate(b"0600", b"0800")),
        lambda: list(base.pin().iterate(b"0600")),
        base.verify,
        lambda: base.scrub(b"0690", 20),
    ):
        with pytest.raises(BaseDamaged, match=message):
            read()
    assert RECORDS[b"0701"] == base.get(b"0701")
    base.close()


def test_a_flipped_bit_of_its_own_records_is_noticed_at_a_start(tmp_path: Path) -> None:
    filled(tmp_path).close()
    flip(tmp_path, META.configuration)

    with pytest.raises(BaseDamaged):
        LmdbBase(tmp_path, STAMP)


def test_a_flipped_bit_of_a_key_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path).close()
    flip(tmp_path, b"0700" + RECORDS[b"0700"])
    base = LmdbBase(tmp_path, STAMP)

    with pytest.raises(BaseDamaged):
        base.verify()
    base.close()


def test_a_base_without_a_stamp_is_damaged(tmp_path: Path) -> None:
    environment = lmdb.open(str(tmp_path), max_dbs=0)
    with environment.begin(write=True) as transaction:
        transaction.put(b"a", b"b")
    environment.close()

    with pytest.raises(BaseDamaged, match="does not say whose it is"):
        LmdbBase(tmp_path, STAMP)


def test_records_that_are_gone_are_noticed(tmp_path: Path) -> None:
    """Their number is kept apart from them."""
    filled(tmp_path).close()
    number = len(RECORDS) + len(("meta", "stamp"))
    flip(tmp_path, number.to_bytes(8, "little"))
    base = LmdbBase(tmp_path, STAMP)

    with pytest.raises(BaseDamaged, match="has lost records"):
        base.verify()
    base.close()


def test_records_out_of_place_are_noticed(tmp_path: Path) -> None:
    """A search takes another way than a walk from record to record."""
    filled(tmp_path).close()
    # A page of branches has keys without values, so that checksums don't tell.
    file = tmp_path / "data.mdb"
    content = bytearray(file.read_bytes())
    for page in range(2 * 4096, len(content), 4096):
        is_branch = content[page + 10] & 0x01
        if is_branch:
            second_node = page + int.from_bytes(content[page + 18 : page + 20], "little")
            content[second_node + 8] += 1  # the first byte of its key
    file.write_bytes(content)
    base = LmdbBase(tmp_path, STAMP)

    with pytest.raises(BaseDamaged):
        base.verify()
    base.close()


@pytest.mark.parametrize("left", [0.0, 0.1, 0.5, 0.95])
def test_a_file_that_was_cut_short_is_noticed_before_it_is_mapped(
    tmp_path: Path, left: float
) -> None:
    filled(tmp_path).close()
    file = tmp_path / "data.mdb"
    os.truncate(file, max(1, int(file.stat().st_size * left)))

    with pytest.raises(BaseDamaged, match="has been cut short"):
        LmdbBase(tmp_path, STAMP)


def test_a_file_of_something_else_is_damage(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(Random(1).randbytes(16 << 10))

    with pytest.raises(BaseDamaged, match="cannot be read"):
        LmdbBase(tmp_path, STAMP)


def test_damage_to_pages_is_damage_to_whoever_reads(tmp_path: Path) -> None:
    """LMDB notices some of it itself."""
    filled(tmp_path).close()
    file = tmp_path / "data.mdb"
    content = bytearray(file.read_bytes())
    for page in range(2 * 4096, len(content), 4096):
        content[page + 10] = 0x04  # says that it is an overflow page
    file.write_bytes(content)

    with pytest.raises(BaseDamaged, match="cannot be read"):
        LmdbBase(tmp_path, STAMP)


def test_what_is_only_in_the_way_is_no_damage(tmp_path: Path) -> None:
    """A base that is open already, and one that was closed."""
    base = filled(tmp_path)
    with pytest.raises(BaseUnusable, match="already open"):
        LmdbBase(tmp_path, STAMP)
    base.close()

    with pytest.raises(BaseUnusable, match="closed"):
        base.get(b"a")


def test_the_scrub_comes_by_every_record(tmp_path: Path) -> None:
    base = filled(tmp_path)
    starts = [b""]
    while (start := base.scrub(starts[-1], 400)) != b"":
        starts.append(start)

    assert [b"", b"0400", b"0800", b"1200"] == starts
    base.close()


# -- room -----------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_changes_until_there_is_room(small_disk: SmallDisk) -> None:
    base = filled(small_disk.path)
    small_disk.fill(but_bytes=64 << 10)
    changes = [(key * 8, b"x" * 2_000) for key in RECORDS]

    for _ in range(2):
        with pytest.raises(BaseFull):
            merge(base, BaseMeta(8), changes)
        base.refresh()
        assert (META, RECORDS) == (base.meta, all_of(base))

    small_disk.empty()
    merge(base, BaseMeta(8), changes)
    assert (8, {**RECORDS, **dict(changes)}) == (base.meta.index, all_of(base))
    base.verify()
    base.close()


def test_another_failure_is_not_taken_for_a_full_disk(small_disk: SmallDisk) -> None:
    """Not even on a disk that is nearly full."""
    base = filled(small_disk.path)
    base.close()

    with pytest.raises(lmdb.Error, match="closed"):
        merge(base, BaseMeta(8), [])
