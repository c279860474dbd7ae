"""From the texts of configuration files to one `Configuration`.

Owns the keys: which there are, of which type, how they depend on each other. A pure function of
its arguments; `server.config.files` reads the files. A later file overrides the keys of an
earlier one, its `storage` replaces the earlier one as a whole, and all `listener`s count.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.hcl.document import parse
from core.hcl.tree import Body, HclError
from core.settings import PERFORMANCE_MULTIPLIER_MAX
from server.config import values, vault_keys
from server.config.configuration import (
    LEASE_TTL_S,
    TLS_FILE_KEYS,
    ClientCertificates,
    Configuration,
    InmemStorage,
    Listener,
    LogFormat,
    LogLevel,
    RaftStorage,
    RetryJoin,
    TlsVersion,
)
from server.config.report import Place, Report
from server.config.stanza import Stanza
from server.config.values import PORT_MAX, HostPort, Url

MAX_REQUEST_SIZE_MAX: Final = 256 << 20
"""Bytes that `max_request_size` may allow at most: a body is held in memory."""

_BLOCKS: Final = {"storage": 1, "listener": 1, "retry_join": 0}
_LOG_LEVELS: Final[dict[str, LogLevel]] = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warn": "warn",
    "warning": "warn",
    "error": "error",
    "err": "error",
}
_LOG_FORMATS: Final[dict[str, LogFormat]] = {"standard": "standard", "json": "json"}
_TLS_VERSIONS: Final[dict[str, TlsVersion]] = {"tls12": "tls12", "tls13": "tls13"}
_DEFAULTS: Final = Listener()
_WILDCARD_HOSTS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 -- compared with, not bound


class Document(msgspec.Struct, frozen=True):
    """One configuration file: its name for messages, and its text."""

    name: str
    text: str


def read_documents(documents: Sequence[Document], environment: Mapping[str, str]) -> Configuration:
    """Return what `documents`, in this order, and the environment say.

    The variables `VAULT_API_ADDR`, `VAULT_CLUSTER_ADDR`, `VAULT_LOG_LEVEL`,
    `VAULT_RAFT_NODE_ID` and `VAULT_RAFT_PATH` override the files.

    Raises:
        ConfigurationError: with everything that is wrong, not only the first.
    """
    report = Report([document.name for document in documents])
    top = _top(report, documents)
    top.override("api_addr", "VAULT_API_ADDR", environment)
    top.override("cluster_addr", "VAULT_CLUSTER_ADDR", environment)
    top.override("log_level", "VAULT_LOG_LEVEL", environment)
    storage = _storage(top, environment)
    listeners = _listeners(top)
    api_addr, cluster_addr = _addresses(top, storage, listeners)
    configuration = Configuration(
        storage=storage,
        listeners=listeners,
        api_addr=api_addr,
        cluster_addr=cluster_addr,
        cluster_name=top.text("cluster_name"),
        log_level=top.choice("log_level", _LOG_LEVELS, "info"),
        log_format=top.choice("log_format", _LOG_FORMATS, "standard"),
        disable_mlock=_disable_mlock(top, storage),
        default_lease_ttl_s=top.duration_s("default_lease_ttl", LEASE_TTL_S),
        max_lease_ttl_s=top.duration_s("max_lease_ttl", LEASE_TTL_S),
        pid_file=top.text("pid_file"),
    )
    if configuration.default_lease_ttl_s > configuration.max_lease_ttl_s:
        key = "default_lease_ttl" if top.is_set("default_lease_ttl") else "max_lease_ttl"
        top.error("default_lease_ttl must not be longer than max_lease_ttl", key)
    top.finish(vault_keys.TOP)
    report.raise_errors()
    return msgspec.structs.replace(configuration, warnings=report.warnings())


def _top(report: Report, documents: Sequence[Document]) -> Stanza:
    bodies = [_body(report, document) for document in documents]
    # Each further complaint beside a file that cannot even be parsed would mislead.
    report.raise_errors()
    top = Stanza(report, Place(documents[0].name, 1) if documents else Place("-config"))
    for document, body in zip(documents, bodies, strict=True):
        top.add(document.name, body)
    return top


def _body(report: Report, document: Document) -> Body:
    try:
        return parse(document.text, _BLOCKS)
    except HclError as error:
        report.error(Place(document.name, error.line), error.message)
        return Body(())


def _storage(top: Stanza, environment: Mapping[str, str]) -> RaftStorage | InmemStorage:
    last: Stanza | None = None
    for stanza in top.stanzas("storage", labelled=True):
        if last is not None and last.place.name == stanza.place.name:
            stanza.error("a file can have only one storage")
        last = stanza
    if last is None:
        top.error('storage is missing: write storage "raft" { ... } or storage "inmem" {}')
        return InmemStorage()
    if last.label == "raft":
        return _raft(last, environment)
    if last.label != "inmem":
        last.error(f'storage "{last.label}" is not available in Holdfast, only raft and inmem')
        return InmemStorage()
    last.finish({})
    return InmemStorage()


def _raft(stanza: Stanza, environment: Mapping[str, str]) -> RaftStorage:
    stanza.override("path", "VAULT_RAFT_PATH", environment)
    stanza.override("node_id", "VAULT_RAFT_NODE_ID", environment)
    storage = RaftStorage(
        path=stanza.required("path", values.text, "", "the directory for the data of this node"),
        node_id=stanza.text("node_id"),
        performance_multiplier=stanza.integer(
            "performance_multiplier", minimum=0, maximum=PERFORMANCE_MULTIPLIER_MAX
        ),
        retry_join=tuple(map(_retry_join, stanza.stanzas("retry_join", labelled=False))),
    )
    stanza.finish(vault_keys.RAFT)
    return storage


def _retry_join(stanza: Stanza) -> RetryJoin:
    leader_api_addr = stanza.required("leader_api_addr", values.url, None, "where to ask")
    retry_join = RetryJoin(
        leader_api_addr=str(leader_api_addr),
        leader_ca_cert=stanza.text("leader_ca_cert"),
        leader_ca_cert_file=stanza.text("leader_ca_cert_file"),
        leader_client_cert_file=stanza.text("leader_client_cert_file"),
        leader_client_key_file=stanza.text("leader_client_key_file"),
        leader_tls_servername=stanza.text("leader_tls_servername"),
    )
    if retry_join.leader_ca_cert and retry_join.leader_ca_cert_file:
        stanza.error(
            "leader_ca_cert and leader_ca_cert_file exclude each other", "leader_ca_cert_file"
        )
    if bool(retry_join.leader_client_cert_file) != bool(retry_join.leader_client_key_file):
        stanza.error("leader_client_cert_file and leader_client_key_file need each other")
    stanza.finish(vault_keys.RETRY_JOIN)
    return retry_join


def _listeners(top: Stanza) -> tuple[Listener, ...]:
    listeners: list[Listener] = []
    for stanza in top.stanzas("listener", labelled=True):
        if stanza.label == "tcp":
            listeners.append(_listener(stanza))
        elif stanza.label == "unix":
            stanza.warn('listener "unix" is not available in Holdfast and ignored')
        else:
            stanza.error(f'listener "{stanza.label}" is unknown, only tcp is available')
    if not listeners:
        top.error('a listener is missing: write listener "tcp" { ... }')
    return tuple(listeners)


def _listener(stanza: Stanza) -> Listener:
    default = _DEFAULTS
    address = stanza.read("address", values.host_port, values.host_port(default.address))
    next_port = min(address.port + 1, PORT_MAX) if address.port else 0
    behind = HostPort(address.host, next_port)
    cluster_address = stanza.read("cluster_address", values.host_port, behind)
    if cluster_address == address and address.port:
        stanza.error("cluster_address must not be the same as address", "cluster_address")
    tls_disable = stanza.boolean("tls_disable", default=default.tls_disable)
    listener = Listener(
        address=str(address),
        cluster_address=str(cluster_address),
        tls_disable=tls_disable,
        tls_cert_file=_tls_file(stanza, "tls_cert_file", tls_disable=tls_disable),
        tls_key_file=_tls_file(stanza, "tls_key_file", tls_disable=tls_disable),
        tls_min_version=stanza.choice("tls_min_version", _TLS_VERSIONS, default.tls_min_version),
        client_certificates=_client_certificates(stanza, tls_disable=tls_disable),
        tls_client_ca_file=stanza.text("tls_client_ca_file"),
        http_idle_timeout_ns=stanza.duration_ns("http_idle_timeout", default.http_idle_timeout_ns),
        http_read_header_timeout_ns=stanza.duration_ns(
            "http_read_header_timeout", default.http_read_header_timeout_ns
        ),
        http_read_timeout_ns=stanza.duration_ns("http_read_timeout", default.http_read_timeout_ns),
        http_write_timeout_ns=stanza.duration_ns(
            "http_write_timeout", default.http_write_timeout_ns, minimum=0
        ),
        max_request_size=stanza.integer("max_request_size", minimum=1, maximum=MAX_REQUEST_SIZE_MAX)
        or default.max_request_size,
        max_request_duration_ns=stanza.duration_ns(
            "max_request_duration", default.max_request_duration_ns
        ),
        places={key: str(stanza.place_of(key)) for key in TLS_FILE_KEYS if stanza.is_set(key)},
    )
    stanza.finish(vault_keys.LISTENER)
    return listener


def _tls_file(stanza: Stanza, key: str, *, tls_disable: bool) -> str:
    if tls_disable:
        return stanza.text(key)
    meaning = "a file in PEM, unless tls_disable = true asks for plain HTTP"
    return stanza.required(key, values.text, "", meaning)


def _client_certificates(stanza: Stanza, *, tls_disable: bool) -> ClientCertificates:
    required = stanza.boolean("tls_require_and_verify_client_cert", default=False)
    ignored = stanza.boolean("tls_disable_client_certs", default=False)
    if required and (ignored or tls_disable):
        other = "tls_disable_client_certs" if ignored else "tls_disable"
        stanza.error(
            f"tls_require_and_verify_client_cert and {other} exclude each other",
            "tls_require_and_verify_client_cert",
        )
    elif required and not stanza.is_set("tls_client_ca_file"):
        stanza.error(
            "tls_require_and_verify_client_cert needs tls_client_ca_file",
            "tls_require_and_verify_client_cert",
        )
    elif stanza.is_set("tls_client_ca_file") and not required:
        stanza.warn(
            "tls_client_ca_file has no effect without tls_require_and_verify_client_cert",
            "tls_client_ca_file",
        )
    if required:
        return "required"
    return "ignored" if ignored else "requested"


def _addresses(
    top: Stanza, storage: RaftStorage | InmemStorage, listeners: Sequence[Listener]
) -> tuple[str, str]:
    """Return the URLs of this node; what is not set follows from the first listener."""
    api_addr = top.read("api_addr", values.url, None)
    cluster_addr = top.read("cluster_addr", values.peer_url, None)
    listener = listeners[0] if listeners else _DEFAULTS
    address = values.host_port(listener.address)
    has_peers = isinstance(storage, RaftStorage)
    if has_peers and not top.is_set("api_addr") and not _is_reachable(address):
        top.error(f"api_addr is missing: no other node can call {address}")
    if api_addr is None:
        host = _WILDCARD_HOSTS.get(address.host, address.host)
        api_addr = Url("http" if listener.tls_disable else "https", host, address.port)
    if cluster_addr is None:
        behind = values.host_port(listener.cluster_address)
        if has_peers and not top.is_set("cluster_addr") and not behind.port:
            top.error(f"cluster_addr is missing: no other node can call {behind}")
        cluster_addr = Url("https", api_addr.host, behind.port)
    return str(api_addr), str(cluster_addr)


def _is_reachable(address: HostPort) -> bool:
    return address.port != 0 and address.host not in _WILDCARD_HOSTS


def _disable_mlock(top: Stanza, storage: RaftStorage | InmemStorage) -> bool:
    if isinstance(storage, RaftStorage) and not top.is_set("disable_mlock"):
        top.warn(
            "disable_mlock is not set, so that secrets may be swapped out to disk: "
            "false locks the memory, true says that this is as it should be"
        )
    return top.boolean("disable_mlock", default=True)
