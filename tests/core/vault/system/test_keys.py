"""`sys/rotate` and `sys/key-status`."""

import pytest

from core.barrier import keyring
from core.barrier.keyring import ROTATE_AFTER_ENCRYPTIONS_MAX
from core.barrier.seal import open_keyrings
from core.check import InvariantBroken
from core.store.transaction import Transaction
from core.vault.encryptions import RESERVED
from core.vault.joining import KEYRING_KEY
from core.vault.system.keys import count_encryptions, rotate
from sim.base import MemoryBase
from tests.core.barrier.helpers import WALL_NS
from tests.core.vault.node import Node


def count(node: Node) -> None:
    transaction = node.begin()
    count_encryptions(node.services, transaction, node.wall_ns)
    node.apply(transaction)


def test_the_first_term() -> None:
    reply = Node().ask("read", "sys/key-status")

    assert reply.repeated
    assert {
        "term": 1,
        "install_time": "2023-11-14T22:13:20Z",
        "encryptions": 0,
    } == reply.data


def test_a_rotation_adds_a_term_and_keeps_what_was_sealed_before() -> None:
    node = Node()
    node.policy("a", 'path "a" { capabilities = ["read"] }')
    count(node)
    node.wall_ns += 10**9
    node.write("sys/rotate")

    assert {
        "term": 2,
        "install_time": "2023-11-14T22:13:21Z",
        "encryptions": 0,
    } == node.read("sys/key-status")
    assert ["a", "root"] == node.read("sys/policy")["keys"]
    assert [1, 2] == [term.number for term in node.barrier.keyrings.shared.terms]


def test_rotations_that_are_on_their_way_add_up() -> None:
    node = Node()
    transaction = node.begin()
    rotate(node.services, transaction, node.wall_ns)
    rotate(node.services, transaction, node.wall_ns)
    sealed = transaction.get(KEYRING_KEY)
    assert sealed is not None

    assert 3 == open_keyrings(node.root_key, sealed).cluster.active.number
    assert 1 == node.barrier.keyrings.cluster.active.number


def test_there_are_only_so_many_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "TERMS_MAX", 1)

    assert (400, "the keyring has 1 terms and can take no more") == Node().refused(
        "update", "sys/rotate"
    )


def test_a_store_without_keyrings_is_broken() -> None:
    node = Node()
    empty = type(node.store)(MemoryBase())

    with pytest.raises(InvariantBroken, match="no keyrings"):
        rotate(node.services, Transaction(empty), WALL_NS)


def test_encryptions_are_counted_ahead() -> None:
    node = Node()
    node.policy("a", 'path "a" { capabilities = ["read"] }')
    sealed = node.barrier._encryptions
    count(node)

    assert sealed > 0
    assert RESERVED + sealed == node.read("sys/key-status")["encryptions"]
    assert 1 == node.read("sys/key-status")["term"]


def test_too_many_encryptions_end_a_term() -> None:
    node = Node()
    node.barrier._encryptions = ROTATE_AFTER_ENCRYPTIONS_MAX
    count(node)

    assert 2 == node.read("sys/key-status")["term"]
