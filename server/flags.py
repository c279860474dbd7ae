"""Flags as Vault's users type them, on top of click.

Owns the grammar, which is that of Go's flag package: one dash or two, `-name value` or
`-name=value`, and a flag that is on or off takes a value only behind `=`. Unlike Go's, it lets
flags stand behind positional arguments too. `normalise` turns it into the one form that click
reads without guessing; all else is click's. Also owns the flags that every command takes which
talks to a server. Knows nothing of what any flag does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any] | click.Command)
_Kind = type[str | int] | click.Choice[str] | click.IntRange

ARGUMENTS_MAX: Final = 10_000
"""Arguments on one command line."""


class ValueOption(click.Option):
    """An option that takes a value."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Show the option with one dash, as Vault's documentation does."""
        kind = self.type
        value = "|".join(kind.choices) if isinstance(kind, click.Choice) else kind.name.split()[0]
        return f"{self.get_error_hint(ctx)}=<{value}>", self.help or ""

    def get_error_hint(self, ctx: click.Context | None) -> str:  # noqa: ARG002 -- click hands it in
        """Name the option with one dash."""
        return f"-{_name_of(self)}"


class FlagOption(ValueOption):
    """An option that is on or off; to click it is one with a boolean value."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Show the option without a value."""
        return self.get_error_hint(ctx), self.help or ""


def option(
    name: str,
    summary: str,
    *,
    kind: _Kind = str,
    default: object = None,
    many: bool = False,
    into: str | None = None,
) -> Callable[[_Decorated], _Decorated]:
    """Give a command the option `-name`.

    Args:
        name: the option without dashes.
        summary: its line in the help.
        kind: the type of its value.
        default: its value if it is not given.
        many: it may come again, and yields a tuple.
        into: the parameter it goes into, if `name` with underscores will not do.
    """
    names = (f"--{name}", into) if into else (f"--{name}",)
    extra = {"multiple": True} if many else {"default": default}
    return click.option(*names, cls=ValueOption, type=kind, help=summary, **extra)


def flag(
    name: str,
    summary: str,
    *,
    alias: str | None = None,
    default: bool | None = False,
    into: str | None = None,
) -> Callable[[_Decorated], _Decorated]:
    """Give a command the option `-name`, which is on or off; see `option`.

    Args:
        name: the option without dashes.
        summary: its line in the help.
        alias: a letter that stands for it.
        default: its value if it is not given.
        into: the parameter it goes into, if `name` with underscores will not do.
    """
    names = [f"--{name}", *([f"-{alias}"] if alias else []), *([into] if into else [])]
    return click.option(*names, cls=FlagOption, type=bool, default=default, help=summary)


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep a client flag for the session, from whichever level of the command line."""
    if value not in (None, ()):
        ctx.obj[param.name] = value


def _client_option(
    name: str,
    summary: str,
    *,
    cls: type[ValueOption] = ValueOption,
    kind: _Kind | type[bool] = str,
    many: bool = False,
) -> click.Option:
    return cls(
        [f"--{name}"],
        type=kind,
        multiple=many,
        help=summary,
        expose_value=False,
        callback=_remember,
    )


def _client_flag(name: str, summary: str) -> click.Option:
    return _client_option(name, summary, cls=FlagOption, kind=bool)


CLIENT_OPTIONS: Final[tuple[click.Option, ...]] = (
    _client_option("address", "Server to ask (VAULT_ADDR; https://127.0.0.1:8200)."),
    _client_option("ca-cert", "PEM file of certificates to trust (VAULT_CACERT)."),
    _client_option("ca-path", "Directory of such files (VAULT_CAPATH)."),
    _client_option("client-cert", "PEM file of the client's certificate (VAULT_CLIENT_CERT)."),
    _client_option("client-key", "PEM file of its private key (VAULT_CLIENT_KEY)."),
    _client_option("tls-server-name", "Name to ask for and verify (VAULT_TLS_SERVER_NAME)."),
    _client_flag("tls-skip-verify", "Trust any server (VAULT_SKIP_VERIFY)."),
    _client_option("namespace", "Namespace to ask in (VAULT_NAMESPACE)."),
    _client_option("header", "Further header, NAME=VALUE; repeatable.", many=True),
    _client_option(
        "format", "Output: table or json (VAULT_FORMAT).", kind=click.Choice(("table", "json"))
    ),
    _client_flag("non-interactive", "Fail rather than prompt."),
)
"""What every command takes that talks to a server, at any level of the command line."""


def normalise(
    arguments: Sequence[str], options: Mapping[str, click.Option], *, stop_at_positional: bool
) -> list[str]:
    """Return `arguments` with every flag written `--name=value`, or `--name` if it takes none.

    Args:
        arguments: what was typed.
        options: the options that may come, by name without dashes.
        stop_at_positional: leave all behind the first positional argument as it is.

    Raises:
        click.UsageError: a flag is unknown, lacks its value, or there are too many arguments.
    """
    if len(arguments) > ARGUMENTS_MAX:
        raise click.UsageError(f"more than {ARGUMENTS_MAX} arguments")
    normal: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*normal, argument, *rest]
        if len(argument) > 1 and argument.startswith("-"):
            normal.append(_normalise_flag(argument, options, rest))
            continue
        normal.append(argument)
        if stop_at_positional:
            return [*normal, *rest]
    return normal


def _normalise_flag(argument: str, options: Mapping[str, click.Option], rest: Iterator[str]) -> str:
    """Return `argument` in its normal form, taking its value from `rest` if it needs one."""
    name, equals, value = argument.removeprefix("-").removeprefix("-").partition("=")
    known = options.get(name)
    if known is None:
        raise click.NoSuchOption(f"-{name}", possibilities=[f"-{other}" for other in options])
    full_name = f"--{_name_of(known)}"
    if known.is_flag:
        return full_name
    if not equals and isinstance(known, FlagOption):
        value = "true"
    elif not equals:
        try:
            value = next(rest)
        except StopIteration:
            raise click.BadOptionUsage(name, f"Option '-{name}' needs a value.") from None
    return f"{full_name}={value}"


def _name_of(parameter: click.Option) -> str:
    return max(parameter.opts, key=len).removeprefix("--")


class _Normalising(click.Command):
    """What commands and groups share: the grammar, the client's flags, and their help."""

    stop_at_positional = False

    talks_to_server = True

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        return [*params, *CLIENT_OPTIONS] if self.talks_to_server else params

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {
            name.lstrip("-"): parameter
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        try:
            normal = normalise(args, options, stop_at_positional=self.stop_at_positional)
        except click.UsageError as error:
            error.ctx = ctx
            raise
        return super().parse_args(ctx, normal)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections = {"Options": super().get_params(ctx)}
        if self.talks_to_server:
            sections["Client options"] = list(CLIENT_OPTIONS)
        for title, parameters in sections.items():
            records = [
                parameter.get_help_record(ctx)
                for parameter in parameters
                if isinstance(parameter, click.Option)
            ]
            with formatter.section(title):
                formatter.write_dl([record for record in records if record is not None])


class Command(_Normalising):
    """A command that talks to a server."""


class LocalCommand(Command):
    """A command that talks to no server, and takes none of the flags for that."""

    talks_to_server = False


class Group(_Normalising, click.Group):
    """A family of commands. Without arguments it lists them."""

    stop_at_positional = True
    command_class = Command
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """List the commands if there is no argument; that is no error."""
        if not args:
            click.echo(ctx.get_help())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; flags are listed by each of them."""
        self.format_commands(ctx, formatter)


class LocalGroup(Group):
    """A family of commands that talk to no server."""

    talks_to_server = False
    command_class = LocalCommand
