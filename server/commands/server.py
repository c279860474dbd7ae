"""`server`: run a node, a dev server or a dev cluster.

Owns the flags and which of them go together. What each of the three is stands in a module of its
own, imported when it is asked for: the parent of a dev cluster needs nothing of a node.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from server.cannot_run import CannotRunError
from server.config.configuration import LogLevel
from server.config.files import read_files
from server.config.report import ConfigurationError
from server.config.values import PORT_MAX
from server.dev_layout import NODES_MAX, PORT_DEFAULT, PORT_STEP, Options
from server.flags import LocalCommand, flag, option
from server.loading import loading

DEV_ADDRESS: Final = "127.0.0.1:8200"

_NODES: Final = click.IntRange(1, NODES_MAX)
_PORTS: Final = click.IntRange(0, PORT_MAX - NODES_MAX * PORT_STEP - 1)
_FORMATS: Final = click.Choice(["table", "json"])
_LEVELS: Final = click.Choice(["trace", "debug", "info", "warn", "error"])

_MODES: Final = ("config", "dev", "dev-cluster")
_BELONGS_TO: Final = {
    "dev-root-token-id": ("dev",),
    "dev-listen-address": ("dev",),
    "dev-no-store-token": ("dev",),
    "dev-tls": ("dev", "dev-cluster"),
    "dev-tls-cert-dir": ("dev",),
    "dev-tls-san": ("dev", "dev-cluster"),
    "dev-cluster-dir": ("dev-cluster",),
    "dev-cluster-port": ("dev-cluster",),
    "format": ("dev-cluster",),
}
"""With what each flag means something; it is an error where it would mean nothing."""


@click.command("server", cls=LocalCommand)
@option("config", "A configuration file, or a directory of them", many=True)
@flag("dev", "Run a server for trying out: in memory, initialised, unsealed")
@option("dev-root-token-id", "The dev server's root token (VAULT_DEV_ROOT_TOKEN_ID)")
@option("dev-listen-address", "Where the dev server listens (VAULT_DEV_LISTEN_ADDRESS)")
@flag("dev-no-store-token", "Do not keep the dev server's root token in ~/.vault-token")
@flag("dev-tls", "Speak TLS with certificates made for it; implies -dev unless -dev-cluster")
@option("dev-tls-cert-dir", "Where the dev server's TLS files go; else to a temporary directory")
@option("dev-tls-san", "Further name or address the certificates are for; repeatable", many=True)
@option("dev-cluster", "Run so many durable nodes on this machine", kind=_NODES)
@option("dev-cluster-dir", "Where the dev cluster keeps its data and keys", default="")
@option(
    "dev-cluster-port",
    "Node i listens on this + 10 i, from 1 on; 0 is free ports",
    kind=_PORTS,
    default=PORT_DEFAULT,
)
@option("format", "How the dev cluster tells of itself", kind=_FORMATS, default="table")
@option("log-level", "What is logged", kind=_LEVELS)
@click.pass_context
def server(
    ctx: click.Context,
    *,
    config: tuple[str, ...],
    dev: bool,
    dev_root_token_id: str | None,
    dev_listen_address: str | None,
    dev_no_store_token: bool,
    dev_tls: bool,
    dev_tls_cert_dir: str | None,
    dev_tls_san: tuple[str, ...],
    dev_cluster: int | None,
    dev_cluster_dir: str,
    dev_cluster_port: int,
    format: str,  # noqa: A002 -- the flag's name
    log_level: LogLevel | None,
) -> None:
    """Run a node: from a configuration, or for trying out with -dev."""
    dev = dev or (dev_tls and dev_cluster is None)
    _refuse_idle_flags(ctx, (bool(config), dev, dev_cluster is not None))
    run: Callable[[], None]
    if dev_cluster is not None:
        with loading():
            from server import dev_cluster as cluster  # noqa: PLC0415 -- as the module says

        names = dev_tls_san if dev_tls else None
        options = Options(count=dev_cluster, port=dev_cluster_port, tls_names=names)
        place = Path(dev_cluster_dir).absolute() if dev_cluster_dir else None
        run = partial(cluster.run, place, options, log_level, format)
    elif dev:
        with loading():
            from server import dev as dev_server  # noqa: PLC0415 -- as the module says

        run = partial(
            dev_server.run,
            dev_listen_address or os.environ.get("VAULT_DEV_LISTEN_ADDRESS") or DEV_ADDRESS,
            root_token_id=dev_root_token_id or os.environ.get("VAULT_DEV_ROOT_TOKEN_ID") or "",
            store_token=not dev_no_store_token,
            tls=dev_server.TlsOptions(dev_tls_cert_dir or "", dev_tls_san) if dev_tls else None,
            log_level=log_level or "warn",
        )
    else:
        run = partial(_run_configuration, config, log_level)
    try:
        run()
    except CannotRunError as error:
        raise click.ClickException(str(error)) from None


def _refuse_idle_flags(ctx: click.Context, chosen: Sequence[bool]) -> None:
    modes = [mode for mode, is_chosen in zip(_MODES, chosen, strict=True) if is_chosen]
    if len(modes) != 1:
        raise click.UsageError("exactly one of -config, -dev and -dev-cluster is needed")
    given = [
        name
        for name in _BELONGS_TO
        if ctx.get_parameter_source(name.replace("-", "_")) is ParameterSource.COMMANDLINE
    ]
    for name in given:
        if modes[0] not in _BELONGS_TO[name]:
            needed = " or ".join(f"-{mode}" for mode in _BELONGS_TO[name])
            raise click.UsageError(f"-{name} means nothing without {needed}")
        if name.startswith("dev-tls-") and not ctx.params["dev_tls"]:
            raise click.UsageError(f"-{name} means nothing without -dev-tls")


def _run_configuration(paths: Sequence[str], log_level: LogLevel | None) -> None:
    try:
        configuration = read_files(paths, os.environ)
    except ConfigurationError as error:
        raise CannotRunError("\n".join(error.problems)) from None

    with loading():
        from server import logs, process  # noqa: PLC0415 -- as the module says

    level = log_level or configuration.log_level
    if configuration.log_format == "json":
        logs.configure(level, configuration.log_format)
        logs.warn(configuration.warnings)
    else:
        for warning in configuration.warnings:
            click.echo(str(warning), err=True)
    process.run(configuration, level)
