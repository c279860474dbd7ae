"""One node as a process: from a configuration to listeners that answer, and to an orderly end.

Owns the order of start and stop and what signals mean. Must not know where a configuration comes
from, nor what is asked of the node.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio

from core.node.info import NodeInfo
from core.node.member import Node
from core.settings import RequestSettings, Settings, raft_settings
from core.wal.recovery import WalDamaged, WalForeign
from net import system
from net.data_directory import DataDirectory, DataDirectoryError
from net.driver import Driver, NodeHalted
from net.files import FileStorage
from net.http.listener import CannotListenError, Listener
from net.lmdb_base import BaseDamaged, BaseUnusable
from net.memory import MemoryStorage
from net.peers import Peers
from net.storage import Storage
from net.tls import ServerTls, TlsError
from net.wal_files import StorageFailed
from server import joining, logs
from server.cannot_run import CannotRunError
from server.config import configuration as config
from server.config.configuration import Configuration, LogLevel
from server.listeners import listen, server_tls
from server.memory_lock import MemoryLockError, lock_memory

DRAIN_S: Final = 10.0
"""How long requests under way may take once the process is to end."""
_INMEM: Final = "inmem"
_CANNOT_START: Final = (
    CannotListenError,
    TlsError,
    DataDirectoryError,
    StorageFailed,
    WalDamaged,
    WalForeign,
    BaseDamaged,
    BaseUnusable,
    MemoryLockError,
)

_RELOADS: Final = frozenset({signal.SIGHUP})

_log = structlog.get_logger("holdfast.server")

OnReady = Callable[["Process"], Awaitable[None]]


def run(configuration: Configuration, log_level: LogLevel, on_ready: OnReady | None = None) -> None:
    """Run a node in this process until a signal says to stop.

    Args:
        configuration: what it starts from; its `log_level` does not count.
        log_level: what is logged.
        on_ready: called once it listens.

    Raises:
        CannotRunError: it can't start, or had to stop.
    """
    logs.configure(log_level, configuration.log_format)
    try:
        with _reloads_held():
            process = _open(configuration)
            with _told_in(configuration.pid_file):
                trio.run(process.run, on_ready)
    except BaseExceptionGroup as group:
        ours, others = group.split((NodeHalted, CannotRunError))
        if others is not None or ours is None:
            raise
        raise CannotRunError(_first(ours)) from None


class Process:
    """One running node.

    Attributes:
        driver: runs it.
        listeners: where clients reach it.
    """

    def __init__(self, configuration: Configuration) -> None:
        """Open the storage and listen.

        Raises:
            DataDirectoryError: the data directory can't be used.
            StorageFailed: the log can't be read or written.
            WalDamaged: the log is damaged.
            WalForeign: the log belongs to another node.
            BaseDamaged: a record that is needed at once can't be read.
            BaseUnusable: the base can't be used for another reason.
            CannotListenError: an address is in use or not ours.
            TlsError: a certificate can't be used.
        """
        self._files: FileStorage | None = None
        self._directory: DataDirectory | None = None
        self._peers: Peers | None = None
        self._configuration = configuration
        self.driver = self._open(configuration)
        self._tls: list[ServerTls] = []
        try:
            self.listeners = [self._listen(each) for each in configuration.listeners]
        except BaseException:
            # The next start would have to look at the whole of a base that was not closed.
            self.driver.close()
            raise

    def _listen(self, settings: config.Listener) -> Listener:
        tls = server_tls(settings)
        if tls is not None:
            self._tls.append(tls)
        return listen(settings, self.driver, tls)

    async def run(self, on_ready: OnReady | None = None) -> None:
        """Serve until a signal says to stop."""
        if self._files is not None:
            self._files.start(self.driver.fail)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.driver.run)
            if self._peers is not None:
                node = self.driver.node.info.node
                nursery.start_soon(self._peers.run, node, self.driver.post)
                nursery.start_soon(joining.join, self.driver, self._configuration.storage)
            for listener, settings in zip(
                self.listeners, self._configuration.listeners, strict=True
            ):
                nursery.start_soon(listener.serve)
                place = f"{listener.host}:{listener.port}"
                _log.info("listening", address=place, tls=not settings.tls_disable)
            nursery.start_soon(self._heed_signals, nursery.cancel_scope)
            if on_ready is not None:
                await on_ready(self)
        self.driver.close()
        if self._directory is not None:
            self._directory.close()

    async def _heed_signals(self, everything: trio.CancelScope) -> None:
        heeded = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with trio.open_signal_receiver(*heeded) as signals:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _RELOADS)
            async for number in signals:
                if number != signal.SIGHUP:
                    break
                self._reload()
                self._tell_counts()
            self._tell_counts()
            _log.info("stopping")
            for listener in self.listeners:
                listener.retire()
            await self.driver.stop(DRAIN_S)
            async with trio.open_nursery() as nursery:
                for listener in self.listeners:
                    nursery.start_soon(listener.drain, DRAIN_S)
            everything.cancel()

    def _reload(self) -> None:
        """Take up new certificates and let go of audit files that were renamed."""
        self.driver.audit_files.reopen()
        _log.info("audit files are opened anew")
        for tls in self._tls:
            try:
                tls.reload()
            except TlsError as error:
                _log.error("a certificate is not taken up", reason=str(error))
            else:
                _log.info("a certificate was taken up")

    def _tell_counts(self) -> None:
        """Log what was counted since the start, for whoever wonders where clients or peers are."""
        for listener in self.listeners:
            place = f"{listener.host}:{listener.port}"
            counts = msgspec.structs.asdict(listener.statistics)
            _log.info("counts of a listener", address=place, **counts)
        if self._peers is not None:
            peers = self._peers
            _log.info(
                "counts of the peer transport",
                dropped=peers.dropped,
                malformed=peers.malformed,
                refused=peers.refused,
            )

    def _open(self, configuration: Configuration) -> Driver:
        settings = _settings(configuration)
        longest_ns = max(each.max_request_duration_ns for each in configuration.listeners)
        if isinstance(configuration.storage, config.InmemStorage):
            info = _info(configuration, _INMEM, _INMEM, removed=False)
            return _drive(info, settings, MemoryStorage(), None, longest_ns)
        self._directory = directory = DataDirectory(Path(configuration.storage.path))
        self._peers = peers = Peers(configuration.listeners[0].cluster_address, directory.path)
        self._files = files = FileStorage(directory)
        own_id = directory.identity.node
        removed = peers.was_removed(own_id)
        info = _info(configuration, own_id, configuration.storage.node_id, removed=removed)
        return _drive(info, settings, files, peers, longest_ns)


def _open(configuration: Configuration) -> Process:
    try:
        if not configuration.disable_mlock:
            lock_memory()
        return Process(configuration)
    except _CANNOT_START as error:
        raise CannotRunError(str(error)) from None


@contextmanager
def _reloads_held() -> Iterator[None]:
    """Let a signal to reload wait until it is heeded: by itself it would end a node that starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _RELOADS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _told_in(pid_file: str) -> Iterator[None]:
    """Keep the number of this process in a file while it serves."""
    if not pid_file:
        yield
        return
    file = Path(pid_file)
    try:
        file.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        raise CannotRunError(f"{file}: {error.strerror}") from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


def _settings(configuration: Configuration) -> Settings:
    storage = configuration.storage
    multiplier = storage.performance_multiplier if isinstance(storage, config.RaftStorage) else None
    return Settings(
        raft=raft_settings(multiplier),
        requests=RequestSettings(
            default_lease_ttl_s=configuration.default_lease_ttl_s,
            max_lease_ttl_s=configuration.max_lease_ttl_s,
        ),
    )


def _info(configuration: Configuration, node: str, name: str, *, removed: bool) -> NodeInfo:
    return NodeInfo(
        node=node,
        name=name or node,
        cluster_address=configuration.cluster_addr.removeprefix("https://"),
        api_address=configuration.api_addr,
        cluster_name=configuration.cluster_name,
        storage_type="inmem" if node == _INMEM else "raft",
        removed=removed,
    )


def _drive(
    info: NodeInfo,
    settings: Settings,
    storage: Storage,
    peers: Peers | None,
    patience_ns: int,
) -> Driver:
    recovered = storage.recover(settings.store.segment_bytes)
    node = Node(info, settings, system.SystemEntropy(), storage.base, recovered, system.now())
    return Driver(node, storage, peers, patience_ns)
