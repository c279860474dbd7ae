"""A token that opens too much is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.tokens import TokensEnd
from tests.sim.invariants.settled import Settled

CREATED = b'{"auth":{"client_token":"limited","lease_duration":2764800}}'


def _create(settled: Settled, invariant: TokensEnd) -> None:
    question = settled.question("update", "auth/token/create", "root", b'{"num_uses":2}')
    settled.answer(invariant, question, 200, CREATED)


def test_one_use_too_many(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    settled.answer(invariant, settled.question("read", "secret/data/a", "limited"), 200)
    settled.answer(invariant, settled.question("read", "secret/data/a", "limited"), 404)

    with pytest.raises(Violated, match="once too often"):
        settled.answer(invariant, settled.question("read", "secret/data/a", "limited"), 200)


def test_what_is_refused_is_no_use(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    for _ in range(3):
        settled.answer(invariant, settled.question("read", "secret/data/a", "limited"), 503)


def test_a_use_after_the_revocation(settled: Settled) -> None:
    invariant = TokensEnd()
    before = settled.question("read", "secret/data/a", "other")
    revocation = settled.question("update", "auth/token/revoke", "root", b'{"token":"other"}')
    settled.answer(invariant, revocation, 204)
    settled.answer(invariant, before, 200)  # asked while the revocation was under way
    settled.world.time_ns += 1
    after = settled.question("read", "secret/data/a", "other")

    with pytest.raises(Violated, match="revoked before"):
        settled.answer(invariant, after, 200)


def _try(settled: Settled, invariant: TokensEnd, status: int, token: str = "limited") -> None:
    question = settled.question("read", "secret/data/a", token)
    invariant.asked(settled.world, question)
    settled.answer(invariant, question, status)


def test_a_refusal_of_a_token_with_uses_left(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    _try(settled, invariant, 500)

    with pytest.raises(Violated, match="has not ended"):
        _try(settled, invariant, 403)


def test_a_refusal_of_a_token_that_may_be_used_up(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    for status in (500, 200, 403):
        _try(settled, invariant, status)


def test_a_refusal_while_a_token_is_being_revoked(settled: Settled) -> None:
    invariant = TokensEnd()
    revocation = settled.question("update", "auth/token/revoke", "root", b'{"token":"limited"}')
    _create(settled, invariant)
    _try(settled, invariant, 200)
    invariant.asked(settled.world, revocation)

    _try(settled, invariant, 403)


def test_a_token_that_is_revoked_before_its_creation_is_answered(settled: Settled) -> None:
    invariant = TokensEnd()
    revocation = settled.question("update", "auth/token/revoke", "root", b'{"token":"limited"}')
    invariant.asked(settled.world, revocation)
    _create(settled, invariant)

    _try(settled, invariant, 403)


def test_a_short_life_ends_a_token_with_uses_left(settled: Settled) -> None:
    invariant = TokensEnd()
    question = settled.question("update", "auth/token/create", "root", b'{"num_uses":2}')
    brief = b'{"auth":{"client_token":"limited","lease_duration":3}}'
    settled.answer(invariant, question, 200, brief)

    _try(settled, invariant, 403)


def _create_child(settled: Settled, invariant: TokensEnd, path: str) -> None:
    question = settled.question("update", path, "limited", b"{}")
    child = b'{"auth":{"client_token":"child","lease_duration":2764800}}'
    settled.answer(invariant, question, 200, child)
    revocation = settled.question("update", "auth/token/revoke", "root", b'{"token":"limited"}')
    settled.answer(invariant, revocation, 204)
    settled.world.time_ns += 1


def test_a_child_of_a_revoked_token(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    _create_child(settled, invariant, "auth/token/create")

    with pytest.raises(Violated, match="revoked before"):
        _try(settled, invariant, 200, "child")


def test_an_orphan_of_a_revoked_token(settled: Settled) -> None:
    invariant = TokensEnd()
    _create(settled, invariant)
    _create_child(settled, invariant, "auth/token/create-orphan")

    _try(settled, invariant, 200, "child")
