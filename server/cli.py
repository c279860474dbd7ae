"""The command `holdfast`: finds a command by name, runs it, and turns failures into exit codes.

Owns the table of commands. A command's module is imported when it is asked for, so that a probe
such as `holdfast status` does not pay for the server or the simulator. Knows nothing
of what a command does.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

import click

from server.flags import Group
from server.loading import loading

EXIT_FAULT: Final = 1
"""The command line is wrong, or was interrupted."""


class Entry(NamedTuple):
    """Where a command lives: its module, its name in it, and its line in the list."""

    module: str
    attribute: str
    summary: str


COMMANDS: Final[dict[str, Entry]] = {
    "server": Entry("server.commands.server", "server", "Run a node, a dev server, a dev cluster"),
    "status": Entry("server.commands.status", "status", "Print whether a node is sealed"),
    "login": Entry("server.commands.login", "login", "Check a token and keep it"),
    "read": Entry("server.commands.logical", "read", "Read what is at a path"),
    "write": Entry("server.commands.logical", "write", "Write data to a path"),
    "list": Entry("server.commands.logical", "list_", "List the keys below a path"),
    "delete": Entry("server.commands.logical", "delete", "Delete what is at a path"),
    "kv": Entry("server.commands.kv", "kv", "Read, write and list secrets"),
    "token": Entry("server.commands.tokens", "tokens", "Create, look up, renew, revoke tokens"),
    "policy": Entry("server.commands.policies", "policy", "Write, read, list, delete policies"),
    "secrets": Entry("server.commands.mounts", "secrets", "Enable, list, tune, disable engines"),
    "audit": Entry("server.commands.audit", "audit", "Enable, list, disable audit devices"),
    "operator": Entry("server.commands.operations", "operator", "Initialise, unseal, seal, join"),
    "sim": Entry("server.commands.sim", "sim", "Run the simulator"),
    "bench": Entry("server.commands.bench", "bench", "Measure speed and failover"),
    "version": Entry("server.commands.version", "version", "Print the version of this program"),
}


class Root(Group):
    """The group of all commands, which it imports one by one."""

    # click hands a context to both; the table is the same in all of them.
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the table: as a person meets them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 -- as above
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        with loading():
            command: click.Command = getattr(import_module(entry.module), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


def _show_version(ctx: click.Context, _: click.Parameter, value: object) -> None:
    """Run the command `version`, of which the flag is another spelling."""
    if value:
        from server.commands.version import version  # noqa: PLC0415 -- as other commands

        ctx.invoke(version)
        ctx.exit()


root = Root(
    "holdfast",
    help="Holdfast keeps secrets. Each command explains itself: holdfast COMMAND -h.",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version", "-v"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
        )
    ],
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what stands behind the program's name; the process's own by default.
    """
    _keep_output_whole()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with root.make_context("holdfast", list(given), obj={}) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "holdfast"
        click.echo(f"{error.format_message()}\nSee: {command} -h", err=True)
        return EXIT_FAULT
    except click.ClickException as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("Interrupted.", err=True)
        return EXIT_FAULT
    except BrokenPipeError:
        # The reader has gone, as in `holdfast list x | head -1`. What is still buffered would
        # raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAULT
    return 0


def _keep_output_whole() -> None:
    """Let text that the terminal's encoding lacks be escaped rather than end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
