"""`server`: run a node."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import click
import trio

from core.wal.recovery import WalDamaged, WalForeign
from net.data_directory import DataDirectoryError
from net.driver import NodeHalted
from net.http.listener import CannotListenError
from net.tls import TlsError
from net.wal_files import StorageFailed
from server import dev, logs
from server import dev_cluster as cluster
from server.config.configuration import Configuration, LogLevel
from server.config.files import read_files
from server.config.report import ConfigurationError
from server.flags import LocalCommand, flag, option
from server.memory_lock import MemoryLockError, lock_memory
from server.process import OnReady, Process

DEV_ADDRESS: Final = "127.0.0.1:8200"

_CANNOT_START: Final = (
    CannotListenError,
    TlsError,
    DataDirectoryError,
    StorageFailed,
    WalDamaged,
    WalForeign,
    MemoryLockError,
)
_NODES: Final = click.IntRange(1, cluster.NODES_MAX)
_FORMATS: Final = click.Choice(["table", "json"])
_LEVELS: Final = click.Choice(["trace", "debug", "info", "warn", "error"])


@click.command("server", cls=LocalCommand)
@option("config", "A configuration file, or a directory of them", many=True)
@flag("dev", "Run a server for trying out: in memory, initialised, unsealed", into="dev_mode")
@option("dev-root-token-id", "The dev server's root token (VAULT_DEV_ROOT_TOKEN_ID)")
@option("dev-listen-address", "Where the dev server listens (VAULT_DEV_LISTEN_ADDRESS)")
@flag("dev-no-store-token", "Do not keep the dev server's root token in ~/.vault-token")
@option("dev-cluster", "Run so many durable nodes on this machine", kind=_NODES)
@option("dev-cluster-dir", "Where the dev cluster keeps its data and keys", default="")
@option(
    "dev-cluster-port",
    "Node i listens on this + 10 i; 0 is free ports",
    kind=int,
    default=cluster.PORT_DEFAULT,
)
@option("format", "How the dev cluster tells of itself", kind=_FORMATS, default="table")
@option("log-level", "What is logged", kind=_LEVELS)
def server(
    *,
    config: tuple[str, ...],
    dev_mode: bool,
    dev_root_token_id: str | None,
    dev_listen_address: str | None,
    dev_no_store_token: bool,
    dev_cluster: int | None,
    dev_cluster_dir: str,
    dev_cluster_port: int,
    format: str,  # noqa: A002 -- the flag's name
    log_level: LogLevel | None,
) -> None:
    """Run a node: from a configuration, or for trying out with -dev."""
    if [dev_mode, bool(config), dev_cluster is not None].count(True) != 1:
        raise click.UsageError("exactly one of -config, -dev and -dev-cluster is needed")
    if dev_cluster is not None:
        _run_cluster(dev_cluster, dev_cluster_dir, dev_cluster_port, format)
        return
    environ = os.environ
    if dev_mode:
        address = dev_listen_address or environ.get("VAULT_DEV_LISTEN_ADDRESS") or DEV_ADDRESS
        configuration = dev.configuration(address)
        announce = partial(
            dev.announce,
            root_token_id=dev_root_token_id or environ.get("VAULT_DEV_ROOT_TOKEN_ID") or "",
            store_token=not dev_no_store_token,
        )
        _run(configuration, announce, log_level or "warn")
    else:
        configuration = _read(config)
        _run(configuration, None, log_level or configuration.log_level)


def _read(paths: Sequence[str]) -> Configuration:
    try:
        configuration = read_files(paths, os.environ)
    except ConfigurationError as error:
        raise click.ClickException("\n".join(error.problems)) from None
    for warning in configuration.warnings:
        click.echo(warning, err=True)
    return configuration


def _run_cluster(count: int, directory: str, port: int, form: str) -> None:
    try:
        cluster.run(count, directory, port, form)
    except BaseExceptionGroup as group:
        ours, others = group.split(cluster.DevClusterError)
        if others is not None or ours is None:
            raise
        raise click.ClickException(_first(ours)) from None


def _run(configuration: Configuration, on_ready: OnReady | None, log_level: LogLevel) -> None:
    logs.configure(log_level, configuration.log_format)
    try:
        if not configuration.disable_mlock:
            lock_memory()
        process = Process(configuration)
    except _CANNOT_START as error:
        raise click.ClickException(str(error)) from None
    try:
        with _told_in(configuration.pid_file):
            trio.run(process.run, on_ready)
    except BaseExceptionGroup as group:
        ours, others = group.split((NodeHalted, dev.DevError))
        if others is not None or ours is None:
            raise
        raise click.ClickException(_first(ours)) from None


@contextmanager
def _told_in(pid_file: str) -> Iterator[None]:
    """Keep the number of this process in a file while it serves."""
    if not pid_file:
        yield
        return
    file = Path(pid_file)
    file.write_text(f"{os.getpid()}\n", encoding="ascii")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
