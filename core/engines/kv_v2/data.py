"""The content of secrets: `data/` and `subkeys/`.

Owns reading, writing, patching and the soft deletion of the latest version. Must not know how
records look.
"""

from typing import Any

import msgspec

from core.engines.call import Call, RequestError, Result
from core.engines.kv_v2 import fields
from core.engines.kv_v2.json_tree import merge_patch, skeleton
from core.engines.kv_v2.record import (
    NEVER,
    VERSION_NUMBER_MAX,
    Configuration,
    KeyMetadata,
    VersionMetadata,
    deletion_ns,
    kept_max,
    load_configuration,
    load_content,
    load_key,
    save_key,
)
from core.vault.rfc3339 import format_ns


def read(call: Call, name: str) -> Result:
    """Return a version with its metadata; of one that is not live, with 404, only the metadata."""
    described, content = _open(call, name)
    if content is None:
        return Result({"data": None, "metadata": described}, status=404)
    return Result({"data": msgspec.Raw(content), "metadata": described})


def read_subkeys(call: Call, name: str) -> Result:
    """Return a version with null for all its values; of one that is not live as `read` does."""
    depth = fields.integer(call.parameters.get("depth"), "depth")
    described, content = _open(call, name)
    if content is None:
        return Result({"subkeys": None, "metadata": described}, status=404)
    return Result({"subkeys": skeleton(content, depth), "metadata": described})


def _open(call: Call, name: str) -> tuple[dict[str, Any], bytes | None]:
    """Return the description of the version that is asked for, and its content if it is live."""
    key = load_key(call.storage, name)
    if key is None:
        raise RequestError(404)
    number = key.current
    if call.parameters:
        asked = fields.integer(call.parameters.get("version"), "version")
        if asked > 0:
            number = asked
    version = key.version(number)
    if version is None:
        raise RequestError(404)
    described = describe(key, number, version)
    if version.is_live(call.wall_ns):
        return described, load_content(call.storage, name, number)
    return described, None


def describe(key: KeyMetadata, number: int, version: VersionMetadata) -> dict[str, Any]:
    """Return the metadata of a version as clients see it."""
    return {
        "created_time": format_ns(version.created_ns),
        "custom_metadata": key.custom,
        "deletion_time": deletion_time(version),
        "destroyed": version.destroyed,
        "version": number,
    }


def deletion_time(version: VersionMetadata) -> str:
    """Return from when on a version counts as deleted, or an empty text."""
    return "" if version.deletion_ns == NEVER else format_ns(version.deletion_ns)


def write(call: Call, name: str) -> Result:
    """Add a version; the secret comes to be with its first."""
    content = _submitted(call)
    configuration = load_configuration(call.storage)
    key = load_key(call.storage, name)
    if key is None:
        key = KeyMetadata(call.wall_ns, call.wall_ns)
    _check_and_set(call, configuration, key)
    return _add(call, name, configuration, key, content)


def patch(call: Call, name: str) -> Result:
    """Add a version made of the latest, which must be live, and a merge patch (RFC 7396)."""
    changes = _submitted(call)
    key = load_key(call.storage, name)
    if key is None:
        raise RequestError(404)
    configuration = load_configuration(call.storage)
    _check_and_set(call, configuration, key)
    latest = key.version(key.current)
    if latest is None:
        raise RequestError(404)
    if not latest.is_live(call.wall_ns):
        return Result(describe(key, key.current, latest), status=404)
    content = merge_patch(load_content(call.storage, name, key.current), changes)
    return _add(call, name, configuration, key, content)


def _submitted(call: Call) -> bytes:
    """Return the JSON text of the object that was sent as `data`."""
    data = call.body.get("data")
    if data is None:
        raise RequestError(400, "no data provided")
    fields.mapping(data, "data")
    return bytes(call.raw["data"])


def _check_and_set(call: Call, configuration: Configuration, key: KeyMetadata) -> None:
    """Refuse a write that names another version than the latest, or none where it has to."""
    options = fields.mapping(call.body.get("options"), "options")
    if "cas" in options:
        try:
            expected = fields.integer(options["cas"], "cas")
        except RequestError:
            raise RequestError(400, "error parsing check-and-set parameter") from None
        if expected != key.current:
            raise RequestError(400, "check-and-set parameter did not match the current version")
    elif configuration.cas_required or key.cas_required:
        raise RequestError(400, "check-and-set parameter required for this call")


def _add(
    call: Call, name: str, configuration: Configuration, key: KeyMetadata, content: bytes
) -> Result:
    """Add a version, drop those that are no longer kept, and return the new one's metadata."""
    if key.current == VERSION_NUMBER_MAX:
        raise RequestError(400, "the secret has no version numbers left; delete its metadata")
    storage, wall_ns = call.storage, call.wall_ns
    ends_ns = deletion_ns(configuration, key, wall_ns)
    dropped = key.add_version(wall_ns, ends_ns, kept_max(configuration, key))
    storage.put(name, content, key.current)
    save_key(storage, name, key)
    for number in dropped:
        storage.delete(name, number)
    return Result(describe(key, key.current, VersionMetadata(wall_ns, ends_ns, destroyed=False)))


def delete_latest(call: Call, name: str) -> Result:
    """Let the latest version count as deleted, if it does not yet."""
    key = load_key(call.storage, name)
    if key is not None and key.delete(key.current, call.wall_ns):
        save_key(call.storage, name, key)
    return Result()
