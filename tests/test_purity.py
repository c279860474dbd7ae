"""`core` is a function of its arguments: nothing in it sees a clock, entropy or a hash order."""

from collections.abc import Callable, Iterator

import pytest

from tests.house import purity
from tests.house.source import Finding, Source, assert_none, places, source, sources

Rule = Callable[[Source], Iterator[Finding]]

RULES = [purity.imports, purity.builtins, purity.clocks_and_entropy]


def set_order(module: Source) -> Iterator[Finding]:
    """Judge one module as if it were a package."""
    return (finding for _, finding in purity.set_order([module]))


@pytest.mark.parametrize("rule", RULES)
def test_core_is_pure(rule: Rule) -> None:
    found = [place for each in sources("core") for place in places(each.path, rule(each))]

    assert_none(found)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["core", "sim"])
def test_nothing_follows_the_order_of_a_set(package: str) -> None:
    found = [
        place
        for module, finding in purity.set_order(sources(package))
        for place in places(module.path, [finding])
    ]

    assert_none(found)


IMPURE = [
    (purity.imports, "import os"),
    (purity.imports, "import os.path as paths"),
    (purity.imports, "from time import monotonic"),
    (purity.imports, "def late():\n    import random"),
    (purity.imports, "from secrets import token_bytes"),
    (purity.imports, "from uuid import uuid4"),
    (purity.imports, "import importlib"),
    (purity.imports, "from urllib import request"),
    (purity.imports, "from net.clock import read"),
    (purity.imports, "from cryptography.fernet import Fernet"),
    (purity.builtins, "__import__('os')"),
    (purity.builtins, "exec('x = 1')"),
    (purity.builtins, "eval('1')"),
    (purity.builtins, "number = hash('a')"),
    (purity.builtins, "numbers = map(hash, names)"),
    (purity.builtins, "order = sorted(nodes, key=id)"),
    (purity.builtins, "open('a')"),
    (purity.builtins, "print(1)"),
    (purity.builtins, "input()"),
    (purity.builtins, "def turn():\n    global state"),
    (purity.clocks_and_entropy, "time.time_ns()"),
    (purity.clocks_and_entropy, "os.urandom(8)"),
    (purity.clocks_and_entropy, "random.random()"),
    (purity.clocks_and_entropy, "secrets.token_bytes(8)"),
    (purity.clocks_and_entropy, "uuid.uuid4()"),
    (purity.clocks_and_entropy, "import datetime\ndatetime.datetime.now(zone)"),
    (purity.clocks_and_entropy, "from datetime import datetime\ndatetime.utcnow()"),
    (purity.clocks_and_entropy, "from datetime import datetime as clock\nclock.now()"),
    (purity.clocks_and_entropy, "from datetime import date\ndate.today()"),
    (purity.clocks_and_entropy, "Ed25519PrivateKey.generate()"),
    (purity.clocks_and_entropy, "AESGCM.generate_key(256)"),
    (purity.clocks_and_entropy, "ec.generate_private_key(curve)"),
    (
        purity.clocks_and_entropy,
        "from cryptography.x509 import random_serial_number as draw\ndraw()",
    ),
    (purity.clocks_and_entropy, "key.sign(data, ec.ECDSA(digest))"),
    (set_order, "for x in {1, 2}: pass"),
    (set_order, "for x in set(y): pass"),
    (set_order, "for x in frozenset(y) | z: pass"),
    (set_order, "for x in a.keys() & b.keys(): pass"),
    (set_order, "for x in a.keys() - b: pass"),
    (set_order, "for x in {1}.union(y): pass"),
    (set_order, "for x in (a := {1}): pass"),
    (set_order, "for x in {1} if a else b: pass"),
    (set_order, "for x in a or {1}: pass"),
    (set_order, "for x in cast('set[int]', a): pass"),
    (set_order, "def f(a: set[int]):\n    for x in a: pass"),
    (set_order, "def f(*, a: 'frozenset[int] | None'):\n    for x in a: pass"),
    (set_order, "def f(a: None | Optional[Set[int]]):\n    for x in a: pass"),
    (set_order, "a: Final[frozenset[int]] = b\nfor x in a: pass"),
    (set_order, "def f():\n    for x in a: pass\n    a = {1}"),
    (set_order, "def f():\n    a = {1}\n    return lambda: [*a]"),
    (set_order, "async def f(a: set[int]):\n    return [x for x in a]"),
    (set_order, "Names = frozenset[str]\ndef f(a: Names):\n    for x in a: pass"),
    (set_order, "Names: TypeAlias = set[str]\ndef f(a: Names):\n    for x in a: pass"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for x in a['b']: pass"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for x in a.get('b', ()): pass"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for b, c in a.items(): [*c]"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for b in a.values(): [*b]"),
    (set_order, "def f(a: list[set[int]]):\n    for b in a[1:]: [*b]"),
    (set_order, "class A:\n    b: set[int]\n    def f(self):\n        for x in self.b: pass"),
    (set_order, "class A:\n    def f(self):\n        self.b: set[int] = c\n        [*self.b]"),
    (set_order, "class A:\n    def f(self):\n        self.b = set()\n        [*self.b]"),
    (set_order, "class A:\n    def f(self, b: set[int]):\n        self.b = b\n        [*self.b]"),
    (set_order, "class A:\n    @property\n    def b(self) -> set[int]: ...\n[*A().b]"),
    (set_order, "def f() -> set[int]: ...\nfor x in f(): pass"),
    (set_order, "class A:\n    def b(self) -> set[int]: ...\n[*A().b()]"),
    (set_order, "[x for x in {1}]"),
    (set_order, "{x: 1 for x in {1}}"),
    (set_order, "call(x for x in {1})"),
    (set_order, "list({1})"),
    (set_order, "tuple({1})"),
    (set_order, "next(iter({1}))"),
    (set_order, "enumerate({1})"),
    (set_order, "zip(a, {1})"),
    (set_order, "map(f, {1})"),
    (set_order, "b','.join({b'a'})"),
    (set_order, "a.extend({1})"),
    (set_order, "dict.fromkeys({1})"),
    (set_order, "max({1}, key=f)"),
    (set_order, "max((x for x in {1}), key=f)"),
    (set_order, "call(*{1})"),
    (set_order, "a, b = {1, 2}"),
    (set_order, "def f():\n    yield from {1}"),
    (set_order, "def f(a: set[int]):\n    a.pop()"),
    (set_order, "f'{ {1} }'"),
    (set_order, "str({1})"),
]


@pytest.mark.parametrize(("rule", "text"), IMPURE)
def test_each_ban_bites(rule: Rule, text: str) -> None:
    assert 1 == len(list(rule(source("core/x.py", text))))


PURE = [
    (purity.imports, "import hashlib"),
    (purity.imports, "from urllib.parse import quote"),
    (purity.imports, "from cryptography.hazmat.primitives import hashes"),
    (purity.imports, "from core.raft.entry import Entry"),
    (purity.imports, "from . import entry"),
    (purity.builtins, "call(id=1)"),
    (purity.builtins, "record.id"),
    (purity.builtins, "class A:\n    id: str\n    hash: bytes"),
    (purity.builtins, "file.open()"),
    (purity.builtins, "def f():\n    nonlocal_count = 1"),
    (purity.clocks_and_entropy, "self.now"),
    (purity.clocks_and_entropy, "turn.now.wall_ns"),
    (purity.clocks_and_entropy, "datetime.fromtimestamp(seconds, UTC)"),
    (purity.clocks_and_entropy, "uuid.encode()"),
    (purity.clocks_and_entropy, "secrets.append(secret)"),
    (purity.clocks_and_entropy, "Ed25519PrivateKey.from_private_bytes(seed)"),
    (purity.clocks_and_entropy, "key.sign(data, ec.ECDSA(digest, deterministic_signing=True))"),
    (set_order, "for x in [1]: pass"),
    (set_order, "for x in sorted({1}): pass"),
    (set_order, "for x in a.keys(): pass"),
    (set_order, "for x in a - b: pass"),
    (set_order, "for x in {1: 2}: pass"),
    (set_order, "1 in {1}"),
    (set_order, "len({1}) + sum({1}) + max({1})"),
    (set_order, "any(x for x in {1})"),
    (set_order, "sorted(x for x in {1})"),
    (set_order, "{x for x in {1}}"),
    (set_order, "{*{1}, *{2}}"),
    (set_order, "max(a, key=f)"),
    (set_order, "a, b = 1, 2"),
    (set_order, "def f(a: list[int]):\n    a.pop()"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for x in a: pass"),
    (set_order, "def f(a: dict[str, set[int]]):\n    for b, c in a.items(): pass"),
    (set_order, "def f():\n    a = {1}\ndef g(a):\n    for x in a: pass"),
    (set_order, "a = {1}\ndef f(a: list[int]):\n    for x in a: pass"),
    (set_order, "a = {1}\ndef f():\n    a: list[int] = b\n    for x in a: pass"),
    (set_order, "def f(a: Iterator[int]):\n    for x in a: pass"),
    (set_order, "def f(a: Callable[[], set[int]]):\n    for x in a: pass"),
    (set_order, "class A:\n    b: set[int]\nclass B:\n    b: list[int]\n[*B().b]"),
    (
        set_order,
        "class A:\n    b: list[int]\n    def f(self):\n        self.b = {1}\n        [*self.b]",
    ),
]


@pytest.mark.parametrize(("rule", "text"), PURE)
def test_near_misses_pass(rule: Rule, text: str) -> None:
    assert [] == list(rule(source("core/x.py", text)))


def test_a_name_declared_in_another_module_is_known() -> None:
    declaring = source("core/a.py", "Peers = set[str]\nclass A:\n    peers: set[str]")
    using = source("core/b.py", "def f(a, b: Peers):\n    return [*a.peers, *b]")

    found = [
        (module.path, finding.line) for module, finding in purity.set_order([declaring, using])
    ]

    assert [("core/b.py", 2), ("core/b.py", 2)] == found


def test_modules_that_disagree_on_a_name_each_keep_their_own() -> None:
    sets = source("core/a.py", "class A:\n    peers: set[str]\n[*A().peers]")
    lists = source("core/b.py", "class B:\n    peers: list[str]\n[*B().peers]")
    unsure = source("core/c.py", "[*a.peers]")

    found = [module.path for module, _ in purity.set_order([sets, lists, unsure])]

    assert ["core/a.py"] == found
