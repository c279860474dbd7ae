"""The file `~/.vault-token`, in which a login leaves its token for later commands.

Owns its place, its mode and that nobody ever sees half of it. Knows nothing of tokens.
"""

import os
from pathlib import Path
from typing import Final

TOKEN_BYTES_MAX: Final = 64 << 10
"""More than any token has; a longer file is not a token file."""

MODE: Final = 0o600


def token_path() -> Path:
    """Return the place of the token file."""
    return Path.home() / ".vault-token"


def read_token() -> str:
    """Return the stored token, or an empty text if there is none.

    Raises:
        OSError: the file is there and cannot be read.
        ValueError: the file does not hold a token.
    """
    try:
        with token_path().open("rb") as file:
            content = file.read(TOKEN_BYTES_MAX + 1)
    except FileNotFoundError:
        return ""
    if len(content) > TOKEN_BYTES_MAX:
        raise ValueError("it is too long for a token")
    return content.decode("ascii").strip()


def write_token(token: str) -> None:
    """Replace the stored token; another process sees the old one or the new one.

    Raises:
        OSError: the file cannot be written.
    """
    path = token_path()
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    # A draft left by a killed process must not lend its mode to the new file.
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
