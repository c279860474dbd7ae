"""`sys/internal/ui/mounts`: each caller is told of what it can use, and of nothing else."""

import pytest

from tests.core.vault.node import Node

PATH = "sys/internal/ui/mounts"
PREFLIGHT = (
    "preflight capability check returned 403, please ensure client's policies grant access to path"
)


@pytest.fixture
def node() -> Node:
    node = Node()
    for name, visibility in (("open", "unauth"), ("own", ""), ("other", "hidden")):
        config = {"listing_visibility": visibility}
        body = {"type": "kv-v2", "description": name, "config": config}
        node.write(f"sys/mounts/{name}", body)
    node.policy("dev", 'path "own/data/me/*" { capabilities = ["read"] }')
    return node


def test_anybody_may_know_of_some_mounts(node: Node) -> None:
    shown = {"type": "kv", "description": "open", "options": {"version": "2"}}
    expected = {"auth": {}, "secret": {"open/": shown}}

    assert expected == node.read(PATH, token="")
    assert expected == node.read(PATH, token="hvs.unknown")


def test_a_token_shows_what_it_may_use(node: Node) -> None:
    token, _ = node.token("dev")
    data = node.read(PATH, token=token)

    assert ["open/", "own/"] == sorted(data["secret"])
    assert {} == data["auth"]
    assert node.read("sys/mounts/own") == data["secret"]["own/"]
    assert "accessor" not in data["secret"]["open/"]


def test_root_sees_everything(node: Node) -> None:
    data = node.read(PATH)

    assert ["open/", "other/", "own/", "sys/"] == sorted(data["secret"])
    assert node.read("sys/auth") == data["auth"]


@pytest.mark.parametrize("path", ["own", "own/", "own/data/me/x", "own/elsewhere"])
def test_the_mount_of_a_path(node: Node, path: str) -> None:
    token, _ = node.token("dev")
    expected = {**node.read("sys/mounts/own"), "path": "own/"}

    assert expected == node.read(f"{PATH}/{path}", token=token)
    assert "2" == expected["options"]["version"]


def test_the_mounts_of_the_system(node: Node) -> None:
    assert "sys/" == node.read(f"{PATH}/sys/policy")["path"]
    assert "auth/token/" == node.read(f"{PATH}/auth/token")["path"]


@pytest.mark.parametrize("path", ["other/data/a", "open", "missing", "sys"])
def test_a_mount_that_is_not_ones_own_might_as_well_not_be_there(node: Node, path: str) -> None:
    token, _ = node.token("dev")

    assert (403, f'{PREFLIGHT} "{path}/"') == node.refused("read", f"{PATH}/{path}", token=token)


def test_without_a_token_there_is_no_mount(node: Node) -> None:
    token, _ = node.token("dev", ttl_s=60)
    node.wall_ns += 61 * 10**9

    for each in ("", "hvs.unknown", token):
        assert (403, "permission denied") == node.refused("read", f"{PATH}/own", token=each)
