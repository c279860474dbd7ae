"""How a file of this project looks, as far as a formatter and a linter do not say.

Owns the rules that judge one Python file by itself. Must not know the files around it.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Final

from tests.house.sets import Function, last_name
from tests.house.source import Finding, Source

FUNCTION_LINES_MAX: Final = 70
FILE_LINES_MAX: Final = 800
LINE_COLUMNS_MAX: Final = 100

# The brackets keep this line from breaking its own rule.
_LEFTOVER: Final = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X)\b")
_DIRECTIVE: Final = re.compile(
    r"(?:ruff:\s*)?noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?"
    r"|type:\s*ignore(?:\[[^]]*\])?"
    r"|pragma:\s*no\s*(?:cover|branch)"
    r"|mypy:\s*\S+"
    r"|fmt:\s*(?:off|skip)"
)
_TRAILING_DIRECTIVE: Final = re.compile(rf"\s+#\s*(?:{_DIRECTIVE.pattern}).*")
_REASON: Final = re.compile(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}")
"""Two words at least."""


def functions(module: Source) -> Iterator[Finding]:
    """Find functions too long to be seen at once."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                message = f"{node.name} has {length} lines of {FUNCTION_LINES_MAX} at most"
                yield Finding(node.lineno, message)


def size(module: Source) -> Iterator[Finding]:
    """Find files and lines that are too long."""
    lines = module.text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield Finding(len(lines), f"{len(lines)} lines of {FILE_LINES_MAX} at most")
    for number, line in enumerate(lines, 1):
        columns = len(_TRAILING_DIRECTIVE.sub("", line))
        if columns > LINE_COLUMNS_MAX:
            yield Finding(number, f"{columns} columns of {LINE_COLUMNS_MAX} at most")


def docstring(module: Source) -> Iterator[Finding]:
    """Find modules that do not say what they own; only an empty file may be silent."""
    if module.tree.body and not ast.get_docstring(module.tree):
        yield Finding(1, "no docstring: say what this module owns and must not know")


def leftovers(text: str) -> Iterator[Finding]:
    """Find marks of unfinished work, in any text."""
    for number, line in enumerate(text.splitlines(), 1):
        if mark := _LEFTOVER.search(line):
            yield Finding(number, f"{mark.group()}: do it, or file it")


def suppressions(module: Source) -> Iterator[Finding]:
    """Find checks that are switched off without a reason beside or above."""
    comments = _comments(module)
    for number, comment in comments.items():
        directive = _DIRECTIVE.search(comment)
        if directive and not (
            _REASON.search(_DIRECTIVE.sub("", comment))
            or _REASON.search(_DIRECTIVE.sub("", comments.get(number - 1, "")))
        ):
            yield Finding(number, f"{directive.group()}: write the reason beside it or above")


def sleeps(module: Source) -> Iterator[Finding]:
    """Find tests that wait for time to pass, without a reason beside or above."""
    comments = _comments(module)
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Call)
            and last_name(node.func) in {"sleep", "sleep_until"}
            and comments.keys().isdisjoint((node.lineno - 1, node.lineno))
        ):
            yield Finding(node.lineno, "sleep: wait for what you wait for, or write the reason")


def mocks(module: Source) -> Iterator[Finding]:
    """Find imports of mocks."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names) | ast.ImportFrom(names=names):
                origin = getattr(node, "module", None) or ""
                if any("mock" in f"{origin}.{alias.name}".split(".") for alias in names):
                    yield Finding(node.lineno, "mock: run the real thing, or a fake with behaviour")


def skips(module: Source) -> Iterator[Finding]:
    """Find tests that may be left out by other means than `tests.needs.needs`."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="skip" | "importorskip" as name)):
                pass
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr="skip" | "skipif" as name):
                pass
            case _:
                continue
        yield Finding(node.lineno, f"{name}: call needs(...), which CI holds to account")


def _comments(module: Source) -> dict[int, str]:
    """Return the text of comments by line."""
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
