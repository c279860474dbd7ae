"""`version`: which Holdfast this is."""

from typing import Final

import click

from server.flags import LocalCommand

# Written down rather than asked of the installed package, which takes 40 ms and is not there in
# a checkout; a test holds it against pyproject.toml.
VERSION: Final = "0.1.0"


@click.command("version", cls=LocalCommand)
def version() -> None:
    """Print the version of this program."""
    click.echo(f"Holdfast v{VERSION}")
