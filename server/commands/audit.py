"""`audit`: enable, list and disable audit devices."""

from typing import Any

import click

from server.arguments import build_strings
from server.flags import Group, flag, option
from server.output import NOT_AVAILABLE, render_value, table
from server.session import Session, require, with_session


@click.group("audit", cls=Group)
def audit() -> None:
    """Enable, list and disable audit devices."""


@audit.command("enable")
@click.argument("kind", metavar="TYPE")
@click.argument("options", nargs=-1, metavar="[KEY=VALUE]...")
@option("path", "Name of the device, if not its type's.")
@option("description", "Text for people.")
@with_session
def enable(
    session: Session,
    /,
    *,
    kind: str,
    options: tuple[str, ...],
    path: str | None,
    description: str | None,
) -> None:
    """Write an audit log, such as: file file_path=/var/log/audit.log."""
    device = _device_path(path or kind)
    body = {"type": kind, "description": description or "", "options": build_strings(options)}
    answer = session.client.request("PUT", f"sys/audit/{device}", body)
    session.show_result(answer, f"Success! Enabled the {kind} audit device at: {device}/")


@audit.command("list")
@flag("detailed", "Print the options of each device.")
@with_session
def list_(session: Session, /, *, detailed: bool) -> None:
    """List the audit devices."""
    devices = session.client.request("GET", "sys/audit").data or {}
    session.show(devices, lambda: _table(devices, detailed=detailed))


@audit.command("disable")
@click.argument("path")
@with_session
def disable(session: Session, /, *, path: str) -> None:
    """Stop an audit log."""
    device = _device_path(path)
    answer = session.client.request("DELETE", f"sys/audit/{device}")
    session.show_result(answer, f"Success! Disabled audit device (if it was enabled) at: {device}/")


def _device_path(path: str) -> str:
    device = path.strip("/")
    require(device, "The path is empty")
    return device


def _table(devices: dict[str, Any], *, detailed: bool) -> str:
    if not devices:
        return "No audit devices are enabled."
    header = ("Path", "Type", "Description", *(("Replication", "Options") if detailed else ()))
    return table(header, (_row(path, devices[path], detailed=detailed) for path in sorted(devices)))


def _row(path: str, device: dict[str, Any], *, detailed: bool) -> tuple[str, ...]:
    row = (path, render_value(device.get("type")), device.get("description") or NOT_AVAILABLE)
    if not detailed:
        return row
    options = device.get("options") or {}
    text = " ".join(f"{key}={render_value(options[key])}" for key in sorted(options))
    return (*row, "local" if device.get("local") else "replicated", text)
