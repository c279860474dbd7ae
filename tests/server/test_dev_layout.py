"""The directory of a dev cluster."""

import json
import re
import stat
from pathlib import Path

import pytest

from server.config.configuration import Configuration, RaftStorage
from server.config.files import read_files
from server.dev_layout import DevClusterError, Keys, Layout, Options, locked

KEYS = Keys("hvs.root", ["a", "b"])


def lay_out(directory: Path, options: Options) -> Layout:
    """Do it as the dev cluster does, which then ends at once."""
    with locked(directory):
        return Layout(directory, options)


def configuration(layout: Layout, number: int) -> Configuration:
    """Return what the server makes of a node's file; there is nothing to warn of."""
    read = read_files([str(layout.nodes[number].configuration)], {})
    assert () == read.warnings
    return read


def test_node_i_is_ten_ports_behind_the_one_before(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=3, port=8200))

    assert [
        ("node-1", "http://127.0.0.1:8210", "https://127.0.0.1:8211"),
        ("node-2", "http://127.0.0.1:8220", "https://127.0.0.1:8221"),
        ("node-3", "http://127.0.0.1:8230", "https://127.0.0.1:8231"),
    ] == [(node.id, node.api_addr, node.cluster_addr) for node in layout.nodes]
    assert layout.authority_file is None


def test_free_ports_are_all_different(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=7, port=0))

    urls = [url for node in layout.nodes for url in (node.api_addr, node.cluster_addr)]
    assert 14 == len({url.rpartition(":")[2] for url in urls})


def test_a_configuration_file_says_all_of_its_node(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=2, port=9000))
    node = layout.nodes[1]
    read = configuration(layout, 1)

    assert isinstance(read.storage, RaftStorage)
    assert (str(node.data), node.id) == (read.storage.path, read.storage.node_id)
    assert ["http://127.0.0.1:9010"] == [each.leader_api_addr for each in read.storage.retry_join]
    assert (node.api_addr, node.cluster_addr) == (read.api_addr, read.cluster_addr)
    listener = read.listeners[0]
    assert ("127.0.0.1:9020", "127.0.0.1:9021") == (listener.address, listener.cluster_address)
    assert listener.tls_disable


def test_with_tls_it_names_the_files(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=2, tls_names=("vault.example.com",)))
    listener = configuration(layout, 0).listeners[0]
    joiner = configuration(layout, 1).storage

    assert layout.authority_file == tmp_path / "ca.pem"
    assert isinstance(joiner, RaftStorage)
    assert str(layout.authority_file) == joiner.retry_join[0].leader_ca_cert_file
    assert not listener.tls_disable
    assert "https://127.0.0.1:8210" == layout.nodes[0].api_addr
    modes = [
        stat.S_IMODE(Path(file).stat().st_mode)
        for file in (layout.authority_file, listener.tls_cert_file, listener.tls_key_file)
    ]
    assert [0o644, 0o644, 0o600] == modes
    assert 0o700 == stat.S_IMODE(tmp_path.stat().st_mode)


def test_a_cluster_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Its ports and certificates, whatever is asked for now."""
    before = lay_out(tmp_path, Options(count=2, port=0, tls_names=()))
    texts = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    after = lay_out(tmp_path, Options(count=2, port=8200, tls_names=()))

    assert before.nodes == after.nodes
    assert texts == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def test_a_cluster_may_grow(tmp_path: Path) -> None:
    """Who is new can join by any of the others: the first may have been removed."""
    before = lay_out(tmp_path, Options(count=2, port=8000))
    after = lay_out(tmp_path, Options(count=3, port=8200))
    storage = configuration(after, 2).storage

    assert [*before.nodes, "http://127.0.0.1:8230"] == [*after.nodes[:2], after.nodes[2].api_addr]
    assert [["node-1", "node-2"], ["node-3"]] == [sorted(before.added), sorted(after.added)]
    assert isinstance(storage, RaftStorage)
    assert ["http://127.0.0.1:8010", "http://127.0.0.1:8020"] == [
        each.leader_api_addr for each in storage.retry_join
    ]
    assert frozenset() == lay_out(tmp_path, Options(count=3)).added


@pytest.mark.parametrize("port", [8189, 8190, 8191])
def test_who_is_new_does_not_take_the_place_of_another(tmp_path: Path, port: int) -> None:
    lay_out(tmp_path, Options(count=1, port=8200))
    taken = 8210 if port < 8191 else 8211

    with pytest.raises(
        DevClusterError,
        match=f"node-2 would have port {taken} of node-1: give another -dev-cluster-port",
    ):
        lay_out(tmp_path, Options(count=2, port=port))
    assert not (tmp_path / "node-2.json").exists()


def test_a_cluster_with_a_gap_is_as_large_as_its_last_node_says(tmp_path: Path) -> None:
    lay_out(tmp_path, Options(count=3))
    (tmp_path / "node-2.json").unlink()

    with pytest.raises(DevClusterError, match="has a cluster of 3 nodes"):
        lay_out(tmp_path, Options(count=2))
    assert {"node-2"} == lay_out(tmp_path, Options(count=3)).added


def test_a_cluster_that_was_moved_knows_its_new_place(tmp_path: Path) -> None:
    lay_out(tmp_path / "old", Options(count=1))
    moved = (tmp_path / "old").rename(tmp_path / "new")
    storage = configuration(lay_out(moved, Options(count=1)), 0).storage

    assert isinstance(storage, RaftStorage)
    assert str(moved / "node-1") == storage.path


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            Options(count=3),
            Options(count=2),
            "a cluster of 3 nodes: give -dev-cluster=3, or more for it to grow",
        ),
        (Options(count=1), Options(count=1, tls_names=()), "was made without -dev-tls"),
        (Options(count=1, tls_names=()), Options(count=1), "was made with -dev-tls"),
    ],
)
def test_another_cluster_is_not_made_of_it(
    tmp_path: Path, first: Options, second: Options, reason: str
) -> None:
    lay_out(tmp_path, first)

    with pytest.raises(DevClusterError, match=reason):
        lay_out(tmp_path, second)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"api_addr": "http://a:1"}'])
def test_a_file_of_somebody_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "node-1.json").write_text(text)

    with pytest.raises(DevClusterError, match=r"node-1\.json is not from a dev cluster"):
        lay_out(tmp_path, Options(count=1))


def test_a_directory_in_which_a_dev_cluster_runs_is_left_as_it_is(tmp_path: Path) -> None:
    lay_out(tmp_path, Options(count=1, tls_names=()))
    with locked(tmp_path):
        texts = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        with pytest.raises(DevClusterError, match=r"a dev cluster runs in .* already"):
            lay_out(tmp_path, Options(count=3, tls_names=()))

        assert texts == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def test_a_start_that_was_cut_off_at_its_beginning_is_no_obstacle(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass

    assert ["node-1"] == [node.id for node in lay_out(tmp_path, Options(count=1)).nodes]


def test_a_directory_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(0o755)

    with pytest.raises(DevClusterError, match="holds something else than a dev cluster"):
        lay_out(tmp_path, Options(count=1))

    assert ["letters"] == [path.name for path in tmp_path.iterdir()]
    assert 0o755 == tmp_path.stat().st_mode & 0o777


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DevClusterError, match="file"):
        lay_out(tmp_path / "file", Options(count=1))


def test_a_name_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DevClusterError, match="'a b' is neither"):
        lay_out(tmp_path, Options(count=1, tls_names=("a b",)))


def test_keys_are_kept_privately(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=1))
    before = layout.keys
    layout.keep(KEYS)
    file = tmp_path / "keys.json"

    assert (None, KEYS) == (before, lay_out(tmp_path, Options(count=1)).keys)
    assert {"root_token", "unseal_keys"} == json.loads(file.read_bytes()).keys()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_keys_that_can_not_be_kept_are_an_error(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=1))
    (tmp_path / "keys.new").symlink_to("/dev/full")

    with pytest.raises(DevClusterError, match="No space left"):
        layout.keep(Keys("token", ["a"]))


def test_keys_that_are_none_are_named(tmp_path: Path) -> None:
    layout = lay_out(tmp_path, Options(count=1))
    (tmp_path / "keys.json").write_text("{}")

    with pytest.raises(DevClusterError, match=re.escape(str(tmp_path / "keys.json"))):
        _ = layout.keys
