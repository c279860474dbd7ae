"""The seal of one node and its way into a cluster.

Owns whether the node can open what it stores, the shares it has been given, the beginning of a
new cluster and the joining of an existing one. Must not know how requests are served once the node
is open: it hands over a `Vault`.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from core.barrier import seal
from core.barrier.barrier import Barrier
from core.barrier.envelope import WrongKey
from core.effects import Answer, Effect, IssueIdentity, Report
from core.engines.call import UNSUPPORTED_OPERATION, RequestError
from core.entropy import Entropy
from core.moment import Now
from core.node import initialising, status
from core.node.admission import Admission
from core.node.info import NodeInfo
from core.raft import membership
from core.raft.configuration import Member
from core.raft.entry import KIND_WRITES
from core.raft.state import Raft
from core.request import Request, Response
from core.settings import Settings
from core.store import write_set
from core.store.store import Store
from core.store.transaction import Snapshot
from core.vault import answers, bodies, joining
from core.vault.audit_devices import AuditDevices
from core.vault.envelope import encode, failure, refuse
from core.vault.mounts import Mounts
from core.vault.policies import Policies
from core.vault.services import Services
from core.vault.tokens import Tokens
from core.vault.vault import Vault

JOIN_PATH: Final = "sys/storage/raft/join"


class _Asked(msgspec.Struct):
    """A request that a node answers by itself, and the turn in which it does.

    Attributes:
        handle: names its answer.
        request: what is asked.
        now: the time of the turn.
        effects: where those of the turn gather.
    """

    handle: int
    request: Request
    now: Now
    effects: list[Effect]


class Initialising:
    """An initialisation under way."""

    __slots__ = ("beginning", "config", "handle", "index")

    def __init__(self, handle: int, config: seal.SealConfig) -> None:
        self.handle = handle
        self.config = config
        self.beginning: initialising.Beginning | None = None
        self.index = 0


class Custody:
    """The seal of one node.

    Attributes:
        condition: how it stands, for anybody who asks.
        vault: what the node has been opened to; None while it is sealed.
        admission: its way into a cluster.
        beginning: the cluster that is being begun here, if one is.
    """

    __slots__ = (
        "_entropy",
        "_followed",
        "_info",
        "_keyring_watch",
        "_progress",
        "_raft",
        "_root_key",
        "_seal_watch",
        "_settings",
        "_store",
        "_unseal_key",
        "admission",
        "beginning",
        "condition",
        "vault",
    )

    def __init__(
        self, info: NodeInfo, raft: Raft, store: Store, settings: Settings, entropy: Entropy
    ) -> None:
        self._info = info
        self._raft = raft
        self._store = store
        self._settings = settings
        self._entropy = entropy
        self._progress: seal.UnsealProgress | None = None
        self._unseal_key = b""
        self._root_key = b""
        self.beginning: Initialising | None = None
        self.admission = Admission(info, entropy)
        self.condition = status.Condition(removed=info.removed)
        self.vault: Vault | None = None
        self._watch_keys()
        self._followed = (-1, -1)
        self.follow_keys()

    # -- paths of the node itself -----------------------------------------------------------

    def answers(self, path: str) -> bool:
        """Tell whether this is a path that a node answers by itself."""
        return path in self._PATHS

    def answer(self, handle: int, request: Request, now: Now, effects: list[Effect]) -> None:
        """Answer a request for such a path, at once or when what it asks for is done."""
        handler = self._PATHS[request.path].get(request.operation)
        try:
            response = (
                failure(405, UNSUPPORTED_OPERATION)
                if handler is None
                else handler(self, _Asked(handle, request, now, effects))
            )
        except RequestError as error:
            response = refuse(error)
        if response is not None:
            effects.append(Answer(handle, response))

    def _read_init(self, _asked: _Asked) -> Response:
        return _bare({"initialized": self.condition.config is not None})

    def _seal_status(self, _asked: _Asked) -> Response:
        return self._status()

    def _status(self) -> Response:
        awaited = self.admission.config
        return _bare(status.seal_status(self.condition, self._info, awaited))

    def _health(self, asked: _Asked) -> Response:
        return status.health(asked.request, self.condition, self._info, self._raft, asked.now)

    def _leader(self, _asked: _Asked) -> Response:
        return status.leader(self.condition, self._info, self._raft, self._store)

    # -- initialising -----------------------------------------------------------------------

    def _init(self, asked: _Asked) -> None:
        if self.condition.config is not None or self.admission.under_way or self._has_cluster():
            raise RequestError(400, "Vault is already initialized")
        if self.beginning is not None:
            raise RequestError(400, "initialization is already under way")
        config = initialising.seal_config(bodies.decode(asked.request.body))
        self.beginning = Initialising(asked.handle, config)
        member = Member(self._info.name, self._info.cluster_address, self._info.api_address)
        membership.bootstrap(self._raft, member, asked.now.monotonic_ns)

    def _has_cluster(self) -> bool:
        """Tell whether this node belongs to a cluster, though it may have lost its state."""
        others = [node for node in self._raft.configuration.members if node != self._raft.node]
        return bool(others) or self._raft.snapshot_floor > 0

    def proceed(self, now: Now, effects: list[Effect]) -> None:
        """Go on with an initialisation: once this node leads, store what a cluster begins with."""
        beginning = self.beginning
        leadership = self._raft.leadership
        if beginning is None or leadership is None:
            return
        applied_index = self._store.applied_index
        if beginning.beginning is None:
            if applied_index < leadership.first_index:
                return
            membership.propose(self._raft, self._raft.configuration)
            made = initialising.begin(
                beginning.config,
                self._info,
                self._store,
                self._settings.requests,
                self._entropy,
                self._raft.wall(now.wall_ns),
            )
            beginning.beginning = made
            beginning.index = self._raft.append(KIND_WRITES, write_set.encode(made.writes))
        elif applied_index >= beginning.index:
            made = beginning.beginning
            self.beginning = None
            effects.append(IssueIdentity(made.certificate, made.key, made.authority, made.cluster))
            effects.append(Answer(beginning.handle, made.response))
            # Whoever holds the shares has to open it first, as after any start.
            self._raft.set_electable(now.monotonic_ns, electable=False)

    # -- unsealing --------------------------------------------------------------------------

    def _unseal(self, asked: _Asked) -> Response:
        if self.condition.removed:
            return answers.REMOVED
        body = bodies.decode(asked.request.body)
        config = self.condition.config or self.admission.config
        if config is None:
            raise RequestError(400, "server is not yet initialized")
        if not self.condition.sealed:
            return self._status()
        progress = self._progress
        if progress is None or progress.config != config:
            progress = self._progress = seal.UnsealProgress(config, self._entropy)
        try:
            unseal_key = None
            if body.get("reset") is True:
                progress.reset()
            else:
                unseal_key = progress.submit(_share(body))
            if unseal_key is not None:
                self._use(unseal_key, asked.now, asked.effects)
        except (seal.InvalidShare, WrongKey) as error:
            raise RequestError(400, f"unseal failed: {error}") from None
        finally:
            self.condition.progress = progress.progress
            self.condition.nonce = progress.nonce
        return self._status()

    def _use(self, unseal_key: bytes, now: Now, effects: list[Effect]) -> None:
        if self._stored(joining.ROOT_KEY_KEY) is not None:
            self._open(unseal_key, now, effects)
        else:
            self.admission.prove(unseal_key, effects)
            self._unseal_key = unseal_key

    def _open(self, unseal_key: bytes, now: Now, effects: list[Effect]) -> None:
        sealed_root_key = self._stored(joining.ROOT_KEY_KEY)
        sealed_keyrings = self._stored(joining.KEYRING_KEY)
        if sealed_root_key is None or sealed_keyrings is None:
            return
        root_key = seal.open_root_key(unseal_key, sealed_root_key)
        self._watch_keys()
        barrier = Barrier(seal.open_keyrings(root_key, sealed_keyrings), self._entropy)
        settings = self._settings.requests
        services = Services(
            barrier,
            self._entropy,
            settings,
            Tokens(barrier, self._entropy, settings),
            Policies(barrier, self._store),
            Mounts(barrier, self._store, self._entropy),
            AuditDevices(barrier, self._store),
            self._raft,
            root_key,
        )
        self._root_key = root_key
        self._unseal_key = b""
        self.vault = Vault(services, self._store)
        condition = self.condition
        condition.sealed = False
        condition.progress = 0
        condition.nonce = ""
        self._name_cluster(self.vault)
        self._progress = None
        self._raft.set_electable(now.monotonic_ns, electable=True)
        effects.append(Report("unsealed", {"cluster": condition.cluster}))

    def _stored(self, key: bytes) -> bytes | None:
        """Return a record of the seal, from the end of the log if it is not applied yet.

        After a restart of all members nothing may be applied that the bases did not hold, and
        nobody leads before somebody is unsealed: so what opens a node must be found without that.
        """
        value = self._store.get(key)
        if value is not None:
            return value
        log = self._raft.log
        first = max(self._store.applied_index, log.start_index) + 1
        for entry in reversed(log.between(first, log.last_index)):
            if entry.kind == KIND_WRITES:
                for written, found in write_set.decode(entry.data):
                    if written == key and found is not None:
                        return found
        return None

    def _name_cluster(self, vault: Vault) -> None:
        storage = joining.authority_storage(vault.services, Snapshot(self._store))
        authority = joining.load_authority(storage)
        if authority is not None:
            self.condition.cluster = authority.cluster
            self.condition.cluster_name = authority.cluster_name

    def close(self, now: Now, effects: list[Effect]) -> None:
        """Seal the node: forget every key."""
        self.vault = None
        self._root_key = b""
        self._unseal_key = b""
        self._watch_keys()
        condition = self.condition
        condition.sealed = True
        condition.cluster = condition.cluster_name = ""
        self._raft.set_electable(now.monotonic_ns, electable=False)
        effects.append(Report("sealed", {}))

    # -- following what is applied ----------------------------------------------------------

    def _watch_keys(self) -> None:
        self._store.unwatch()
        self._seal_watch = self._store.watch(joining.SEAL_CONFIG_KEY)
        self._keyring_watch = self._store.watch(joining.KEYRING_KEY)
        self._followed = (0, 0)

    def follow_keys(self) -> None:
        """Take up seal and keyrings as the store has them now, if they have changed."""
        versions = (self._seal_watch.version, self._keyring_watch.version)
        if versions == self._followed:
            return
        self._followed = versions
        config = self._stored(joining.SEAL_CONFIG_KEY)
        self.condition.config = None if config is None else seal.SealConfig.decode(config)
        vault = self.vault
        sealed_keyrings = self._store.get(joining.KEYRING_KEY)
        if vault is not None and sealed_keyrings is not None:
            vault.services.barrier.replace_keyrings(
                seal.open_keyrings(self._root_key, sealed_keyrings)
            )
            self._name_cluster(vault)

    def open_if_possible(self, now: Now, effects: list[Effect]) -> None:
        """Open a node that joined: it was given the shares before it had anything to open."""
        if self._unseal_key and self.vault is None and not self.condition.removed:
            try:
                self._open(self._unseal_key, now, effects)
            except WrongKey:
                self._unseal_key = b""
                report = Report("the unseal key does not open this cluster", {}, "warning")
                effects.append(report)

    # -- joining ----------------------------------------------------------------------------

    def _join(self, asked: _Asked) -> Response | None:
        if self.condition.removed:
            return answers.REMOVED
        if self.condition.config is not None or self.beginning is not None:
            raise RequestError(400, "this node belongs to a cluster already")
        self.admission.ask(asked.handle, bodies.decode(asked.request.body), asked.effects)
        return None

    _PATHS: ClassVar[dict[str, dict[str, Callable[[Any, _Asked], Response | None]]]] = {
        "sys/init": {"read": _read_init, "update": _init},
        "sys/seal-status": {"read": _seal_status},
        "sys/unseal": {"update": _unseal},
        "sys/health": {"read": _health},
        "sys/leader": {"read": _leader},
        JOIN_PATH: {"update": _join},
    }
    """The paths that need no token and that each node answers by itself."""


def _share(body: dict[str, Any]) -> bytes:
    key = body.get("key")
    if not isinstance(key, str) or not key:
        raise RequestError(
            400, "'key' must be specified in request body as JSON, or 'reset' set to true"
        )
    try:
        return bytes.fromhex(key)
    except ValueError:
        pass
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(400, "'key' must be a valid hex or base64 string") from None


def _bare(body: dict[str, Any]) -> Response:
    return Response(200, encode(body) + b"\n")
