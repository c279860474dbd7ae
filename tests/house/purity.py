"""What `core` must not do and import contracts cannot see.

Owns the bans that keep a turn of a node a function of its arguments: no clock, no entropy, no
console, no dynamic code, nothing that follows the order of hashes. Must not know which files
it is asked about.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from tests.house.sets import Declared, Function, Inference, declarations, last_name, together
from tests.house.source import Finding, Source

IMPORTS: Final = frozenset(
    {"core", "cbor2", "cryptography", "msgspec"}
    | {"__future__", "abc", "base64", "binascii", "bisect", "calendar", "collections", "copy"}
    | {"dataclasses", "datetime", "enum", "functools", "hashlib", "heapq", "hmac", "ipaddress"}
    | {"itertools", "json", "math", "operator", "re", "string", "struct", "types", "typing"}
    | {"unicodedata", "urllib.parse", "zlib"}
)
"""All that `core` may import: itself and computation."""

_IMPURE: Final = frozenset({"cryptography.fernet"})
"""Parts of those that read a clock or entropy behind the caller's back."""

BUILTINS: Final = {
    "__import__": "write an import",
    "breakpoint": "debug in a test",
    "compile": "write the code",
    "eval": "write the code",
    "exec": "write the code",
    "globals": "name the value",
    "hash": "differs between processes; use hashlib or a number of your own",
    "id": "differs between processes; use a number of your own",
    "input": "take an event",
    "locals": "name the value",
    "open": "return an effect",
    "print": "return an effect",
    "vars": "name the value",
}
"""Builtins that are banned, called or not, each with what to do instead."""

_ANY: Final = frozenset[str]()
_MODULES: Final = {
    "date": frozenset({"today"}),
    "datetime": frozenset({"now", "today", "utcnow"}),
    "importlib": _ANY,
    "os": _ANY,
    "random": _ANY,
    "secrets": frozenset(
        {"SystemRandom", "choice", "randbelow", "randbits"}
        | {"token_bytes", "token_hex", "token_urlsafe"}
    ),
    "sys": _ANY,
    "time": _ANY,
    "uuid": frozenset({"getnode", "uuid1", "uuid4", "uuid6", "uuid7"}),
}
"""Attributes that read a clock, entropy or the process; `_ANY` stands for all of a module."""

_KEY_GENERATORS: Final = frozenset(
    {"generate_key", "generate_parameters", "generate_private_key", "random_serial_number"}
)
_ORDER_FREE: Final = frozenset(
    {"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"}
)
_ORDER_BOUND: Final = frozenset(
    {"accumulate", "bytearray", "bytes", "chain", "deque", "dict", "enumerate", "filter", "islice"}
    | {"iter", "list", "map", "repr", "reduce", "reversed", "str", "tuple", "zip"}
)
_ORDER_BOUND_METHODS: Final = frozenset(
    {"appendleft", "extend", "extendleft", "from_iterable", "fromkeys", "join"}
)
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def imports(module: Source) -> Iterator[Finding]:
    """Find imports of anything but computation, wherever they stand."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names):
                targets = [alias.name for alias in names]
            case ast.ImportFrom(module=str(origin), level=0):
                targets = [origin]
            case _:
                continue
        for target in targets:
            root = target.partition(".")[0]
            if target in _IMPURE or IMPORTS.isdisjoint((root, target)):
                yield Finding(node.lineno, f"import of {target}: not computation")


def builtins(module: Source) -> Iterator[Finding]:
    """Find uses of banned builtins, and `global`."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(name, ast.Load()) if name in BUILTINS:
                yield Finding(node.lineno, f"{name}: {BUILTINS[name]}")
            case ast.Global(names):
                yield Finding(node.lineno, f"global {', '.join(names)}: state belongs to a node")


def clocks_and_entropy(module: Source) -> Iterator[Finding]:
    """Find reads of a clock or of entropy through modules that may be imported."""
    origins = _origins(module.tree)
    for node in ast.walk(module.tree):
        match node:
            case ast.Name(name, ast.Load()) if origins.get(name) in _KEY_GENERATORS:
                yield Finding(node.lineno, f"{name}: draws entropy; use the port")
            case ast.Attribute(value=owner, attr=name):
                if _reads_outside(origins.get(last_name(owner), last_name(owner)), name):
                    yield Finding(node.lineno, f"{last_name(owner)}.{name}: take it as an argument")
            case ast.Call(func=function, keywords=keywords) if last_name(function) == "ECDSA":
                if all(keyword.arg != "deterministic_signing" for keyword in keywords):
                    yield Finding(node.lineno, "ECDSA: set deterministic_signing (RFC 6979)")


def _origins(tree: ast.Module) -> dict[str, str]:
    """Map each imported name to the last part of what it stands for."""
    return {
        alias.asname or alias.name: alias.name.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _reads_outside(owner: str, name: str) -> bool:
    if name in _KEY_GENERATORS or (name == "generate" and owner.endswith("PrivateKey")):
        return True
    banned = _MODULES.get(owner)
    return banned is not None and (not banned or name in banned)


def set_order(modules: Iterable[Source]) -> Iterator[tuple[Source, Finding]]:
    """Find what follows the order of a set, in all modules of a package."""
    declared = {module.path: declarations(module) for module in modules}
    package = together(declared.values())
    for module in modules:
        walk = _SetWalk(declared[module.path], package)
        walk.visit(module.tree)
        yield from ((module, finding) for finding in walk.findings)


class _SetWalk(ast.NodeVisitor):
    """One walk over a module, with the inference of the scope it is in."""

    def __init__(self, module: Declared, package: Declared) -> None:
        self.findings: list[Finding] = []
        self._inference = Inference(module, package)
        self._order_free: set[ast.expr] = set()

    def visit_Module(self, node: ast.Module) -> None:
        self._visit_scope(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_scope(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_scope(node)

    def visit_For(self, node: ast.For) -> None:
        self._refuse(node.iter, "for over a set")
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self._refuse(node.value, "yield from a set")
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self._refuse(node.value, "text of a set")
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self._refuse(node.value, "unpacking of a set")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        for element in node.elts:
            self.visit(element.value if isinstance(element, ast.Starred) else element)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
            self._refuse(node.value, "unpacking of a set")
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = last_name(node.func)
        ties = name in {"max", "min"} and any(keyword.arg == "key" for keyword in node.keywords)
        if isinstance(node.func, ast.Name) and name in _ORDER_FREE and not ties:
            self._order_free.update(node.args)
        elif ties or name in (_ORDER_BOUND | _ORDER_BOUND_METHODS):
            for argument in node.args:
                self._refuse(argument, f"{name} of a set")
        elif name == "pop" and not node.args and isinstance(node.func, ast.Attribute):
            self._refuse(node.func.value, "pop of a set")
        self.generic_visit(node)

    def _visit_scope(self, node: ast.Module | Function | ast.Lambda) -> None:
        outer = self._inference
        self._inference = outer.inside(node)
        self.generic_visit(node)
        self._inference = outer

    def _visit_comprehension(self, node: _Comprehension) -> None:
        if node not in self._order_free:
            for clause in node.generators:
                self._refuse(clause.iter, "comprehension over a set")
        self.generic_visit(node)

    def _refuse(self, node: ast.expr, what: str) -> None:
        if self._inference.depth(node) == 0:
            self.findings.append(Finding(node.lineno, f"{what}: sort it, or keep a dict"))
