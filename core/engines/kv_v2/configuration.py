"""The settings of a mount: `config`.

Owns how clients see and change them.
"""

from typing import Any, Final

import msgspec

from core.engines.call import Call, Result
from core.engines.kv_v2 import fields
from core.engines.kv_v2.metadata import max_versions
from core.engines.kv_v2.record import load_configuration, save_configuration
from core.moment import NANOSECONDS_PER_SECOND
from core.vault.duration import format_duration

_FORBIDDEN_S: Final = -1
"""Any negative duration reads as this one."""


def read(call: Call) -> Result:
    """Return the settings."""
    configuration = load_configuration(call.storage)
    return Result(
        {
            "cas_required": configuration.cas_required,
            "delete_version_after": format_duration(
                configuration.delete_version_after_s * NANOSECONDS_PER_SECOND
            ),
            "max_versions": configuration.max_versions,
        }
    )


def write(call: Call) -> Result:
    """Change the settings that were sent; all others stay.

    A negative `delete_version_after` keeps secrets from having one, and 0 leaves it to them.
    """
    body = call.body
    changes: dict[str, Any] = {}
    if "max_versions" in body:
        changes["max_versions"] = max_versions(body["max_versions"])
    if "cas_required" in body:
        changes["cas_required"] = fields.boolean(body["cas_required"], "cas_required")
    if "delete_version_after" in body:
        after_s = fields.duration_s(body["delete_version_after"], "delete_version_after")
        changes["delete_version_after_s"] = max(after_s, _FORBIDDEN_S)
    if changes:
        before = load_configuration(call.storage)
        save_configuration(call.storage, msgspec.structs.replace(before, **changes))
    return Result()
