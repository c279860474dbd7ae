"""The rules of the house that no linter knows hold in every file, and each of them bites."""

import tomllib
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.house import layout, tidy
from tests.house.source import PACKAGES, ROOT, Finding, Source, assert_none, places, source, sources

Rule = Callable[[Source], Iterator[Finding]]

NOT_MIRRORS: Final = {
    "tests/server/test_cluster.py": "three server processes together",
    "tests/server/test_cluster_kills.py": "nodes killed under concurrent clients",
    "tests/server/test_cluster_machines.py": "three machines by the command line",
    "tests/server/test_cluster_reads.py": "what each node of a cluster answers",
    "tests/server/test_cluster_refusals.py": "processes that cannot run as told",
    "tests/server/test_cluster_stop.py": "an orderly stop under load",
    "tests/test_conftest.py": "what pytest does here beyond pytest",
    "tests/test_purity.py": "all of core",
    "tests/test_tidy.py": "all of the project",
}
"""Test files that mirror no module, each with what it is about."""


def texts() -> dict[str, str]:
    """Return the project's files that are not Python, by path."""
    paths = [
        path
        for pattern in ("*.md", "*.toml", "docs/**/*.md", ".ci/*")
        for path in sorted(ROOT.glob(pattern))
    ]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def leftovers(module: Source) -> Iterator[Finding]:
    return tidy.leftovers(module.text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [tidy.functions, tidy.size, tidy.docstring, tidy.suppressions, leftovers]
)
def test_every_module_is_tidy(rule: Rule) -> None:
    modules = sources(*PACKAGES, "tests")

    assert_none([place for each in modules for place in places(each.path, rule(each))])


@pytest.mark.slow
@pytest.mark.parametrize("rule", [tidy.sleeps, tidy.mocks, tidy.skips])
def test_every_test_is_tidy(rule: Rule) -> None:
    modules = [each for each in sources("tests") if each.path != "tests/needs.py"]

    assert_none([place for each in modules for place in places(each.path, rule(each))])


def test_no_text_has_leftovers() -> None:
    found = [
        place for path, text in texts().items() for place in places(path, tidy.leftovers(text))
    ]

    assert_none(found)


@pytest.mark.slow
def test_no_module_is_dead() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    entry_points = [target.partition(":")[0] for target in scripts.values()]

    assert_none(layout.dead_modules(sources(*PACKAGES), entry_points))


def test_tests_mirror_the_tree() -> None:
    tests = [each.path for each in sources("tests") if "/test_" in each.path]
    modules = {each.name for each in sources(*PACKAGES)}

    assert_none(layout.unmirrored(tests, modules, NOT_MIRRORS))
    assert_none([path for path in NOT_MIRRORS if path not in tests])


@pytest.mark.slow
def test_every_test_can_fail() -> None:
    found = [
        place
        for module, finding in layout.toothless_tests(sources("tests"))
        for place in places(module.path, [finding])
    ]

    assert_none(found)


def test_every_link_leads_somewhere() -> None:
    def read(path: str) -> str | None:
        there = ROOT / path
        return there.read_text() if there.is_file() else "" if there.is_dir() else None

    found = [
        place
        for path, text in texts().items()
        if path.endswith(".md")
        for place in places(path, layout.broken_links(path, text, read))
    ]

    assert_none(found)


UNTIDY = [
    (tidy.functions, "def long():\n" + "    call()\n" * 70),
    (tidy.functions, "class A:\n    async def long(self):\n" + "        call()\n" * 70),
    (tidy.size, "x = 1\n" * 801),
    (tidy.size, "#" * 101),
    (tidy.size, "x = " + "1" * 97 + "  # noqa: N816 -- the directive does not count"),
    (tidy.docstring, "x = 1"),
    (tidy.docstring, '""""""\nx = 1'),
    (leftovers, "# todo: later".upper()),
    (leftovers, "# fixme".upper()),
    (leftovers, "# xxx".upper()),
    (tidy.suppressions, "x = 1  # noqa"),
    (tidy.suppressions, "x = 1  # noqa: F401, E501"),
    (tidy.suppressions, "x = 1  # type: ignore[attr-defined]"),
    (tidy.suppressions, "x = 1  # pragma: no cover"),
    (tidy.suppressions, "x = 1  # pragma: no cover -- sometimes"),
    (tidy.suppressions, "# ruff: noqa"),
    (tidy.suppressions, "# fmt: off"),
    (tidy.suppressions, "y = 2  # noqa: F401\nx = 1  # noqa: F401 -- a fine reason"),
    (tidy.sleeps, "time.sleep(1)"),
    (tidy.sleeps, "async def f():\n    await sleep(1)"),
    (tidy.sleeps, "# it has to settle\n\ntime.sleep(1)"),
    (tidy.mocks, "import unittest.mock"),
    (tidy.mocks, "from unittest import mock"),
    (tidy.mocks, "from unittest.mock import Mock"),
    (tidy.skips, "pytest.skip('no')"),
    (tidy.skips, "@pytest.mark.skip\ndef test(): ..."),
    (tidy.skips, "@pytest.mark.skipif(True)\ndef test(): ..."),
    (tidy.skips, "pytest.importorskip('hvac')"),
]


@pytest.mark.parametrize(("rule", "text"), UNTIDY)
def test_each_rule_bites(rule: Rule, text: str) -> None:
    assert 1 == len(list(rule(source("core/x.py", text))))


TIDY = [
    (tidy.functions, "def long():\n" + "    call()\n" * 69),
    (tidy.size, "x = 1\n" * 800),
    (tidy.size, "#" * 100),
    (tidy.size, "x = " + "1" * 96 + "  # noqa: N816 -- the directive does not count"),
    (tidy.docstring, ""),
    (tidy.docstring, '"""Own x."""\nx = 1'),
    (leftovers, "# today, xxx, XXXL"),
    (tidy.suppressions, "x = 1  # noqa: F401 -- imported for others"),
    (tidy.suppressions, "# It is imported for others.\nx = 1  # noqa: F401"),
    (tidy.suppressions, "x = 1  # type: ignore[misc]  # the stubs are wrong"),
    (tidy.suppressions, "x = '# noqa'"),
    (tidy.sleeps, "time.sleep(1)  # the kernel has no event for this"),
    (tidy.sleeps, "# the kernel has no event for this\ntime.sleep(1)"),
    (tidy.sleeps, "trio.sleep_forever()"),
    (tidy.mocks, "from trio.testing import MockClock"),
    (tidy.skips, "needs('wrk')"),
    (tidy.skips, "pytest.skip.Exception"),
]


@pytest.mark.parametrize(("rule", "text"), TIDY)
def test_near_misses_pass(rule: Rule, text: str) -> None:
    assert [] == list(rule(source("core/x.py", text)))


@pytest.mark.parametrize(
    "importing",
    [
        "import core.b",
        "from core.b import name",
        "from core import b",
        "from . import b",
        "from .b import name",
        "def f():\n    from core.b import name",
        "LAZY = {'b': 'core.b:name'}",
    ],
)
def test_a_module_that_another_names_is_alive(importing: str) -> None:
    modules = [source("core/a.py", importing), source("core/b.py", "import core.b")]

    assert ["core/a.py"] == layout.dead_modules(modules, ["core.main"])
    assert [] == layout.dead_modules(modules, ["core.a"])


def test_a_module_that_only_itself_names_is_dead() -> None:
    modules = [source("core/b.py", "import core.b"), source("core/bc.py", "'core.b c'")]

    assert ["core/b.py", "core/bc.py"] == layout.dead_modules(modules, [])


def test_relative_imports_count_from_the_package() -> None:
    modules = [
        source("core/__init__.py", "from .a import x"),
        source("core/a.py", ""),
        source("core/c/__init__.py", "from ..b import x"),
        source("core/b.py", ""),
        source("core/c/d.py", "from ..e import x"),
        source("core/e.py", "import core.c.d"),
    ]

    assert [] == layout.dead_modules(modules, [])


def test_mirrors_are_modules_packages_and_topics_of_them() -> None:
    modules = {"core.raft", "core.raft.quorum"}
    good = [
        "tests/core/test_raft.py",
        "tests/core/raft/test_quorum.py",
        "tests/core/raft/test_quorum_joint.py",
    ]
    bad = ["tests/core/raft/test_quorums.py", "tests/core/test_quorum.py", "tests/test_x.py"]

    assert bad == layout.unmirrored([*good, *bad], modules, [])
    assert bad[1:] == layout.unmirrored([*good, *bad], modules, bad[:1])


@pytest.mark.parametrize(
    "body",
    [
        "assert x",
        "with pytest.raises(E): x()",
        "pytest.fail('no')",
        "assert_alike(x)",
        "check(x)",
        "helper()",
        "outer()",
    ],
)
def test_a_test_that_can_fail_passes(body: str) -> None:
    helpers = "def helper():\n    assert x\ndef outer():\n    helper()\n"
    modules = [
        source("tests/helpers.py", helpers),
        source("tests/test_x.py", f"def test_x():\n    {body}"),
    ]

    assert [] == list(layout.toothless_tests(modules))


@pytest.mark.parametrize("body", ["x()", "assert True", "checked(x)", "return x", "test_x()"])
def test_a_test_that_cannot_fail_is_found(body: str) -> None:
    module = source("tests/test_x.py", f"class TestX:\n    def test_x(self):\n        {body}")

    assert [2] == [finding.line for _, finding in layout.toothless_tests([module])]


PAGES: Final = {"docs/a.md": "# One, two `three`\n```\n# Code\n```\n", "README.md": "", "docs": ""}


@pytest.mark.parametrize(
    "link",
    [
        "[a](a.md)",
        "[a](./a.md)",
        "[a](a.md#one-two-three)",
        "[a](../README.md 'title')",
        "[a](../docs)",
        "[b](#own)",
        "[c](https://example.com/a.md)",
        "[c](mailto:a@example.com)",
        "![a](a.md)",
        "```\n[a](nowhere.md)\n```",
        "a [b] (nowhere.md)",
    ],
)
def test_a_link_that_leads_somewhere_passes(link: str) -> None:
    assert [] == list(layout.broken_links("docs/b.md", f"# Own\n{link}", PAGES.get))


@pytest.mark.parametrize(
    "link",
    [
        "[a](b/a.md)",
        "[a](../a.md)",
        "[a](../../README.md)",
        "[a](a.md#code)",
        "[b](#other)",
        "![a](a.png)",
        "[a](<nowhere.md>)",
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    text = f"# Own\n```\n\n```\n{link}"

    found = list(layout.broken_links("docs/b.md", text, PAGES.get))

    assert [5] == [finding.line for finding in found]
