"""What a dev cluster is made of, in one directory.

Owns the names of files, the choice of ports, the nodes' configuration files and certificates, and
the keys. Each configuration file starts its node by hand too. Must not know processes.

    keys.json            the root token and the unseal keys
    ca.pem               who vouches for the nodes, with TLS
    node-1.json          the configuration of a node
    node-1-cert.pem      its certificate, with TLS
    node-1-key.pem       the key of that
    node-1.log           what it has printed
    node-1/              its data directory
    lock                 held by the dev cluster that runs there
"""

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from net import self_signed
from net.durably import make_directory, write_durably
from server.cannot_run import CannotRunError
from server.ports import free_ports
from server.reason import reason_of

NODES_MAX: Final = 7
PORT_DEFAULT: Final = 8200
PORT_STEP: Final = 10

HOST: Final = "127.0.0.1"
_NAMES: Final = ("localhost", HOST)
_LOCK: Final = "lock"


class DevClusterError(CannotRunError):
    """The dev cluster can't run; the message says why."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose.

    Attributes:
        count: the number of nodes, 1 to `NODES_MAX`.
        port: node i gets this + 10 i for clients, and the next one for the others; 0: free ones.
        tls_names: names and addresses, beside those of this machine, that the certificates are
            for; None: clients speak plain HTTP.
    """

    count: int
    port: int = PORT_DEFAULT
    tls_names: tuple[str, ...] | None = None


class Node(msgspec.Struct, frozen=True):
    """Where a node is to be found.

    Attributes:
        id: its label, `node-1` and so on.
        api_addr: the URL where clients reach it.
        cluster_addr: the URL where the others do.
        data: its data directory.
        configuration: the file that it starts from.
        log: the file that takes what it prints.
    """

    id: str
    api_addr: str
    cluster_addr: str
    data: Path
    configuration: Path
    log: Path


class Keys(msgspec.Struct, frozen=True):
    """What opens the cluster."""

    root_token: str
    unseal_keys: list[str]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make a directory for a dev cluster, unless it is there, and keep others from it.

    Raises:
        DevClusterError: a dev cluster runs there, somebody else has it, or it can't be made.
    """
    try:
        _check_place(directory)
        make_directory(directory)
        lock = (directory / _LOCK).open("wb")
    except OSError as error:
        raise DevClusterError(f"{directory}: {reason_of(error)}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevClusterError(f"a dev cluster runs in {directory} already") from None
        yield


class Layout:
    """A directory with a dev cluster.

    Attributes:
        directory: where it is.
        nodes: its nodes, in order.
        added: the ids of those that were not there before.
        authority_file: PEM; whom clients are to trust. None without TLS.
    """

    def __init__(self, directory: Path, options: Options) -> None:
        """Lay out a cluster, or find the one that is there, which keeps its ports and may grow.

        Args:
            directory: where; it is `locked`.
            options: what the cluster is to be like.

        Raises:
            DevClusterError: another or a larger cluster is there, two nodes would have the same
                port, or a file can't be read or written.
        """
        self.directory = directory
        self.authority_file = None if options.tls_names is None else directory / "ca.pem"
        try:
            self.nodes = self._lay_out(options)
            for node in self.nodes:
                text = json.dumps(self._configuration(node), indent=2)
                write_durably(node.configuration, text.encode())
            if self.authority_file is not None:
                self._certify(self.authority_file, options.tls_names or ())
        except (OSError, ValueError) as error:
            raise DevClusterError(f"{directory}: {reason_of(error)}") from None

    @property
    def keys(self) -> Keys | None:
        """What opens it; None until it is initialised."""
        file = self.directory / "keys.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Keys)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise DevClusterError(f"{file}: {reason_of(error)}") from None

    def keep(self, keys: Keys) -> None:
        """Keep what opens it, readable by the owner alone.

        Raises:
            DevClusterError: the file can't be written.
        """
        file = self.directory / "keys.json"
        try:
            write_durably(file, msgspec.json.encode(keys))
        except OSError as error:
            raise DevClusterError(f"{file}: {reason_of(error)}") from None

    def _lay_out(self, options: Options) -> list[Node]:
        known = {number: self._known(number) for number in range(1, NODES_MAX + 1)}
        there = max((number for number, addresses in known.items() if addresses), default=0)
        if there > options.count:
            raise DevClusterError(
                f"{self.directory} has a cluster of {there} nodes: give -dev-cluster={there},"
                f" or more for it to grow"
            )
        if options.port:
            ports = range(options.port, options.port + PORT_STEP * (options.count + 1), PORT_STEP)
            pairs = [(port, port + 1) for port in ports[1:]]
        else:
            free = free_ports(HOST, 2 * options.count)
            pairs = list(zip(free[::2], free[1::2], strict=True))
        scheme = "http" if self.authority_file is None else "https"
        nodes = [
            self._node(
                number, *(known[number] or (f"{scheme}://{HOST}:{api}", f"https://{HOST}:{peers}"))
            )
            for number, (api, peers) in enumerate(pairs, 1)
        ]
        self.added = frozenset(node.id for number, node in enumerate(nodes, 1) if not known[number])
        _check_ports(nodes)
        return nodes

    def _node(self, number: int, api_addr: str, cluster_addr: str) -> Node:
        name = f"node-{number}"
        place = self.directory / name
        configuration, log = place.with_suffix(".json"), place.with_suffix(".log")
        return Node(name, api_addr, cluster_addr, place, configuration, log)

    def _known(self, number: int) -> tuple[str, str] | None:
        """Return the addresses of a node that is there already."""
        file = self.directory / f"node-{number}.json"
        if not file.exists():
            return None
        try:
            text = json.loads(file.read_bytes())
            api_addr, cluster_addr = str(text["api_addr"]), str(text["cluster_addr"])
        except (KeyError, TypeError, ValueError) as error:
            raise DevClusterError(f"{file} is not from a dev cluster: {error!r}") from None
        # The others know a member by the address that it joined with.
        if api_addr.startswith("https:") != (self.authority_file is not None):
            speaks = "without" if self.authority_file is not None else "with"
            raise DevClusterError(f"the cluster in {self.directory} was made {speaks} -dev-tls")
        return api_addr, cluster_addr

    def _configuration(self, node: Node) -> dict[str, Any]:
        storage: dict[str, Any] = {"path": str(node.data), "node_id": node.id}
        listener: dict[str, Any] = {
            "address": node.api_addr.partition("://")[2],
            "cluster_address": node.cluster_addr.partition("://")[2],
        }
        # The first begins the cluster; one that comes later may find it without the first.
        if node is not self.nodes[0]:
            trusted = (
                {}
                if self.authority_file is None
                else {"leader_ca_cert_file": str(self.authority_file)}
            )
            storage["retry_join"] = [
                {"leader_api_addr": other.api_addr, **trusted}
                for other in self.nodes
                if other is not node
            ]
        if self.authority_file is None:
            listener["tls_disable"] = True
        else:
            certificate_file, key_file = _tls_files(node)
            listener |= {"tls_cert_file": str(certificate_file), "tls_key_file": str(key_file)}
        return {
            "storage": {"raft": storage},
            "listener": {"tcp": listener},
            "api_addr": node.api_addr,
            "cluster_addr": node.cluster_addr,
            "disable_mlock": True,
        }

    def _certify(self, authority_file: Path, names: Sequence[str]) -> None:
        everyone = tuple(dict.fromkeys((*_NAMES, *names)))
        servers = [self_signed.Server(*_tls_files(node), everyone) for node in self.nodes]
        self_signed.provide(authority_file, servers, datetime.now(UTC))


def _check_place(directory: Path) -> None:
    """Refuse a directory of somebody else, whom making it private would lock out."""
    names = [file.name for file in directory.iterdir()] if directory.exists() else []
    if names not in ([], [_LOCK]) and not any(name.startswith("node-") for name in names):
        raise DevClusterError(f"{directory} holds something else than a dev cluster")


def _check_ports(nodes: Sequence[Node]) -> None:
    """Refuse nodes of which one would take the place of another."""
    owners: dict[str, str] = {}
    for node in nodes:
        for url in (node.api_addr, node.cluster_addr):
            port = url.rpartition(":")[2]
            owner = owners.setdefault(port, node.id)
            if owner != node.id:
                raise DevClusterError(
                    f"{node.id} would have port {port} of {owner}: give another -dev-cluster-port"
                )


def _tls_files(node: Node) -> tuple[Path, Path]:
    """Return the files of a node's certificate and of its key."""
    name = node.data.name
    return node.data.with_name(f"{name}-cert.pem"), node.data.with_name(f"{name}-key.pem")
