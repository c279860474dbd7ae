"""`sys/mounts`: enable, show, tune and disable secrets engines.

Owns how clients spell a mount and what they are shown of one. Must not know how mounts are kept.
"""

from typing import Any, Final

import msgspec

from core.engines.call import RequestError
from core.settings import RequestSettings
from core.vault import fields
from core.vault.context import Context
from core.vault.fields import Body
from core.vault.mounts import (
    SYSTEM_PATH,
    TOKENS_PATH,
    UNAUTHENTICATED,
    Mount,
    engine_of,
    engine_options,
    tuned_options,
)
from core.vault.reply import Reply
from core.vault.routes import Route

_VISIBILITIES: Final = ("", "hidden", UNAUTHENTICATED)
_LEFT_TO_SYSTEM: Final = "system"
_SERVICE_BY_DEFAULT: Final = "default-service"
"""The type of tokens where nobody asks for another one."""

_UNSUPPORTED: Final = ("external_entropy_access", "plugin_name", "plugin_version")
_UNSUPPORTED_SETTINGS: Final = (
    "allowed_managed_keys",
    "allowed_response_headers",
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "delegated_auth_accessors",
    "force_no_cache",
    "identity_token_key",
    "passthrough_request_headers",
    "plugin_name",
    "plugin_version",
    "token_type",
    "trim_request_trailing_slashes",
    "user_lockout_config",
)
"""What Vault knows and Holdfast lacks: to take it and do nothing would mislead."""


# -- what is shown ----------------------------------------------------------------------------


def shown(mount: Mount) -> dict[str, Any]:
    """Return what clients are told of a mount; TTLs left to the system are 0."""
    config: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_ttl_s,
        "max_lease_ttl": mount.max_lease_ttl_s,
        "force_no_cache": False,
        "listing_visibility": mount.listing_visibility,
    }
    if mount.path == TOKENS_PATH:
        config["token_type"] = _SERVICE_BY_DEFAULT
    return {
        "type": mount.type,
        "description": mount.description,
        "accessor": mount.accessor,
        "uuid": mount.uuid,
        "local": mount.local,
        "seal_wrap": mount.seal_wrap,
        "external_entropy_access": False,
        "options": mount.options or None,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "config": config,
    }


def tuned(mount: Mount, settings: RequestSettings) -> dict[str, Any]:
    """Return the settings in force for a mount."""
    data: dict[str, Any] = {
        "default_lease_ttl": mount.default_lease_ttl_s or settings.default_lease_ttl_s,
        "max_lease_ttl": mount.max_lease_ttl_s or settings.max_lease_ttl_s,
        "force_no_cache": False,
        "description": mount.description,
        "options": mount.options or None,
    }
    if mount.listing_visibility:
        data["listing_visibility"] = mount.listing_visibility
    if mount.path == TOKENS_PATH:
        data["token_type"] = _SERVICE_BY_DEFAULT
    return data


def _path(context: Context) -> str:
    return context.argument + "/"


def _find(context: Context) -> Mount | None:
    mounts = context.services.mounts
    path = _path(context)
    return mounts.builtin[path] if path == SYSTEM_PATH else mounts.get(context.transaction, path)


def _list(context: Context) -> Reply:
    mounts = context.services.mounts
    known = (*mounts.list(context.transaction), mounts.builtin[SYSTEM_PATH])
    return Reply(data={mount.path: shown(mount) for mount in known}, repeated=True)


def _read(context: Context) -> Reply:
    mount = _find(context)
    if mount is None:
        raise RequestError(400, f"No secret engine mount at {_path(context)}")
    return Reply(data=shown(mount), repeated=True)


def _read_tuning(context: Context) -> Reply:
    mount = _find(context)
    if mount is None:
        raise RequestError(400, f'cannot fetch sysview for path "{_path(context)}"')
    return Reply(data=tuned(mount, context.services.settings), repeated=True)


# -- what is changed --------------------------------------------------------------------------


def _enable(context: Context) -> Reply:
    body = context.body
    kind = fields.text(body, "type")
    if not kind:
        raise RequestError(400, "backend type must be specified as a string")
    _refuse_unsupported(body, _UNSUPPORTED)
    config = fields.mapping(body, "config")
    _refuse_unsupported(config, _UNSUPPORTED_SETTINGS)
    default_s = _ttl_s(config, "default_lease_ttl")
    max_s = _ttl_s(config, "max_lease_ttl")
    if max_s and default_s > max_s:
        raise RequestError(400, "given default lease TTL greater than given max lease TTL")
    system_max_s = context.services.settings.max_lease_ttl_s
    if not max_s and default_s > system_max_s:
        raise RequestError(
            400, f"given default lease TTL greater than system max lease TTL of {system_max_s}"
        )
    context.services.mounts.enable(
        context.transaction,
        context.wall_ns,
        path=_path(context),
        options=engine_options(kind, fields.text_mapping(body, "options")),
        description=fields.text(body, "description"),
        default_lease_ttl_s=default_s,
        max_lease_ttl_s=max_s,
        local=fields.flag(body, "local"),
        seal_wrap=fields.flag(body, "seal_wrap"),
        listing_visibility=_visibility(config),
    )
    return Reply()


def _tune(context: Context) -> Reply:
    body = context.body
    path = _path(context)
    mount = context.services.mounts.get(context.transaction, path)
    if mount is None:
        raise RequestError(400, f'tune of path "{path}" failed: no mount entry found')
    _refuse_unsupported(body, _UNSUPPORTED_SETTINGS)
    changes: dict[str, Any] = {
        field: _ttl_s(body, name)
        for field, name in (
            ("default_lease_ttl_s", "default_lease_ttl"),
            ("max_lease_ttl_s", "max_lease_ttl"),
        )
        if fields.given(body, name)
    }
    if body.get("description") is not None:
        changes["description"] = fields.text(body, "description")
    if body.get("listing_visibility") is not None:
        changes["listing_visibility"] = _visibility(body)
    if fields.given(body, "options"):
        changes["options"] = tuned_options(mount.options, fields.text_mapping(body, "options"))
    after = msgspec.structs.replace(mount, **changes)
    _refuse_tuning(mount, after, context.services.settings)
    context.services.mounts.replace(context.transaction, after)
    return Reply()


def _refuse_tuning(before: Mount, after: Mount, settings: RequestSettings) -> None:
    max_s = after.max_lease_ttl_s or settings.max_lease_ttl_s
    if after.default_lease_ttl_s > max_s:
        raise RequestError(
            400,
            f"backend max lease TTL of {max_s} would be less than "
            f"backend default lease TTL of {after.default_lease_ttl_s}",
        )
    if engine_of(after) is not engine_of(before):
        raise RequestError(
            400,
            f"the version of the kv mount at {before.path} cannot be changed; "
            "enable another mount and copy what this one holds",
        )


def _disable(context: Context) -> Reply:
    context.services.mounts.disable(context.transaction, _path(context))
    return Reply()


def _ttl_s(body: Body, name: str) -> int:
    return 0 if body.get(name) == _LEFT_TO_SYSTEM else fields.duration_s(body, name)


def _visibility(body: Body) -> str:
    visibility = fields.text(body, "listing_visibility")
    if visibility not in _VISIBILITIES:
        raise RequestError(400, f"invalid listing_visibility: {visibility}")
    return visibility


def _refuse_unsupported(body: Body, names: tuple[str, ...]) -> None:
    for name in names:
        if body.get(name) not in (None, "", False, "false", [], {}):
            raise RequestError(400, f"{name} is not supported")


ROUTES: Final = (
    Route("sys/mounts", reads={"read": _list}),
    Route("sys/mounts/*", reads={"read": _read}, writes={"update": _enable, "delete": _disable}),
    Route("sys/mounts/*/tune", reads={"read": _read_tuning}, writes={"update": _tune}),
)
