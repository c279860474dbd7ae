"""`sys/audit` and `sys/audit-hash`: enable, list and disable audit devices, and search in them."""

from typing import Any, Final

from core.engines.call import RequestError
from core.vault import fields
from core.vault.audit_devices import DEVICE_PATTERN, SALT_BYTES, DeviceRecord, requested
from core.vault.context import Context
from core.vault.reply import Reply
from core.vault.routes import Route


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
