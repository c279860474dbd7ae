"""What is known of secrets: `metadata/`.

Owns the settings of a secret, the list of secrets and their removal. Must not know how records
look.
"""

from typing import Final

from core.engines.call import Call, RequestError, Result
from core.engines.kv_v2 import custom, fields
from core.engines.kv_v2.data import deletion_time
from core.engines.kv_v2.record import (
    VERSIONS_MAX,
    KeyMetadata,
    load_configuration,
    load_key,
    save_key,
)
from core.engines.listing import names
from core.moment import NANOSECONDS_PER_SECOND
from core.vault.duration import format_duration
from core.vault.rfc3339 import format_ns

_SETTINGS: Final = ("max_versions", "cas_required", "delete_version_after", custom.FIELD)

CAS_MANDATED: Final = (
    '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'
)


def read(call: Call, name: str) -> Result:
    """Return the settings of a secret and the metadata of each version."""
    key = load_key(call.storage, name)
    if key is None:
        raise RequestError(404)
    return Result(
        {
            "cas_required": key.cas_required,
            "created_time": format_ns(key.created_ns),
            "current_version": key.current,
            "custom_metadata": key.custom,
            "delete_version_after": format_duration(
                key.delete_version_after_s * NANOSECONDS_PER_SECOND
            ),
            "max_versions": key.max_versions,
            "oldest_version": key.oldest,
            "updated_time": format_ns(key.updated_ns),
            "versions": {
                str(number): {
                    "created_time": format_ns(version.created_ns),
                    "deletion_time": deletion_time(version),
                    "destroyed": version.destroyed,
                }
                for number, version in key.versions().items()
            },
        }
    )


def list_names(call: Call, name: str) -> Result:
    """Return the names of the secrets and folders in a folder."""
    found = names(call.storage, name, call.parameters)
    if not found:
        raise RequestError(404)
    return Result({"keys": found})


def write(call: Call, name: str) -> Result:
    """Change settings of a secret, which need not have a version yet."""
    if not any(setting in call.body for setting in _SETTINGS):
        return Result()
    key = load_key(call.storage, name)
    if key is None:
        key = KeyMetadata(call.wall_ns, call.wall_ns)
    if custom.FIELD in call.body:
        key.custom = custom.replaced(call)
    return _change(call, name, key)


def patch(call: Call, name: str) -> Result:
    """Change settings of a secret that is there; what users noted is merged (RFC 7396)."""
    key = load_key(call.storage, name)
    if key is None:
        raise RequestError(404)
    if custom.FIELD in call.body:
        key.custom = custom.merged(call, key.custom)
    return _change(call, name, key)


def _change(call: Call, name: str, key: KeyMetadata) -> Result:
    """Take over all settings but for what users noted, and keep the metadata."""
    body = call.body
    warnings: tuple[str, ...] = ()
    if "max_versions" in body:
        key.max_versions = max_versions(body["max_versions"])
    if "cas_required" in body:
        key.cas_required = fields.boolean(body["cas_required"], "cas_required")
        if not key.cas_required and load_configuration(call.storage).cas_required:
            warnings = (CAS_MANDATED,)
    if "delete_version_after" in body:
        after_s = fields.duration_s(body["delete_version_after"], "delete_version_after")
        if after_s < 0:
            raise RequestError(400, "delete_version_after must not be negative")
        key.delete_version_after_s = after_s
    save_key(call.storage, name, key)
    return Result(warnings=warnings)


def max_versions(value: object) -> int:
    """Return how many versions are to be kept.

    Raises:
        RequestError: 400, it is no number from 0 to `VERSIONS_MAX`.
    """
    count = fields.integer(value, "max_versions")
    if not 0 <= count <= VERSIONS_MAX:
        raise RequestError(400, f"max_versions must be between 0 and {VERSIONS_MAX}")
    return count


def delete(call: Call, name: str) -> Result:
    """Remove a secret with all its versions."""
    key = load_key(call.storage, name)
    if key is None:
        return Result()
    for number, version in key.versions().items():
        if not version.destroyed:
            call.storage.delete(name, number)
    call.storage.delete(name)
    return Result()
