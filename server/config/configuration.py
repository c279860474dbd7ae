"""The record that a server starts from; every default of a configuration file stands here.

Durations are in nanoseconds where a fraction of a second makes sense, leases in whole seconds,
sizes in bytes. Paths of files are as written, relative ones to the working directory.
"""

from typing import Final, Literal

import msgspec

from core.moment import NANOSECONDS_PER_SECOND
from server.config.report import Note

LogLevel = Literal["trace", "debug", "info", "warn", "error"]
LogFormat = Literal["standard", "json"]
TlsVersion = Literal["tls12", "tls13"]
ClientCertificates = Literal["ignored", "requested", "required"]

LEASE_TTL_S: Final = 768 * 3600
TLS_FILE_KEYS: Final = ("tls_cert_file", "tls_key_file", "tls_client_ca_file")


class RetryJoin(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a cluster to join may be found.

    Attributes:
        leader_api_addr: the API address of a member.
        leader_ca_cert: PEM text; who may have issued its certificate. Empty: the system's.
        leader_ca_cert_file: the same as a file; at most one of the two is set.
        leader_client_cert_file: PEM; what to show of oneself, with `leader_client_key_file`.
        leader_client_key_file: PEM.
        leader_tls_servername: the name to look for in its certificate; empty: the host.
    """

    leader_api_addr: str
    leader_ca_cert: str = ""
    leader_ca_cert_file: str = ""
    leader_client_cert_file: str = ""
    leader_client_key_file: str = ""
    leader_tls_servername: str = ""


class RaftStorage(msgspec.Struct, frozen=True, kw_only=True):
    """Durable storage, replicated between the nodes of a cluster.

    Attributes:
        path: the data directory of this node.
        node_id: its label; empty: the random identity made with the data directory.
        performance_multiplier: 0 to 10, see `core.settings.raft_settings`; None is the timing
            for one local network.
        retry_join: where to look for a cluster, in this order.
    """

    path: str
    node_id: str = ""
    performance_multiplier: int | None = None
    retry_join: tuple[RetryJoin, ...] = ()


class InmemStorage(msgspec.Struct, frozen=True):
    """Storage that ends with the process."""


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """One address for clients, and one for the other nodes.

    Attributes:
        address: `host:port` for clients.
        cluster_address: `host:port` for the other nodes, always mutual TLS.
        tls_disable: whether clients speak plain HTTP.
        tls_cert_file: PEM; the certificate, then its chain. Empty only with `tls_disable`.
        tls_key_file: PEM, not encrypted. Empty only with `tls_disable`.
        tls_min_version: the oldest version spoken.
        client_certificates: not asked for; asked for and left to the application; or required
            and verified.
        tls_client_ca_file: PEM; who may have issued a certificate that is required.
        http_idle_timeout_ns: between an answer and the next request.
        http_read_header_timeout_ns: for the head of a request.
        http_read_timeout_ns: for the body of a request.
        http_write_timeout_ns: for a client to take its answer; 0 is no limit.
        max_request_size: bytes of a body.
        max_request_duration_ns: from the head of a request to its answer.
        places: `file:line` where each of `TLS_FILE_KEYS` is set, by key; for messages.
    """

    address: str = "127.0.0.1:8200"
    cluster_address: str = "127.0.0.1:8201"
    tls_disable: bool = False
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_min_version: TlsVersion = "tls12"
    client_certificates: ClientCertificates = "requested"
    tls_client_ca_file: str = ""
    http_idle_timeout_ns: int = 300 * NANOSECONDS_PER_SECOND
    http_read_header_timeout_ns: int = 10 * NANOSECONDS_PER_SECOND
    http_read_timeout_ns: int = 30 * NANOSECONDS_PER_SECOND
    http_write_timeout_ns: int = 0
    max_request_size: int = 32 << 20
    max_request_duration_ns: int = 90 * NANOSECONDS_PER_SECOND
    places: dict[str, str] = {}


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """All that a server needs to know before it starts.

    Attributes:
        storage: where the state is kept.
        listeners: at least one.
        api_addr: the URL by which clients and other nodes reach this node.
        cluster_addr: the URL by which other nodes reach it as a peer.
        cluster_name: a label; empty: one is made up when the cluster is initialised.
        log_level: what is logged, and what is more severe.
        log_format: how.
        disable_mlock: whether memory may be swapped out.
        default_lease_ttl_s: lease of what asks for none.
        max_lease_ttl_s: the longest lease; not less than the default.
        pid_file: where to write the number of the process; empty: nowhere.
        warnings: what deserves attention and is to be told before the start.
    """

    storage: RaftStorage | InmemStorage
    listeners: tuple[Listener, ...]
    api_addr: str
    cluster_addr: str
    cluster_name: str = ""
    log_level: LogLevel = "info"
    log_format: LogFormat = "standard"
    disable_mlock: bool = True
    default_lease_ttl_s: int = LEASE_TTL_S
    max_lease_ttl_s: int = LEASE_TTL_S
    pid_file: str = ""
    warnings: tuple[Note, ...] = ()
