r"""The data of `write` and `kv put`: `key=value` arguments become one JSON object.

Owns the forms that an argument may take: `key=value`, `key=@file`, `key=-` (standard input),
`key=\@text` (a text that starts with @), `@file` and `-` (a whole JSON object). Knows nothing
of where the object goes.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from server import json_text

INPUT_BYTES_MAX: Final = 32 << 20
"""The longest file or standard input that is read: what a server takes as a body by default."""


class ArgumentError(Exception):
    """An argument does not say what it should, or names a file that cannot be read."""


class Builder:
    """Collects arguments; standard input may be taken once."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.data: dict[str, Any] = {}
        self._stdin_taken = False

    def add(self, argument: str) -> None:
        """Take one argument. A key that comes again becomes a list, as in Vault.

        Raises:
            ArgumentError: it is malformed, or its source cannot be read.
        """
        key, equals, value = argument.partition("=")
        if argument == "-":
            self._merge(self._stdin(), "standard input")
        elif argument.startswith("@"):
            self._merge(read_file(argument[1:]), argument[1:])
        elif equals and key:
            self._put(key, self._resolve(value))
        else:
            raise ArgumentError(f"{argument!r} is neither key=value nor @file nor -")

    def _resolve(self, value: str) -> str:
        if value == "-":
            return self._stdin()
        if value.startswith("@"):
            return read_file(value[1:])
        return value[1:] if value.startswith("\\@") else value

    def _put(self, key: str, value: str) -> None:
        if key not in self.data:
            self.data[key] = value
        elif isinstance(self.data[key], list):
            self.data[key].append(value)
        else:
            self.data[key] = [self.data[key], value]

    def _merge(self, text: str, source: str) -> None:
        try:
            document = json_text.decode(text)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(f"{source} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ArgumentError(f"{source} is not a JSON object")
        self.data.update(document)

    def _stdin(self) -> str:
        if self._stdin_taken:
            raise ArgumentError("standard input can be read only once")
        self._stdin_taken = True
        return read_stdin()


def build(arguments: Iterable[str]) -> dict[str, Any]:
    """Return the object that `arguments` describe.

    Raises:
        ArgumentError: one of them is malformed, or its source cannot be read.
    """
    builder = Builder()
    for argument in arguments:
        builder.add(argument)
    return builder.data


def build_strings(arguments: Iterable[str]) -> dict[str, str]:
    """Return the plain `key=value` pairs that `arguments` are; the last of a key counts.

    Raises:
        ArgumentError: one of them is not `key=value`.
    """
    pairs = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key or not equals:
            raise ArgumentError(f"{argument!r} is not key=value")
        pairs[key] = value
    return pairs


def read_file(path: str) -> str:
    """Return the text of a file.

    Raises:
        ArgumentError: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            return _decode(file.read(INPUT_BYTES_MAX + 1), path)
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror}") from error


def read_stdin() -> str:
    """Return all of standard input.

    Raises:
        ArgumentError: it is too long or not UTF-8.
    """
    return _decode(sys.stdin.buffer.read(INPUT_BYTES_MAX + 1), "standard input")


def _decode(content: bytes, source: str) -> str:
    if len(content) > INPUT_BYTES_MAX:
        raise ArgumentError(f"{source} exceeds {INPUT_BYTES_MAX} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{source} is not UTF-8") from error
