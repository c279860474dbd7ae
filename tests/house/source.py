"""The project's own files as text and syntax trees, for the rules of the house.

Knows where files lie and how to name a spot in one. Must not know any rule.
"""

import ast
import functools
import pathlib
from collections.abc import Iterable
from typing import Final

import msgspec

ROOT: Final = pathlib.Path(__file__).parents[2]
PACKAGES: Final = ("core", "net", "sim", "server")


class Source(msgspec.Struct, frozen=True):
    """One Python file.

    Attributes:
        path: where it lies, relative to the root, with forward slashes.
        text: what it says.
        tree: its syntax tree.
    """

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Its dotted name; a package goes by the name of its folder."""
        parts = pathlib.PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Finding(msgspec.Struct, frozen=True, order=True):
    """One breach of a rule: the line, counted from 1, and what is wrong there."""

    line: int
    message: str


def source(path: str, text: str) -> Source:
    """Parse one file.

    Raises:
        SyntaxError: the text is no Python.
    """
    return Source(path, text, ast.parse(text, path))


@functools.cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return the Python files below `folders`, in the order of their paths."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths)


def places(path: str, findings: Iterable[Finding]) -> list[str]:
    """Word findings in the form that editors can jump to."""
    return [f"{path}:{finding.line}: {finding.message}" for finding in sorted(findings)]


def assert_none(found: list[str]) -> None:
    """Fail with one line for each of `found`."""
    if found:
        raise AssertionError("\n".join(["", *found]))
