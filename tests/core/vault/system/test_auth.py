"""`sys/auth`: tokens are the only method."""

from tests.core.vault.node import Node


def test_tokens_are_the_only_method() -> None:
    node = Node()
    reply = node.ask("read", "sys/auth")
    expected = {
        "type": "token",
        "description": "token based credentials",
        "accessor": node.services.mounts.builtin["auth/token/"].accessor,
        "uuid": node.services.mounts.builtin["auth/token/"].uuid,
        "local": False,
        "seal_wrap": False,
        "external_entropy_access": False,
        "options": None,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "config": {
            "default_lease_ttl": 0,
            "max_lease_ttl": 0,
            "force_no_cache": False,
            "listing_visibility": "",
            "token_type": "default-service",
        },
    }

    assert reply.repeated
    assert {"token/": expected} == reply.data
    assert expected == node.read("sys/auth/token")


def test_tuning_shows_what_is_in_force() -> None:
    expected = {
        "default_lease_ttl": 768 * 3600,
        "max_lease_ttl": 768 * 3600,
        "force_no_cache": False,
        "description": "token based credentials",
        "options": None,
        "token_type": "default-service",
    }

    assert expected == Node().read("sys/auth/token/tune")


def test_no_other_method_is_there() -> None:
    node = Node()

    assert (400, "No auth engine at ldap/") == node.refused("read", "sys/auth/ldap")
    assert (400, 'cannot fetch sysview for path "auth/ldap/"') == node.refused(
        "read", "sys/auth/ldap/tune"
    )
