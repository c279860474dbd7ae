"""A base in memory against a plain dictionary."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase, PinnedMemoryBase

KEYS = st.binary(min_size=1, max_size=2)
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=2), max_size=6)
STEPS = st.lists(st.tuples(st.sampled_from(["flush", "replace", "pin"]), CHANGES), max_size=8)
LIMIT = b"\xff" * 3


@settings(max_examples=50)
@given(STEPS)
def test_a_base_changes_as_a_whole_and_a_pinned_one_never(
    steps: list[tuple[str, dict[bytes, bytes | None]]],
) -> None:
    """In the order of keys, whatever became of the base meanwhile."""
    base = MemoryBase()
    model: dict[bytes, bytes] = {}
    pinned: list[tuple[PinnedMemoryBase, BaseMeta, dict[bytes, bytes]]] = []
    for index, (step, changes) in enumerate(steps, 1):
        present = {key: value for key, value in changes.items() if value is not None}
        if step == "pin":
            pinned.append((base.pin(), base.meta, dict(model)))
        elif step == "replace":
            base.replace(BaseMeta(index), present.items())
            model = present
        else:
            base.flush(BaseMeta(index), changes.items())
            model = {**model, **present}
            model = {
                key: value for key, value in model.items() if changes.get(key, b"") is not None
            }
        assert list(base.iterate(b"", LIMIT)) == sorted(model.items())
        assert {key: base.get(key) for key in model} == model
        assert base.get(LIMIT) is None
        assert len(base) == len(model)
    for pin, meta, before in pinned:
        assert (pin.meta, list(pin.iterate(b""))) == (meta, sorted(before.items()))
        pin.close()


def test_iteration_has_both_its_bounds() -> None:
    """The first is within, the last is not."""
    base = MemoryBase()
    base.flush(BaseMeta(1), [(key, key) for key in (b"c", b"a", b"b")])

    assert list(base.iterate(b"a", b"c")) == [(b"a", b"a"), (b"b", b"b")]
    assert list(base.pin().iterate(b"b")) == [(b"b", b"b"), (b"c", b"c")]
