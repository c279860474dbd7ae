"""`sys/mounts`: shapes, texts of refusals, and what is taken at its word."""

from typing import Any

import pytest

from core.settings import RequestSettings
from tests.core.vault.node import Node

DAY_S = 86_400
SYSTEM_S = 768 * 3600


def mounted(path: str = "secret", **body: object) -> Node:
    node = Node()
    node.write(f"sys/mounts/{path}", {"type": "kv", **body})
    return node


def test_a_mount_is_shown_as_vault_shows_it() -> None:
    node = mounted(
        description="for all",
        options={"version": 2},
        config={"default_lease_ttl": "1h", "max_lease_ttl": DAY_S, "listing_visibility": "unauth"},
        local=True,
        seal_wrap="true",
        external_entropy_access=False,
        plugin_version="",
    )
    shown = node.read("sys/mounts/secret")
    mount = node.services.mounts.get(node.store, "secret/")
    assert mount is not None
    expected = {
        "type": "kv",
        "description": "for all",
        "accessor": mount.accessor,
        "uuid": mount.uuid,
        "local": True,
        "seal_wrap": True,
        "external_entropy_access": False,
        "options": {"version": "2"},
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "config": {
            "default_lease_ttl": 3600,
            "max_lease_ttl": DAY_S,
            "force_no_cache": False,
            "listing_visibility": "unauth",
        },
    }

    assert expected == shown
    assert expected == node.read("sys/mounts")["secret/"]


def test_all_mounts_are_listed_with_that_of_the_system() -> None:
    node = mounted("team/a")
    reply = node.ask("read", "sys/mounts")

    assert reply.repeated
    assert reply.data is not None
    assert ["team/a/", "sys/"] == list(reply.data)
    assert "system" == reply.data["sys/"]["type"]
    assert reply.data["team/a/"]["options"] is None
    assert reply.data["sys/"] == node.read("sys/mounts/sys")


@pytest.mark.parametrize("kind", ["kv-v2", "kv"])
def test_a_type_may_say_the_version(kind: str) -> None:
    node = Node()
    node.write("sys/mounts/a", {"type": kind, "options": {"version": "2"}})

    assert ("kv", {"version": "2"}) == tuple(
        node.read("sys/mounts/a")[key] for key in ("type", "options")
    )


def test_a_mount_that_is_not_there() -> None:
    node = Node()

    assert (400, "No secret engine mount at a/") == node.refused("read", "sys/mounts/a")
    assert (400, 'cannot fetch sysview for path "a/"') == node.refused("read", "sys/mounts/a/tune")
    assert (400, 'tune of path "a/" failed: no mount entry found') == node.refused(
        "update", "sys/mounts/a/tune"
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "backend type must be specified as a string"),
        ({"type": "pki"}, "plugin not found in the catalog: pki"),
        ({"type": "kv", "options": {"version": "3"}}, "invalid version of a kv mount: 3"),
        ({"type": "kv", "plugin_version": "v1"}, "plugin_version is not supported"),
        (
            {"type": "kv", "external_entropy_access": True},
            "external_entropy_access is not supported",
        ),
        ({"type": "kv", "config": {"force_no_cache": True}}, "force_no_cache is not supported"),
        (
            {"type": "kv", "config": {"audit_non_hmac_request_keys": ["a"]}},
            "audit_non_hmac_request_keys is not supported",
        ),
        (
            {"type": "kv", "config": {"listing_visibility": "all"}},
            "invalid listing_visibility: all",
        ),
        (
            {"type": "kv", "config": {"default_lease_ttl": "2h", "max_lease_ttl": "1h"}},
            "given default lease TTL greater than given max lease TTL",
        ),
        (
            {"type": "kv", "config": {"default_lease_ttl": "769h"}},
            f"given default lease TTL greater than system max lease TTL of {SYSTEM_S}",
        ),
        (
            {"type": "kv", "config": {"default_lease_ttl": "soon"}},
            (
                'Field validation failed: error converting input for field "default_lease_ttl": '
                "expected a duration"
            ),
        ),
    ],
)
def test_what_cannot_be_mounted(body: dict[str, Any], text: str) -> None:
    node = Node()
    before = node.count()

    assert (400, text) == node.refused("update", "sys/mounts/a", body)
    assert before == node.count()


def test_where_nothing_can_be_mounted() -> None:
    node = mounted("a/b")
    body = {"type": "kv"}

    assert (400, "path is already in use at a/b/") == node.refused("update", "sys/mounts/a", body)
    assert (400, 'cannot mount "sys/a/"') == node.refused("update", "sys/mounts/sys/a", body)
    assert (400, 'cannot unmount "sys/"') == node.refused("delete", "sys/mounts/sys")


def test_what_has_no_effect_may_be_sent_empty() -> None:
    mounted(
        config={"force_no_cache": False, "passthrough_request_headers": [], "token_type": ""},
        plugin_name=None,
    )


def test_a_mount_is_disabled_whether_it_is_there_or_not() -> None:
    node = mounted()
    for _ in range(2):
        assert node.ask("delete", "sys/mounts/secret").data is None
    assert ["sys/"] == list(node.read("sys/mounts"))


def test_tuning_shows_what_is_in_force() -> None:
    settings = RequestSettings(default_lease_ttl_s=60, max_lease_ttl_s=120)
    node = Node(settings)
    node.write("sys/mounts/a", {"type": "kv", "description": "d"})
    reply = node.ask("read", "sys/mounts/a/tune")
    expected = {
        "default_lease_ttl": 60,
        "max_lease_ttl": 120,
        "force_no_cache": False,
        "description": "d",
        "options": None,
    }

    assert reply.repeated
    assert expected == reply.data
    assert (60, 120) == tuple(
        node.read("sys/mounts/sys/tune")[key] for key in ("default_lease_ttl", "max_lease_ttl")
    )


def test_tuning_changes_what_is_given() -> None:
    node = mounted(description="before", options={"version": "2"})
    path = "sys/mounts/secret/tune"
    node.write(path, {"default_lease_ttl": "1h", "max_lease_ttl": "2h"})
    node.write(path, {"description": "after", "options": {"version": "2"}})
    node.write(path, {"listing_visibility": "unauth", "description": None, "options": None})
    tuned = node.read(path)
    expected = {
        "default_lease_ttl": 3600,
        "max_lease_ttl": 7200,
        "force_no_cache": False,
        "description": "after",
        "options": {"version": "2"},
        "listing_visibility": "unauth",
    }

    assert expected == tuned

    node.write(path, {"default_lease_ttl": "system", "max_lease_ttl": 0, "description": ""})
    node.write(path, {"listing_visibility": ""})

    assert {
        "default_lease_ttl": SYSTEM_S,
        "max_lease_ttl": SYSTEM_S,
        "force_no_cache": False,
        "description": "",
        "options": {"version": "2"},
    } == node.read(path)


def test_a_tuned_mount_keeps_its_keys() -> None:
    node = mounted()
    before = node.services.mounts.find(node.store, "secret/a")
    node.write("sys/mounts/secret/tune", {"description": "after"})
    after = node.services.mounts.find(node.store, "secret/a")
    assert before is not None
    assert after is not None

    assert before[0].prefix == after[0].prefix
    assert ("", "after") == (before[0].description, after[0].description)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"max_lease_ttl": "1s"},
            "backend max lease TTL of 1 would be less than backend default lease TTL of 3600",
        ),
        (
            {"default_lease_ttl": "800h"},
            (
                f"backend max lease TTL of {SYSTEM_S} would be less than backend default lease TTL "
                "of 2880000"
            ),
        ),
        (
            {"options": {"version": "2"}},
            (
                "the version of the kv mount at secret/ cannot be changed; "
                "enable another mount and copy what this one holds"
            ),
        ),
        ({"options": {"version": "3"}}, "invalid version of a kv mount: 3"),
        ({"token_type": "batch"}, "token_type is not supported"),
        ({"listing_visibility": "all"}, "invalid listing_visibility: all"),
    ],
)
def test_what_cannot_be_tuned(body: dict[str, Any], text: str) -> None:
    node = mounted(config={"default_lease_ttl": "1h"})
    before = node.read("sys/mounts/secret/tune")

    assert (400, text) == node.refused("update", "sys/mounts/secret/tune", body)
    assert before == node.read("sys/mounts/secret/tune")
