"""The certificate that the servers of a benchmark show, and the address where they all listen."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from net import self_signed

HOST: Final = "127.0.0.1"


class Certificate(NamedTuple):
    """Where the PEM files lie.

    Attributes:
        authority_file: what clients trust.
        certificate_file: what servers show.
        key_file: its private key.
    """

    authority_file: Path
    certificate_file: Path
    key_file: Path


def write_certificate(directory: Path) -> Certificate:
    """Make a certificate for `HOST`, on curve P-256 as most servers of today."""
    made = Certificate(
        directory / "authority.pem", directory / "certificate.pem", directory / "key.pem"
    )
    server = self_signed.Server(made.certificate_file, made.key_file, (HOST,))
    self_signed.provide(made.authority_file, [server], datetime.now(UTC))
    return made
