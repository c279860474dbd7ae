"""The count of encryptions is never less than what was sealed, whoever leads."""

from hypothesis import given
from hypothesis import strategies as st

from core.barrier.barrier import Barrier
from core.store.keys import SCOPE_SHARED
from core.vault.encryptions import RESERVED, EncryptionCount, encryptions
from tests.core.barrier.helpers import (
    WALL_NS,
    MemoryStore,
    SeededEntropy,
    examples,
    make_barrier,
)


class Sealer:
    """A node that seals and counts; sealing itself is the barrier's affair."""

    def __init__(self) -> None:
        self.barrier = make_barrier()
        self.count = EncryptionCount()

    def seal(self, times: int) -> None:
        self.barrier.seal(SCOPE_SHARED, b"")
        # What a barrier has counted is all that matters here.
        self.barrier._encryptions += times - 1

    def reserve(self, store: MemoryStore) -> int:
        return self.count.reserve(self.barrier, store)


def test_nothing_is_counted_at_first() -> None:
    assert 0 == encryptions(MemoryStore(), 1)


def test_a_leader_counts_ahead() -> None:
    sealer, store = Sealer(), MemoryStore()
    sealer.seal(5)

    assert RESERVED + 5 == sealer.reserve(store)
    assert RESERVED + 5 == encryptions(store, 1)
    assert 0 == encryptions(store, 2)


def test_the_record_is_written_once_in_many_encryptions() -> None:
    sealer, store = Sealer(), MemoryStore()
    sealer.reserve(store)
    before = dict(store.values)
    sealer.seal(RESERVED // 2 - 1)

    assert RESERVED == sealer.reserve(store)
    assert before == store.values

    sealer.seal(1)

    assert RESERVED * 3 // 2 == sealer.reserve(store)
    assert before != store.values


def test_another_leader_begins_with_a_reservation_of_its_own() -> None:
    first, second, store = Sealer(), Sealer(), MemoryStore()
    first.reserve(store)

    assert 2 * RESERVED == second.reserve(store)

    first.seal(1)

    assert 3 * RESERVED + 1 == first.reserve(store)


def test_a_term_starts_at_none() -> None:
    sealer, store = Sealer(), MemoryStore()
    sealer.seal(RESERVED)
    sealer.reserve(store)
    rotated = sealer.barrier.keyrings.rotated(SeededEntropy(), WALL_NS)
    sealer.barrier.replace_keyrings(rotated)
    sealer.seal(3)

    assert 0 == encryptions(store, 2)
    assert RESERVED + 3 == sealer.reserve(store)
    assert RESERVED + 3 == encryptions(store, 2)


steps = st.lists(
    st.tuples(
        st.sampled_from(["seal", "reserve", "lose"]),
        st.integers(0, 2),
        st.integers(1, RESERVED // 2),
    ),
    max_size=30,
)


@examples(100)
@given(steps=steps)
def test_the_count_is_never_less_than_what_was_sealed(
    steps: list[tuple[str, int, int]],
) -> None:
    """Three nodes lead in turn; some reservations are lost together with the lead."""
    sealers = [Sealer() for _ in range(3)]
    store = MemoryStore()
    sealed = [0, 0, 0]
    settled = [0, 0, 0]
    for verb, number, times in steps:
        sealer = sealers[number]
        if verb == "seal":
            sealer.seal(times)
            sealed[number] += times
            continue
        kept = dict(store.values)
        count = sealer.reserve(store)
        if verb == "lose":
            store.values = kept
        else:
            settled[number] = sealed[number]
            assert count >= sum(settled)


def test_counting_takes_what_the_barrier_has_counted() -> None:
    barrier: Barrier = make_barrier()
    barrier.seal(SCOPE_SHARED, b"")
    EncryptionCount().reserve(barrier, MemoryStore())

    assert 0 == barrier.take_encryptions()
