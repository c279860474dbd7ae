"""From a request to an outcome.

Owns the order of the steps: route, token, use count, policy, handler, envelope. Must not know
consensus, disks or transports; must not know any single path either, those are in the routes.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from core.engines.call import UNSUPPORTED_OPERATION, Call, RequestError, Result, collected
from core.entropy import uuid
from core.request import Request, Response
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction
from core.vault import audit_record, bodies, envelope, joining, system, token_paths
from core.vault.audit_devices import AuditDevice
from core.vault.audit_file import AuditFile
from core.vault.context import Context
from core.vault.headers import refuse_unsupported
from core.vault.mounts import SYSTEM_PATH, TOKENS_PATH, Mount, engine_of
from core.vault.outcome import Exchange, Outcome
from core.vault.plan import Plan
from core.vault.reply import Reply
from core.vault.root_protected import needs_sudo
from core.vault.routes import Routes
from core.vault.services import Services
from core.vault.system import audit, keys
from core.vault.token_entry import TokenEntry

AuditLines = dict[AuditFile, bytes]

_ROUTES: Final = Routes((*system.ROUTES, *token_paths.ROUTES, *joining.ROUTES))
_WITH_BODY: Final = frozenset({"update", "patch"})
_DENIED: Final = collected("permission denied")
_UNSUPPORTED_PATH: Final = collected("unsupported path")


class Vault:
    """An unsealed node's understanding of requests.

    Attributes:
        services: what handlers work with.
    """

    __slots__ = ("_store", "services")

    def __init__(self, services: Services, store: Store) -> None:
        self.services = services
        self._store = store

    # -- understanding ----------------------------------------------------------------------

    def plan(self, request: Request, request_id: str = "") -> Plan:
        """Find out where a request goes; an unknown path goes nowhere and still gets an answer.

        `request_id` is drawn unless the request has one already.
        """
        request_id = request_id or uuid(self.services.entropy)
        path = request.path
        if path.startswith(("sys/", "auth/")):
            found = _ROUTES.find(path)
            if found is None:
                return Plan(writes=False, request_id=request_id)
            route, argument = found
            writes = request.operation in route.writes
            return Plan(writes, request_id, route, argument)
        place = self.services.mounts.find(self._store, path)
        if place is None:
            return Plan(writes=False, request_id=request_id)
        mount, below = place
        writes = engine_of(mount).may_write(request.operation, below)
        return Plan(writes, request_id, None, "", mount, below)

    # -- running ----------------------------------------------------------------------------

    def read(self, plan: Plan, request: Request, snapshot: Snapshot, wall_ns: int) -> Outcome:
        """Run a request that should only read.

        Raises:
            WouldWrite: it wants to write; the leader must run it.
        """
        exchange = self._exchange(plan, request)
        try:
            result = self._run(plan, request, snapshot, wall_ns, exchange, ())
        except RequestError as error:
            return _refused(exchange, error)
        return _succeeded(exchange, result)

    def write(
        self,
        plan: Plan,
        request: Request,
        transaction: Transaction,
        wall_ns: int,
        unwritable: tuple[str, ...] = (),
    ) -> Outcome:
        """Run a request on the leader; its writes are in the transaction.

        A refused request writes nothing, but the use of a use-limited token counts.
        """
        exchange = self._exchange(plan, request)
        try:
            self._check_mount(plan, request, transaction)
            result = self._run(plan, request, transaction, wall_ns, exchange, unwritable)
        except RequestError as error:
            transaction.rollback()
            return _refused(exchange, error)
        return _succeeded(exchange, result)

    def _check_mount(self, plan: Plan, request: Request, transaction: Transaction) -> None:
        """Refuse a write to a mount that is being disabled: nobody would remove it again."""
        mount = plan.mount
        if mount is not None and self.services.mounts.get(transaction, mount.path) is None:
            raise _no_handler(request)

    def refusal(self, plan: Plan, request: Request, response: Response, error: str) -> Outcome:
        """Return the outcome of a request that the node below could not run."""
        exchange = self._exchange(plan, request)
        exchange.error = error
        return Outcome(response, exchange)

    def _exchange(self, plan: Plan, request: Request) -> Exchange:
        mount = plan.mount
        if mount is None and plan.route is not None:
            builtin = self.services.mounts.builtin
            mount = builtin[SYSTEM_PATH if request.path.startswith(SYSTEM_PATH) else TOKENS_PATH]
        exchange = Exchange(request, plan.request_id)
        if mount is not None:
            exchange.mount_path = mount.path
            exchange.mount_type = mount.type
            exchange.mount_accessor = mount.accessor
        return exchange

    def _run(
        self,
        plan: Plan,
        request: Request,
        transaction: Transaction | Snapshot,
        wall_ns: int,
        exchange: Exchange,
        unwritable: tuple[str, ...],
    ) -> Result:
        exchange.body = body = _data(request)
        if request.path.endswith("/") and request.operation in _WITH_BODY:
            raise RequestError(400, "cannot write to a path ending in '/'")
        if plan.route is not None and plan.route.unauthenticated:
            context = Context(
                self.services, request, transaction, wall_ns, plan.argument, body, None, None
            )
            return _handler(plan, request)(context)
        token = self._authenticate(request, transaction, wall_ns, exchange)
        if token.uses_left:
            token = self.services.tokens.use(transaction, token)
            transaction.savepoint()
        call = None
        if plan.mount is not None:
            call = self._call(plan, plan.mount, request, transaction, wall_ns, body)
        self._authorise(plan, request, token, transaction, exchange, call)
        if plan.mount is not None and call is not None:
            return engine_of(plan.mount).handle(call)
        acl = self.services.policies.acl(transaction, token.policies)
        return _handler(plan, request)(
            Context(
                self.services,
                request,
                transaction,
                wall_ns,
                plan.argument,
                body,
                token,
                acl,
                unwritable,
            )
        )

    def _authenticate(
        self,
        request: Request,
        transaction: Transaction | Snapshot,
        wall_ns: int,
        exchange: Exchange,
    ) -> TokenEntry:
        tokens = self.services.tokens
        token = tokens.find(transaction, request.token) if request.token else None
        if token is None or not tokens.is_live(token, wall_ns):
            raise RequestError(403, "permission denied")
        exchange.token = token
        return token

    def _authorise(
        self,
        plan: Plan,
        request: Request,
        token: TokenEntry,
        transaction: Transaction | Snapshot,
        exchange: Exchange,
        call: Call | None,
    ) -> None:
        acl = self.services.policies.acl(transaction, token.policies)
        exists: bool | Callable[[], bool] = True
        if plan.mount is not None and call is not None:
            engine = engine_of(plan.mount)
            target = call
            exists = lambda: engine.exists(target)  # noqa: E731 -- asked only if it matters
        path = request.path
        if plan.route is not None and request.operation != "list":
            # The routes take a path with or without a slash at its end, so that a rule for one of
            # both spellings holds for the other as well.
            path = path.rstrip("/")
        verdict = acl.allows(
            request.operation,
            path,
            exchange.body or {},
            exists=exists,
            sudo_required=needs_sudo(path),
        )
        if not verdict.allowed:
            raise RequestError(403, _DENIED)
        exchange.allowed = True
        exchange.granting_policies = verdict.granting_policies

    def _call(
        self,
        plan: Plan,
        mount: Mount,
        request: Request,
        transaction: Transaction | Snapshot,
        wall_ns: int,
        body: dict[str, Any],
    ) -> Call:
        services = self.services
        settings = services.settings
        return Call(
            request.operation,
            plan.path,
            services.mounts.storage(mount, transaction),
            wall_ns,
            services.entropy,
            body,
            bodies.fields(request.body),
            request.parameters,
            mount.path,
            mount.options,
            mount.default_lease_ttl_s or settings.default_lease_ttl_s,
            mount.max_lease_ttl_s or settings.max_lease_ttl_s,
        )

    # -- auditing ---------------------------------------------------------------------------

    @property
    def audits(self) -> bool:
        """Whether any audit device is enabled."""
        return bool(self._devices())

    def is_recorded(self, plan: Plan) -> bool:
        """Tell whether `audit_request` has something to write before this request is run.

        Besides records there may be a file to try, which a new audit device is to write to.
        """
        route = plan.route
        return self.audits or (route is not None and route.pattern == audit.DEVICE_PATTERN)

    def is_audit_kept(self, unwritable: tuple[str, ...]) -> bool:
        """Tell whether a record is kept somewhere, or need not be, if these files failed."""
        devices = self._devices()
        return not devices or any(device.file.path not in unwritable for device in devices)

    def _devices(self) -> tuple[AuditDevice, ...]:
        return self.services.audit_devices.devices(self._store)

    def audit_read(self, outcome: Outcome, wall_ns: int) -> AuditLines:
        """Return both records of a request that only read."""
        lines: AuditLines = {}
        for device in self._devices():
            _add(lines, device, audit_record.both_lines(device, outcome.exchange, wall_ns))
        return lines

    def audit_request(
        self, plan: Plan, request: Request, transaction: Transaction, wall_ns: int
    ) -> AuditLines:
        """Return the record of a request that is about to be run."""
        exchange = self._exchange(plan, request)
        try:
            exchange.body = _data(request)
            if plan.route is None or not plan.route.unauthenticated:
                token = self._authenticate(request, transaction, wall_ns, exchange)
                call = None
                if plan.mount is not None:
                    call = self._call(
                        plan, plan.mount, request, transaction, wall_ns, exchange.body
                    )
                self._authorise(plan, request, token, transaction, exchange, call)
        except RequestError as error:
            exchange.error = "; ".join(error.messages)
        lines: AuditLines = {}
        for device in self._devices():
            _add(lines, device, audit_record.request_line(device, exchange, wall_ns))
        if not exchange.error:
            file = audit.candidate(plan, request, exchange.body)
            if file is not None:
                lines.setdefault(file, b"")
        return lines

    def audit_response(self, outcome: Outcome, wall_ns: int) -> AuditLines:
        """Return the record of an answer that is about to leave."""
        lines: AuditLines = {}
        for device in self._devices():
            _add(lines, device, audit_record.response_line(device, outcome.exchange, wall_ns))
        return lines

    # -- upkeep -----------------------------------------------------------------------------

    def sweep(self, transaction: Transaction, wall_ns: int) -> None:
        """Remove a bounded part of what is over, and rotate keys that were used for long."""
        services = self.services
        limit = services.settings.sweep_max
        services.tokens.sweep(transaction, wall_ns, limit)
        services.mounts.sweep(transaction, limit)
        keys.count_encryptions(services, transaction, wall_ns)


def _data(request: Request) -> dict[str, Any]:
    """Return what a request says: in its body if it writes, else in its query string, as in Vault.

    Raises:
        RequestError: 400, it says it in a way that is not understood, or asks too much.
    """
    refuse_unsupported(request.headers)
    return bodies.decode(request.body) if request.operation in _WITH_BODY else request.parameters


def _handler(plan: Plan, request: Request) -> Callable[[Context], Reply]:
    route = plan.route
    if route is None:
        raise _no_handler(request)
    handler = route.writes.get(request.operation) or route.reads.get(request.operation)
    if handler is None:
        raise RequestError(405, UNSUPPORTED_OPERATION)
    return handler


def _no_handler(request: Request) -> RequestError:
    if request.path.startswith((SYSTEM_PATH, TOKENS_PATH)):
        return RequestError(404, _UNSUPPORTED_PATH)
    return RequestError(404, f'no handler for route "{request.path}". route entry not found.')


def _succeeded(exchange: Exchange, result: Result) -> Outcome:
    exchange.result = result
    response = envelope.succeed(result, exchange.request_id, exchange.mount_type)
    action = result.action if isinstance(result, Reply) else None
    return Outcome(response, exchange, action)


def _refused(exchange: Exchange, error: RequestError) -> Outcome:
    exchange.error = "; ".join(error.messages) or "not found"
    return Outcome(envelope.refuse(error), exchange)


def _add(lines: AuditLines, device: AuditDevice, line: bytes) -> None:
    lines[device.file] = lines.get(device.file, b"") + line


def merge_lines(lines: Iterable[AuditLines]) -> AuditLines:
    """Return many records for many files as one text for each."""
    parts: dict[AuditFile, list[bytes]] = {}
    for each in lines:
        for file, line in each.items():
            parts.setdefault(file, []).append(line)
    return {file: b"".join(texts) for file, texts in parts.items()}
