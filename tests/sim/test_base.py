"""The simulated base."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.base import Base, BaseMeta, PinnedBase
from sim.base import BaseDamaged, MemoryBase

ALL = (b"", b"\xff" * 8)
keys = st.binary(max_size=2)


def _base(*items: tuple[bytes, bytes]) -> MemoryBase:
    base = MemoryBase()
    base.flush(BaseMeta(index=1), items)
    return base


def test_it_implements_the_ports() -> None:
    base = MemoryBase()
    port: Base = base
    pinned: PinnedBase = port.pin()
    pinned.close()

    assert BaseMeta() == port.meta == pinned.meta
    assert [] == list(port.iterate(*ALL)) == list(pinned.iterate(b""))
    assert 0 == len(base)


def test_iteration_is_ordered_and_bounded() -> None:
    base = _base((b"a", b"1"), (b"b", b"2"), (b"ba", b"3"), (b"c", b"4"))

    assert [(b"b", b"2"), (b"ba", b"3")] == list(base.iterate(b"aa", b"c"))
    assert [(b"c", b"4")] == list(base.pin().iterate(b"bb"))
    assert 4 == len(base)


@pytest.mark.slow
@given(st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=1), max_size=4), max_size=4))
def test_flushes_add_up(flushes: list[dict[bytes, bytes | None]]) -> None:
    base = MemoryBase()
    model: dict[bytes, bytes] = {}
    for index, changes in enumerate(flushes, 1):
        pinned, before = base.pin(), sorted(model.items())
        base.flush(BaseMeta(index=index), sorted(changes.items()))
        for key, value in changes.items():
            model.pop(key, None)
            if value is not None:
                model[key] = value

        assert sorted(model.items()) == list(base.iterate(*ALL))
        assert before == list(pinned.iterate(b""))
        assert (index, index - 1) == (base.meta.index, pinned.meta.index)
        assert all(base.get(key) == model.get(key) for key in changes)


def test_a_replacement_leaves_what_was_pinned() -> None:
    base = _base((b"a", b"1"))
    pinned = base.pin()
    base.replace(BaseMeta(index=9), [(b"c", b"3"), (b"b", b"2")])
    base.flush(BaseMeta(index=10), [(b"d", b"4")])

    assert [(b"b", b"2"), (b"c", b"3"), (b"d", b"4")] == list(base.iterate(*ALL))
    assert [(b"a", b"1")] == list(pinned.iterate(b""))
    assert 1 == pinned.meta.index


def test_reading_rot_raises_until_the_record_is_written_anew() -> None:
    base = _base((b"a", b"1"), (b"b", b"2"))
    base.rot(Random(1))
    rotten = [key for key in (b"a", b"b") if _is_rotten(base, key)]

    assert 1 == len(rotten)
    with pytest.raises(BaseDamaged, match=f"key {rotten[0].hex()}"):
        list(base.iterate(*ALL))
    with pytest.raises(BaseDamaged, match="does not match its checksum"):
        list(base.pin().iterate(b""))

    base.flush(BaseMeta(index=2), [(rotten[0], b"3")])
    assert b"3" == base.get(rotten[0])


def test_a_replacement_has_no_rot() -> None:
    base = _base((b"a", b"1"))
    base.rot(Random(1))
    base.replace(BaseMeta(index=2), [(b"a", b"2")])

    assert b"2" == base.get(b"a")


def test_nothing_rots_in_an_empty_base() -> None:
    base = MemoryBase()
    base.rot(Random(1))

    assert base.get(b"a") is None


def _is_rotten(base: MemoryBase, key: bytes) -> bool:
    try:
        base.get(key)
    except BaseDamaged:
        return True
    return False
