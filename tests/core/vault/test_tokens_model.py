"""The token store against a plain model: whatever happens, in whatever order.

The model knows for each token its parent, its uses and its end. A revoked token takes along, at
once, what is below it. One that expires is dead at once; what is below it dies when it is swept.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.keys import successor
from core.store.transaction import Snapshot
from core.vault import tokens
from core.vault.token_entry import SPENT, TokenEntry
from tests.core.barrier.helpers import examples
from tests.core.vault.token_store import TokenStore

_SECOND_NS: Final = 1_000_000_000
_TTLS_S: Final = (0, 0, 0, 2, 5, 30)
_USES: Final = (0, 0, 0, 1, 2, 3)
_CHOSEN: Final = ("", "", "", "first", "second")

_OPERATIONS: Final = (
    *["orphan"] * 2,
    *["child"] * 6,
    *["use", "extend", "revoke", "revoke orphan", "sleep", "sweep"],
)
STEPS: Final = st.lists(
    st.tuples(st.sampled_from(_OPERATIONS), st.integers(0, 1 << 16), st.integers(0, 1 << 16)),
    min_size=20,
    max_size=60,
)
"""What is done, to which token, and how."""


class Known(msgspec.Struct):
    """What the model knows of a token that was created."""

    token: str
    name: str
    accessor: str
    parent: "Known | None"
    uses_left: int
    expires_ns: int
    gone: bool = False


class Model:
    """A token store and what is known of it."""

    def __init__(self, removed_max: int) -> None:
        self.held = TokenStore(removed_max=removed_max)
        self.known: list[Known] = []
        self._operations: dict[str, Callable[[int, int], None]] = {
            "orphan": lambda _, how: self.create(None, how),
            "child": self.create_child,
            "use": self.use,
            "extend": self.extend,
            "revoke": self.revoke,
            "revoke orphan": self.revoke_orphan,
            "sleep": lambda _, how: self.held.pass_time(how % 2_000 / 1_000),
            "sweep": lambda _, how: self.sweep((1, 2, 100)[how % 3]),
        }

    # -- what is known ------------------------------------------------------------------------

    def lineage(self, known: Known) -> Iterator[Known]:
        step: Known | None = known
        while step is not None:
            yield step
            step = step.parent

    def expired(self, known: Known) -> bool:
        return 0 < known.expires_ns <= self.held.wall_ns

    def has_lost(self, known: Known) -> bool:
        return any(step.gone for step in self.lineage(known))

    def opens(self, known: Known) -> bool:
        return not self.has_lost(known) and not self.expired(known)

    def chosen(self, which: int, known: list[Known]) -> Known | None:
        return known[which % len(known)] if known else None

    def stored(self, known: Known) -> TokenEntry:
        entry = self.held.find(known.token)
        assert entry is not None
        return entry

    # -- what may happen ----------------------------------------------------------------------

    def step(self, operation: str, which: int, how: int) -> None:
        self._operations[operation](which, how)

    def create(self, parent: Known | None, how: int) -> None:
        token_id = _CHOSEN[how % len(_CHOSEN)]
        if token_id and self.held.tokens.exists(Snapshot(self.held.store), token_id):
            return
        token, entry = self.held.create(
            None if parent is None else self.stored(parent),
            ttl_s=_TTLS_S[how // 7 % len(_TTLS_S)],
            num_uses=_USES[how // 49 % len(_USES)],
            token_id=token_id,
        )
        self.known.append(
            Known(token, entry.name, entry.accessor, parent, entry.uses_left, entry.expires_ns)
        )

    def create_child(self, which: int, how: int) -> None:
        """Create one below any, even one with few uses: it is not for the store to refuse that."""
        opening = [known for known in self.known if self.opens(known)]
        self.create(self.chosen(which, opening), how)

    def use(self, which: int, _how: int) -> None:
        limited = [known for known in self.known if self.opens(known) and known.uses_left]
        known = self.chosen(which, limited)
        if known is not None:
            known.uses_left -= 1
            known.gone = not known.uses_left
            assert (known.uses_left or SPENT) == self.held.use(known.token).uses_left

    def extend(self, which: int, how: int) -> None:
        expiring = [known for known in self.known if self.opens(known) and known.expires_ns]
        known = self.chosen(which, expiring)
        if known is not None:
            ttl_s = 1 + how % 9
            self.held.extend(self.stored(known), ttl_s)
            known.expires_ns = self.held.wall_ns + ttl_s * _SECOND_NS

    def revoke(self, which: int, _how: int) -> None:
        known = self.chosen(which, [known for known in self.known if not self.has_lost(known)])
        if known is not None:
            self.held.revoke(self.stored(known))
            known.gone = True

    def revoke_orphan(self, which: int, _how: int) -> None:
        known = self.chosen(which, [known for known in self.known if not self.has_lost(known)])
        if known is not None:
            entry = self.stored(known)
            assert self.held.orphan_children(entry)
            self.held.revoke(entry)
            known.gone = True
            for child in self.known:
                if child.parent is known:
                    child.parent = None

    def sweep(self, limit: int) -> None:
        before = self.count()
        removed = self.held.sweep(limit)
        assert removed <= limit
        assert before - removed == self.count()
        for known in self.known:
            # Which of them a sweep takes first is its own affair; that it takes no other is not.
            if any(self.expired(step) for step in self.lineage(known)) and not known.gone:
                known.gone = self.held.find(known.token) is None

    # -- what must hold -----------------------------------------------------------------------

    def count(self) -> int:
        return len(self.held.tokens.accessors(Snapshot(self.held.store), {}))

    def check(self) -> None:
        reader = Snapshot(self.held.store)
        for token, known in {known.token: known for known in self.known}.items():
            entry = self.held.find(token)
            assert self.opens(known) == self.held.opens(token)
            assert self.has_lost(known) == (entry is None)
            assert entry == self.held.tokens.find_accessor(reader, known.accessor)
            if entry is not None:
                assert (known.uses_left, known.expires_ns) == (entry.uses_left, entry.expires_ns)
                assert (known.parent.name if known.parent else "") == entry.parent
        self.check_index()

    def check_index(self) -> None:
        """The index of times names what expires, and nothing else."""
        reader = Snapshot(self.held.store)
        start = tokens._EXPIRES
        indexed = [key for key, _ in reader.iterate(start, successor(start))]
        stored = [self.held.tokens._read(reader, known.name) for known in self.known]
        expected = {tokens._expiry_key(entry) for entry in stored if entry and entry.expires_ns}
        assert sorted(expected) == indexed

    def end(self) -> None:
        """Once all are revoked, nothing is left."""
        for known in self.known:
            entry = self.held.find(known.token)
            if entry is not None:
                self.held.revoke(entry)
        while self.held.sweep(2):
            pass
        assert [] == self.held.records()


@pytest.mark.slow
@given(removed_max=st.sampled_from([1, 2, 5, 100]), steps=STEPS)
@examples(120)
def test_tokens_are_those_of_the_model(removed_max: int, steps: list[tuple[str, int, int]]) -> None:
    model = Model(removed_max)
    for operation, which, how in steps:
        model.step(operation, which, how)
        model.check()
    model.end()
