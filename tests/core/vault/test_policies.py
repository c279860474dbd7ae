"""The policy store: texts by name, and what they grant for as long as they stay what they are."""

import pytest

from core.barrier.names import PathTooLong
from core.engines.call import RequestError
from core.store.transaction import Transaction
from core.vault import policies as module
from core.vault.policies import TEXT_BYTES_MAX, Policies
from core.vault.policy import DEFAULT_POLICY, PolicyError
from tests.core.vault.node import Node

READ = 'path "secret/a" { capabilities = ["read"] }'
LIST = 'path "secret/a" { capabilities = ["list"] }'


def capabilities(node: Node, *names: str) -> list[str]:
    acl = node.services.policies.acl(node.begin(), names)
    return acl.capabilities("secret/a")


def stored(node: Node) -> tuple[Policies, Transaction]:
    return node.services.policies, node.begin()


def test_a_policy_is_kept_as_it_was_written() -> None:
    node = Node()
    node.policy("default", DEFAULT_POLICY)
    node.policy("team/a", READ)
    policies, transaction = stored(node)

    assert DEFAULT_POLICY == policies.get_text(transaction, "default")
    assert ["default", "team/a"] == policies.names(transaction)
    assert policies.exists(transaction, "team/a")
    assert policies.get_text(transaction, "team") is None
    assert not policies.exists(transaction, "team")


def test_root_is_always_there_and_has_no_text() -> None:
    policies, transaction = stored(Node())

    assert policies.exists(transaction, "root")
    assert "" == policies.get_text(transaction, "root")
    assert [] == policies.names(transaction)


def test_a_transaction_sees_its_own_policies() -> None:
    policies, transaction = stored(Node())
    policies.put(transaction, "a", READ)

    assert ["a"] == policies.names(transaction)

    policies.delete(transaction, "a")
    policies.delete(transaction, "never-there")

    assert [] == policies.names(transaction)
    assert {policies._catalog.key("a")} == set(transaction.writes)


def test_what_is_no_policy_is_not_stored() -> None:
    policies, transaction = stored(Node())

    with pytest.raises(PolicyError, match="failed to parse policy"):
        policies.put(transaction, "a", "path {")
    with pytest.raises(PolicyError, match="the policy is longer than 131072 bytes"):
        policies.put(transaction, "a", "#" * (TEXT_BYTES_MAX + 1))
    with pytest.raises(PathTooLong):
        policies.put(transaction, "a" * 300, READ)
    assert {} == transaction.writes


def test_policies_grant_together() -> None:
    node = Node()
    node.policy("lists", LIST)
    node.policy("reads", READ)

    assert ["list", "read"] == capabilities(node, "lists", "reads")
    assert ["root"] == capabilities(node, "root")


@pytest.mark.parametrize("names", [(), ("missing",), ("x" * 300,)])
def test_a_policy_that_is_missing_grants_nothing(names: tuple[str, ...]) -> None:
    assert ["deny"] == capabilities(Node(), *names)


def test_a_policy_counts_as_soon_as_it_is_applied() -> None:
    node = Node()
    transaction = node.begin()
    node.services.policies.put(transaction, "a", READ)

    assert ["deny"] == capabilities(node, "a")
    node.apply(transaction)
    assert ["read"] == capabilities(node, "a")
    node.policy("a", LIST)
    assert ["list"] == capabilities(node, "a")

    transaction = node.begin()
    node.services.policies.delete(transaction, "a")
    node.apply(transaction)

    assert ["deny"] == capabilities(node, "a")


def test_policies_are_compiled_once_until_one_of_them_changes() -> None:
    node = Node()
    node.policy("a", READ)
    policies = node.services.policies
    first = policies.acl(node.begin(), ("a",))

    assert first is policies.acl(node.begin(), ("a",))

    node.policy("b", LIST)

    assert first is policies.acl(node.begin(), ("a",))
    assert policies._watch.version == policies._compiled[("a",)].version

    node.policy("a", LIST)

    assert first is not policies.acl(node.begin(), ("a",))


def test_only_so_many_combinations_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPILED_MAX", 2)
    node = Node()
    policies = node.services.policies
    first = policies.acl(node.begin(), ("a",))
    second = policies.acl(node.begin(), ("b",))
    policies.acl(node.begin(), ("c",))

    assert second is policies.acl(node.begin(), ("b",))
    assert first is not policies.acl(node.begin(), ("a",))
    assert 2 == len(policies._compiled)


def test_only_so_many_bytes_of_policies_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One combination is, however long, as it is about to be asked again."""
    node = Node()
    for name in "abc":
        node.policy(name, READ)
    policies = node.services.policies
    policies.acl(node.begin(), ("a",))
    size = policies._compiled_bytes
    monkeypatch.setattr(module, "COMPILED_BYTES_MAX", 2 * size)

    for names in (("b",), ("c",)):
        policies.acl(node.begin(), names)
    assert [("b",), ("c",)] == list(policies._compiled)

    node.policy("b", READ + "\n" + LIST)
    policies.acl(node.begin(), ("b",))
    assert [("b",)] == list(policies._compiled)

    policies.acl(node.begin(), ("a", "b", "c"))
    assert [("a", "b", "c")] == list(policies._compiled)
    assert policies._compiled_bytes == sum(each.size for each in policies._compiled.values())


def test_a_stored_policy_that_cannot_be_read_refuses_all_that_hold_it() -> None:
    node = Node()
    transaction = node.begin()
    policies = node.services.policies
    policies._catalog.put(transaction, "old", module._Stored("old", "path {"))
    node.apply(transaction)

    with pytest.raises(RequestError) as refusal:
        capabilities(node, "old")
    assert 500 == refusal.value.status
    assert refusal.value.messages[0].startswith('policy "old": failed to parse policy')
