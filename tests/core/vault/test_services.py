"""The record of services."""

from tests.core.vault.node import Node


def test_services_do_not_show_the_root_key() -> None:
    node = Node()

    assert "Services()" == repr(node.services)
    assert node.root_key == node.services.root_key
