"""`secrets`: enable, list, tune and disable secrets engines."""

from typing import Any

import click

from server.flags import Group, flag, option
from server.output import NOT_AVAILABLE, render_seconds, render_value, table
from server.session import Session, require, with_session


@click.group("secrets", cls=Group)
def secrets() -> None:
    """Enable, list, tune and disable secrets engines."""


@secrets.command("enable")
@click.argument("kind", metavar="TYPE")
@option("path", "Where to mount it, if not at its type's name.")
@option("version", "Version of the kv engine: 1 or 2.", kind=click.IntRange(1, 2))
@option("description", "Text for people.")
@option("default-lease-ttl", "TTL for what does not ask for one.")
@option("max-lease-ttl", "TTL that nothing exceeds.")
@with_session
def enable(
    session: Session,
    /,
    *,
    kind: str,
    path: str | None,
    version: int | None,
    description: str | None,
    default_lease_ttl: str | None,
    max_lease_ttl: str | None,
) -> None:
    """Mount a secrets engine, such as kv."""
    mount = _mount_path(path or kind)
    body: dict[str, object] = {
        "type": kind,
        "config": _lease_settings(default_lease_ttl, max_lease_ttl),
    }
    if description is not None:
        body["description"] = description
    if version is not None:
        body["options"] = {"version": str(version)}
    answer = session.client.request("POST", f"sys/mounts/{mount}", body)
    session.show_result(answer, f"Success! Enabled the {kind} secrets engine at: {mount}/")


@secrets.command("list")
@flag("detailed", "Print all that is known of each mount.")
@with_session
def list_(session: Session, /, *, detailed: bool) -> None:
    """List the mounts."""
    answer = session.client.request("GET", "sys/mounts")
    mounts = answer.data or {}
    session.show(mounts, lambda: _detailed_table(mounts) if detailed else _table(mounts))


@secrets.command("tune")
@click.argument("path")
@option("description", "Text for people.")
@option("default-lease-ttl", "TTL for what does not ask for one.")
@option("max-lease-ttl", "TTL that nothing exceeds.")
@with_session
def tune(
    session: Session,
    /,
    *,
    path: str,
    description: str | None,
    default_lease_ttl: str | None,
    max_lease_ttl: str | None,
) -> None:
    """Change the settings of a mount."""
    mount = _mount_path(path)
    body: dict[str, object] = {**_lease_settings(default_lease_ttl, max_lease_ttl)}
    if description is not None:
        body["description"] = description
    require(body, "Nothing to change: give -default-lease-ttl, -max-lease-ttl or -description")
    answer = session.client.request("POST", f"sys/mounts/{mount}/tune", body)
    session.show_result(answer, f"Success! Tuned the secrets engine at: {mount}/")


@secrets.command("disable")
@click.argument("path")
@with_session
def disable(session: Session, /, *, path: str) -> None:
    """Unmount a secrets engine and delete all that it holds."""
    mount = _mount_path(path)
    answer = session.client.request("DELETE", f"sys/mounts/{mount}")
    session.show_result(
        answer, f"Success! Disabled the secrets engine (if it existed) at: {mount}/"
    )


def _mount_path(path: str) -> str:
    mount = path.strip("/")
    require(mount, "The path is empty")
    return mount


def _lease_settings(default_lease_ttl: str | None, max_lease_ttl: str | None) -> dict[str, str]:
    given = {"default_lease_ttl": default_lease_ttl, "max_lease_ttl": max_lease_ttl}
    return {name: ttl for name, ttl in given.items() if ttl is not None}


def _table(mounts: dict[str, Any]) -> str:
    header = ("Path", "Type", "Accessor", "Description")
    names = ("type", "accessor", "description")
    return table(
        header,
        ((path, *(_cell(mounts[path].get(name)) for name in names)) for path in sorted(mounts)),
    )


def _detailed_table(mounts: dict[str, Any]) -> str:
    header = (
        "Path",
        "Plugin",
        "Accessor",
        "Default TTL",
        "Max TTL",
        "Force No Cache",
        "Replication",
        "Seal Wrap",
        "Options",
        "Description",
        "UUID",
    )
    return table(header, (_detailed_row(path, mounts[path]) for path in sorted(mounts)))


def _detailed_row(path: str, mount: dict[str, Any]) -> tuple[str, ...]:
    config = mount.get("config") or {}
    return (
        path,
        _cell(mount.get("type")),
        _cell(mount.get("accessor")),
        _ttl(config.get("default_lease_ttl")),
        _ttl(config.get("max_lease_ttl")),
        render_value(bool(config.get("force_no_cache"))),
        "local" if mount.get("local") else "replicated",
        render_value(bool(mount.get("seal_wrap"))),
        render_value(mount.get("options") or {}),
        _cell(mount.get("description")),
        _cell(mount.get("uuid")),
    )


def _ttl(seconds: int | None) -> str:
    return render_seconds(seconds) if seconds else "system"


def _cell(value: object) -> str:
    return render_value(value) if value else NOT_AVAILABLE
