"""What a person pastes into a shell.

Owns the quoting. Must not know what the variables mean.
"""

from collections.abc import Mapping


def export_lines(variables: Mapping[str, str]) -> str:
    """Return a line for each variable that sets it in the user's shell, quoted as Vault does."""
    return "\n".join(f"    $ export {name}={_quoted(value)}" for name, value in variables.items())


def _quoted(value: str) -> str:
    # Nothing is special inside single quotes but their end.
    return "'" + value.replace("'", "'\\''") + "'"
