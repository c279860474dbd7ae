"""Names a file that audit records go to."""

import msgspec


class AuditFile(msgspec.Struct, frozen=True):
    """A file on each node.

    Attributes:
        path: where it is, or `stdout`; nothing is written to `discard`.
        mode: permission bits that it is created with; 0 leaves an existing file as it is.
    """

    path: str
    mode: int = 0o600
