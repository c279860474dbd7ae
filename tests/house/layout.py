"""How the files of this project stand to each other.

Owns the rules that need more than one file: no module that nothing imports, tests that mirror
the tree and can fail, links that lead somewhere. Must not read files itself.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

from tests.house.sets import Function, last_name
from tests.house.source import Finding, Source

_CHECKER: Final = re.compile(r"_*(?:assert|check|expect|verify)(?:_|$)")
_FAILING_CALLS: Final = frozenset({"fail", "raises", "warns", "RaisesGroup"})
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING: Final = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//")


def dead_modules(modules: Collection[Source], entry_points: Collection[str]) -> list[str]:
    """Return the paths of modules that no other module imports or names in a string."""
    named: set[str] = set(entry_points)
    for module in modules:
        named.update(name for name in _named(module) if name != module.name)
    return [
        module.path
        for module in modules
        if module.name not in named
        and PurePosixPath(module.path).name not in {"__init__.py", "__main__.py"}
    ]


def _named(module: Source) -> Iterator[str]:
    is_package = module.path.endswith("/__init__.py")
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                # One dot is the package itself, each further dot the package above it.
                above = module.name.split(".")
                above = above[: len(above) - level + is_package] if level else []
                base = ".".join([*above, origin] if origin else above)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Constant(value=str(text)):
                yield text.partition(":")[0]


def unmirrored(
    tests: Iterable[str], modules: Collection[str], allowed: Collection[str]
) -> list[str]:
    """Return the paths of test files that neither mirror a module nor are allowed by name.

    `tests/core/raft/test_quorum_joint.py` mirrors `core.raft.quorum_joint` or
    `core.raft.quorum`, be that a module or a package.
    """
    return [path for path in tests if path not in allowed and not _mirrors(path, modules)]


def _mirrors(path: str, modules: Collection[str]) -> bool:
    parts = PurePosixPath(path).with_suffix("").parts
    words = parts[-1].removeprefix("test_").split("_")
    return any(
        ".".join([*parts[1:-1], "_".join(words[:count])]) in modules
        for count in range(1, len(words) + 1)
    )


def toothless_tests(modules: Iterable[Source]) -> Iterator[tuple[Source, Finding]]:
    """Find test functions that cannot fail: nothing they call asserts anything.

    A checker is a function of the tests that asserts, one that calls a checker, or one whose
    name says so.
    """
    functions = [
        (module, node, _calls(node), _asserts(node))
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
    ]
    able = {node.name for _, node, _, asserts in functions if asserts}
    while True:
        more = {node.name for _, node, calls, _ in functions if not able.isdisjoint(calls)} - able
        if not more:
            break
        able |= more
    for module, node, calls, asserts in functions:
        if node.name.startswith("test_") and not asserts and able.isdisjoint(calls):
            yield module, Finding(node.lineno, f"{node.name} cannot fail: assert something")


def _calls(function: Function) -> set[str]:
    return {last_name(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}


def _asserts(function: Function) -> bool:
    for node in ast.walk(function):
        match node:
            case ast.Assert(test=test) if not isinstance(test, ast.Constant):
                return True
            case ast.Call(func=called):
                name = last_name(called)
                if name in _FAILING_CALLS or _CHECKER.match(name):
                    return True
    return False


def broken_links(path: str, text: str, read: Callable[[str], str | None]) -> Iterator[Finding]:
    """Find relative links of a Markdown page that lead nowhere.

    Args:
        path: where the page lies.
        text: what it says.
        read: returns the text of the file or folder at a path, or None if it is not there.
    """
    for match in _LINK.finditer(_FENCE.sub(_blank, text)):
        target, _, fragment = match.group(1).partition("#")
        if _SCHEME.match(match.group(1)):
            continue
        there = _joined(path, target) if target else path
        found = text if there == path else read(there)
        if found is None or (fragment and fragment not in _anchors(found)):
            line = text.count("\n", 0, match.start()) + 1
            yield Finding(line, f"link to {match.group(1)} leads nowhere")


def _blank(fence: re.Match[str]) -> str:
    """Empty a code block and keep its length, so that places stay right."""
    return re.sub(r"[^\n]", " ", fence.group())


def _joined(path: str, target: str) -> str:
    """Resolve `target` against the folder of `path`."""
    parts: list[str] = []
    for part in (PurePosixPath(path).parent / target).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _anchors(text: str) -> set[str]:
    """Return the names that headings get: lower case, hyphens for spaces, no punctuation."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
