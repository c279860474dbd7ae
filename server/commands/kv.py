"""`kv`: secrets in a key-value engine of either version.

Owns the question which version a mount has, and with it the paths below the mount. All else is
the server's.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from server.arguments import build, build_strings
from server.client import Answer
from server.commands.logical import show_keys
from server.flags import Group, flag, option
from server.output import NOT_AVAILABLE, heading, section
from server.session import Session, require, with_session

mount_option = option("mount", "Mount of the engine; the path is then relative to it.")
versions_option = option("versions", "Versions, such as 1,2; repeatable.", many=True)


class Place(NamedTuple):
    """Where a secret lies: the mount, ending in `/`, its KV version, and the path below it."""

    mount: str
    version: int
    path: str

    def at(self, kind: str) -> str:
        """Return the API path; `kind` is the part of version 2's paths behind the mount."""
        return f"{self.mount}{kind}/{self.path}" if self.version > 1 else self.mount + self.path


def locate(session: Session, /, path: str, mount: str | None) -> Place:
    """Ask the server where the mount of `path` ends and which version it has."""
    path = path.strip("/")
    asked = path if mount is None else mount.strip("/")
    require(asked, "The path is empty")
    found = session.client.request("GET", f"sys/internal/ui/mounts/{asked}").data or {}
    prefix = str(found.get("path") or "")
    options = found.get("options") or {}
    version = 2 if options.get("version") == "2" else 1
    whole = path if mount is None else f"{asked}/{path}"
    return Place(prefix, version, f"{whole}/".removeprefix(prefix).strip("/"))


@click.group("kv", cls=Group)
def kv() -> None:
    """Read, write and list secrets in key-value engines."""


@kv.command("get")
@click.argument("path")
@mount_option
@option("version", "Version to read, if not the latest.", kind=click.IntRange(0))
@option("field", "Print only this field.")
@with_session
def get(
    session: Session, /, *, path: str, mount: str | None, version: int | None, field: str | None
) -> None:
    """Read a secret."""
    place = locate(session, path, mount)
    _needs_version_2(place, "version", version)
    api_path = place.at("data")
    parameters = None if version is None else {"version": str(version)}
    answer = session.client.find("GET", api_path, parameters=parameters)
    if answer is None or answer.data is None:
        raise session.nothing_at(api_path, answer and answer.body)
    secret = answer.data if place.version == 1 else answer.data.get("data")
    if field is not None:
        if secret is None:
            raise session.nothing_at(api_path, answer.body)
        session.show_field(secret, field)
    else:
        session.show(answer.body, lambda: _secret_text(place, answer.data or {}))
    session.show_warnings(answer.body)


@kv.command("put")
@click.argument("path")
@click.argument("data", nargs=-1, required=True, metavar="KEY=VALUE... | @FILE | -")
@mount_option
@option("cas", "Write only if this is the current version; 0: if there is none.", kind=int)
@option("field", "Print only this field of the answer.")
@with_session
def put(
    session: Session,
    /,
    *,
    path: str,
    data: tuple[str, ...],
    mount: str | None,
    cas: int | None,
    field: str | None,
) -> None:
    """Write a secret: with version 2, a new version of it."""
    secret = build(data)
    place = locate(session, path, mount)
    _needs_version_2(place, "cas", cas)
    body = secret if place.version == 1 else _versioned(secret, cas)
    answer = session.client.request("PUT", place.at("data"), body)
    _show_written(session, place, answer, field)


@kv.command("patch")
@click.argument("path")
@click.argument("data", nargs=-1, required=True, metavar="KEY=VALUE... | @FILE | -")
@mount_option
@option("cas", "Write only if this is the current version.", kind=int)
@option("field", "Print only this field of the answer.")
@with_session
def patch(
    session: Session,
    /,
    *,
    path: str,
    data: tuple[str, ...],
    mount: str | None,
    cas: int | None,
    field: str | None,
) -> None:
    """Change some keys of a secret and leave the others."""
    changes = build(data)
    place = _locate_versioned(session, path, mount)
    answer = session.client.request("PATCH", place.at("data"), _versioned(changes, cas))
    _show_written(session, place, answer, field)


@kv.command("list")
@click.argument("path", default="")
@mount_option
@with_session
def list_(session: Session, /, *, path: str, mount: str | None) -> None:
    """List the secrets below a path."""
    show_keys(session, locate(session, path, mount).at("metadata"))


@kv.command("delete")
@click.argument("path")
@mount_option
@versions_option
@with_session
def delete(session: Session, /, *, path: str, mount: str | None, versions: tuple[str, ...]) -> None:
    """Delete a secret: with version 2, its latest or the given versions, until undeleted."""
    place = locate(session, path, mount)
    _needs_version_2(place, "versions", versions)
    if versions:
        api_path = place.at("delete")
        answer = session.client.request("POST", api_path, {"versions": _numbers(versions)})
    else:
        api_path = place.at("data")
        answer = session.client.request("DELETE", api_path)
    session.show_result(answer, f"Success! Data deleted (if it existed) at: {api_path}")


@kv.command("undelete")
@click.argument("path")
@mount_option
@versions_option
@with_session
def undelete(
    session: Session, /, *, path: str, mount: str | None, versions: tuple[str, ...]
) -> None:
    """Bring deleted versions of a secret back."""
    _change_versions(session, path, mount, "undelete", versions)


@kv.command("destroy")
@click.argument("path")
@mount_option
@versions_option
@with_session
def destroy(
    session: Session, /, *, path: str, mount: str | None, versions: tuple[str, ...]
) -> None:
    """Remove versions of a secret for good."""
    _change_versions(session, path, mount, "destroy", versions)


@kv.group("metadata")
def metadata() -> None:
    """Show and change what is kept beside the versions of a secret."""


@metadata.command("get")
@click.argument("path")
@mount_option
@option("field", "Print only this field.")
@with_session
def metadata_get(session: Session, /, *, path: str, mount: str | None, field: str | None) -> None:
    """Show the settings and the versions of a secret."""
    place = _locate_versioned(session, path, mount)
    api_path = place.at("metadata")
    answer = session.client.find("GET", api_path)
    if answer is None or answer.data is None:
        raise session.nothing_at(api_path, answer and answer.body)
    if field is not None:
        session.show_field(answer.data, field)
    else:
        session.show(answer.body, lambda: _metadata_text(api_path, answer.data or {}))
    session.show_warnings(answer.body)


@metadata.command("put")
@click.argument("path")
@mount_option
@option("max-versions", "Versions to keep.", kind=click.IntRange(0))
@flag("cas-required", "Refuse writes without -cas.", default=None)
@option("delete-version-after", "Age at which versions are deleted.")
@option("custom-metadata", "KEY=VALUE; repeatable.", many=True)
@with_session
def metadata_put(
    session: Session,
    /,
    *,
    path: str,
    mount: str | None,
    max_versions: int | None,
    cas_required: bool | None,
    delete_version_after: str | None,
    custom_metadata: tuple[str, ...],
) -> None:
    """Change the settings of a secret."""
    wire: dict[str, object] = {
        "max_versions": max_versions,
        "cas_required": cas_required,
        "delete_version_after": delete_version_after,
        "custom_metadata": build_strings(custom_metadata) or None,
    }
    body = {name: value for name, value in wire.items() if value is not None}
    api_path = _locate_versioned(session, path, mount).at("metadata")
    answer = session.client.request("POST", api_path, body)
    session.show_result(answer, f"Success! Data written to: {api_path}")


@metadata.command("delete")
@click.argument("path")
@mount_option
@with_session
def metadata_delete(session: Session, /, *, path: str, mount: str | None) -> None:
    """Remove a secret with all its versions for good."""
    api_path = _locate_versioned(session, path, mount).at("metadata")
    answer = session.client.request("DELETE", api_path)
    session.show_result(answer, f"Success! Data deleted (if it existed) at: {api_path}")


def _needs_version_2(place: Place, name: str, value: object) -> None:
    require(place.version > 1 or value in (None, ()), f"-{name} needs a mount with KV version 2")


def _locate_versioned(session: Session, /, path: str, mount: str | None) -> Place:
    place = locate(session, path, mount)
    require(place.version > 1, f"{place.mount or path} is not a mount with KV version 2")
    return place


def _versioned(data: dict[str, Any], cas: int | None) -> dict[str, Any]:
    return {"data": data, "options": {} if cas is None else {"cas": cas}}


def _change_versions(
    session: Session, path: str, mount: str | None, verb: str, versions: tuple[str, ...]
) -> None:
    numbers = _numbers(versions)
    require(numbers, "Give the versions with -versions")
    api_path = _locate_versioned(session, path, mount).at(verb)
    answer = session.client.request("POST", api_path, {"versions": numbers})
    session.show_result(answer, f"Success! Data written to: {api_path}")


def _numbers(texts: Sequence[str]) -> list[int]:
    """Return the numbers in `texts`, each of which may hold several between commas."""
    numbers = [part for text in texts for part in text.split(",")]
    usable = all(part.isascii() and part.isdigit() for part in numbers)
    require(usable, f"{','.join(texts)!r} is not a list of versions such as 1,2")
    return [int(part) for part in numbers]


def _show_written(session: Session, /, place: Place, answer: Answer, field: str | None) -> None:
    if field is not None or not answer.data:
        session.show_result(answer, f"Success! Data written to: {place.at('data')}", field)
        return
    title = _path_text("Secret Path", place.at("data"))
    written = section("Metadata", _readable(answer.data))
    session.show(answer.body, lambda: f"{title}\n\n{written}")
    session.show_warnings(answer.body)


def _secret_text(place: Place, data: dict[str, Any]) -> str:
    if place.version == 1:
        return section("Data", data)
    parts = [
        _path_text("Secret Path", place.at("data")),
        section("Metadata", _readable(data.get("metadata") or {})),
    ]
    if data.get("data") is not None:
        parts.append(section("Data", data["data"]))
    return "\n\n".join(parts)


def _metadata_text(api_path: str, data: dict[str, Any]) -> str:
    versions = data.get("versions") or {}
    settings = {key: value for key, value in data.items() if key != "versions"}
    parts = [_path_text("Metadata Path", api_path), section("Metadata", _readable(settings))]
    parts += (
        section(f"Version {number}", _readable(versions[number]))
        for number in sorted(versions, key=int)
    )
    return "\n\n".join(parts)


def _path_text(title: str, path: str) -> str:
    return f"{heading(title, len(path))}\n{path}"


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    return {key: NOT_AVAILABLE if value == "" else value for key, value in record.items()}
