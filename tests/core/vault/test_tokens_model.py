"""The token store against a plain model: whatever happens, in whatever order.

The model knows for each token its parent, its uses and its end. A revoked token takes along, at
once, what is below it. One that expires is dead at once; what is below it dies when it is swept.
"""

from typing import Final

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.store.keys import successor
from core.store.transaction import Snapshot
from core.vault import tokens
from core.vault.token_entry import SPENT
from tests.core.vault.token_store import TokenStore

_SECOND_NS: Final = 1_000_000_000
_CHOSEN: Final = ("", "", "first", "second")
_TIMES: Final = st.sampled_from([0, 1, 2, 5, 9])


class Known(msgspec.Struct):
    """What the model knows of a token that was created."""

    token: str
    name: str
    accessor: str
    parent: "Known | None"
    uses_left: int
    expires_ns: int
    gone: bool = False


class TokensMachine(RuleBasedStateMachine):
    """Everything that may be done to tokens."""

    held: TokenStore
    known: list[Known]

    @initialize(removed_max=st.sampled_from([1, 2, 3, 100]))
    def begin(self, removed_max: int) -> None:
        self.held = TokenStore(removed_max=removed_max)
        self.known = []

    # -- the model ----------------------------------------------------------------------------

    def expired(self, known: Known) -> bool:
        return 0 < known.expires_ns <= self.held.wall_ns

    def has_lost(self, known: Known) -> bool:
        """Tell whether a token or an ancestor of it is gone."""
        step: Known | None = known
        while step is not None:
            if step.gone:
                return True
            step = step.parent
        return False

    def opens(self, known: Known) -> bool:
        return not self.has_lost(known) and not self.expired(known)

    def may_be_swept(self, known: Known) -> bool:
        step: Known | None = known
        while step is not None:
            if self.expired(step) or step.gone:
                return True
            step = step.parent
        return False

    def drawn(self, data: st.DataObject, known: list[Known]) -> Known:
        return data.draw(st.sampled_from(known))

    # -- what may happen ----------------------------------------------------------------------

    @rule(
        data=st.data(),
        is_child=st.booleans(),
        ttl_s=_TIMES,
        num_uses=st.integers(0, 3),
        token_id=st.sampled_from(_CHOSEN),
    )
    def create(
        self, data: st.DataObject, is_child: bool, ttl_s: int, num_uses: int, token_id: str
    ) -> None:
        reader = Snapshot(self.held.store)
        if token_id and self.held.tokens.exists(reader, token_id):
            return
        # Not the caller's to ask for, yet the store must cope: a use-limited token with children.
        parents = [known for known in self.known if is_child and self.opens(known)]
        parent = self.drawn(data, parents) if parents else None
        token, entry = self.held.create(
            None if parent is None else self.held.find(parent.token),
            ttl_s=ttl_s,
            num_uses=num_uses,
            token_id=token_id,
        )
        self.known.append(
            Known(token, entry.name, entry.accessor, parent, num_uses, entry.expires_ns)
        )

    @precondition(lambda self: any(self.opens(known) and known.uses_left for known in self.known))
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        limited = [known for known in self.known if self.opens(known) and known.uses_left]
        known = self.drawn(data, limited)
        used = self.held.use(known.token)
        known.uses_left -= 1
        known.gone = not known.uses_left
        assert (known.uses_left or SPENT) == used.uses_left

    @precondition(lambda self: any(self.opens(known) and known.expires_ns for known in self.known))
    @rule(data=st.data(), ttl_s=st.integers(1, 9))
    def extend(self, data: st.DataObject, ttl_s: int) -> None:
        known = self.drawn(
            data, [known for known in self.known if self.opens(known) and known.expires_ns]
        )
        entry = self.held.find(known.token)
        assert entry is not None
        self.held.extend(entry, ttl_s)
        known.expires_ns = self.held.wall_ns + ttl_s * _SECOND_NS

    @precondition(lambda self: any(not self.has_lost(known) for known in self.known))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        known = self.drawn(data, [known for known in self.known if not self.has_lost(known)])
        entry = self.held.find(known.token)
        assert entry is not None
        self.held.revoke(entry)
        known.gone = True

    @precondition(lambda self: any(not self.has_lost(known) for known in self.known))
    @rule(data=st.data())
    def revoke_orphan(self, data: st.DataObject) -> None:
        known = self.drawn(data, [known for known in self.known if not self.has_lost(known)])
        entry = self.held.find(known.token)
        assert entry is not None
        assert self.held.orphan_children(entry)
        self.held.revoke(entry)
        for child in self.known:
            if child.parent is known:
                child.parent = None
        known.gone = True

    @rule(milliseconds=st.integers(1, 4_000))
    def sleep(self, milliseconds: int) -> None:
        self.held.sleep(milliseconds / 1000)

    @rule(limit=st.sampled_from([1, 2, 100]))
    def sweep(self, limit: int) -> None:
        before = len(self.held.tokens.accessors(Snapshot(self.held.store)))
        removed = self.held.sweep(limit)
        after = len(self.held.tokens.accessors(Snapshot(self.held.store)))
        assert removed <= limit
        assert before - removed == after
        for known in self.known:
            # Which of them a sweep takes first is its own affair; that it takes no other is not.
            if not known.gone and self.may_be_swept(known):
                known.gone = self.held.find(known.token) is None

    # -- what must hold -----------------------------------------------------------------------

    @invariant()
    def what_opens_is_what_the_model_says(self) -> None:
        latest = {known.token: known for known in self.known}
        reader = Snapshot(self.held.store)
        for token, known in latest.items():
            assert self.opens(known) == self.held.opens(token)
            entry = self.held.find(token)
            assert (entry is None) == self.has_lost(known)
            assert entry == self.held.tokens.find_accessor(reader, known.accessor)
            if entry is not None:
                assert (known.uses_left, known.expires_ns) == (entry.uses_left, entry.expires_ns)
                assert (known.parent is None) == (not entry.parent)

    @invariant()
    def the_index_of_times_names_what_expires(self) -> None:
        store = self.held.store
        reader = Snapshot(store)
        start = tokens._EXPIRES
        indexed = [key for key, _ in store.iterate(start, successor(start))]
        stored = [self.held.tokens._read(reader, known.name) for known in self.known]
        expected = {tokens._expiry_key(entry) for entry in stored if entry and entry.expires_ns}
        assert sorted(expected) == indexed

    def teardown(self) -> None:
        """Once all are gone, nothing is left."""
        for known in self.known:
            entry = self.held.find(known.token)
            if entry is not None:
                self.held.revoke(entry)
        while self.held.sweep(2):
            pass
        assert [] == self.held.records()


TokensMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_tokens_are_those_of_the_model = pytest.mark.slow(TokensMachine.TestCase)
