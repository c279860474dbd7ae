"""`sys/audit` and `sys/audit-hash`: enable, list and disable audit devices, and search in them."""

from typing import Any, Final

from core.engines.call import RequestError
from core.request import Request
from core.vault import fields
from core.vault.audit_devices import SALT_BYTES, AuditDevice, DeviceRecord, requested
from core.vault.audit_file import AuditFile
from core.vault.context import Context
from core.vault.plan import Plan
from core.vault.reply import Reply
from core.vault.routes import Route

DEVICE_PATTERN: Final = "sys/audit/*"
"""The route by which devices are enabled."""


def candidate(plan: Plan, request: Request, body: dict[str, Any] | None) -> AuditFile | None:
    """Return the file that a request to enable a device names; None for any other request.

    The node tries to append nothing to it before it runs the request.
    """
    if (
        plan.route is None
        or plan.route.pattern != DEVICE_PATTERN
        or request.operation != "update"
        or body is None
    ):
        return None
    try:
        return AuditDevice(requested(plan.argument, body, bytes(SALT_BYTES))).file
    except RequestError:
        return None


def _shown(record: DeviceRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        "type": record.type,
        "description": record.description,
        "options": record.options,
        "local": record.local,
    }


def _list(context: Context) -> Reply:
    records = context.services.audit_devices.records(context.transaction)
    return Reply(data={record.path: _shown(record) for record in records}, repeated=True)


def _enable(context: Context) -> Reply:
    services = context.services
    salt = services.entropy.random_bytes(SALT_BYTES)
    record = requested(context.argument, context.body, salt)
    services.audit_devices.enable(context.transaction, record, context.unwritable)
    return Reply()


def _disable(context: Context) -> Reply:
    context.services.audit_devices.disable(context.transaction, context.argument + "/")
    return Reply()


def _hash(context: Context) -> Reply:
    text = fields.text(context.body, "input")
    if not text:
        raise RequestError(400, 'the "input" parameter is empty')
    path = context.argument + "/"
    device = context.services.audit_devices.get(context.transaction, path)
    if device is None:
        raise RequestError(400, f'unknown audit backend "{path}"')
    return Reply(data={"hash": device.hash(text)}, repeated=True)


ROUTES: Final = (
    Route("sys/audit", reads={"read": _list}),
    Route(DEVICE_PATTERN, writes={"update": _enable, "delete": _disable}),
    Route("sys/audit-hash/*", reads={"update": _hash}),
)
