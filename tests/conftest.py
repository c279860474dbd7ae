"""How the tests run: repeatable examples, rounds that only `--slow` runs, no unseen gaps.

Two marks tell slow tests apart. `slow` tests take more than a quarter of a second and always run.
`soak` tests are further rounds of what the others show already; they run with `--slow` only.
"""

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.needs import NOT_RUN

FAST_SECONDS_MAX: Final = 0.25
"""A test above this should be marked as slow."""

# The same examples on every run, judged without a clock: a test must not depend on how busy the
# machine is. Soaking looks for new examples instead.
_QUIET: Final = (HealthCheck.too_slow,)
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=_QUIET
)
settings.register_profile(
    "soak", max_examples=1000, deadline=None, suppress_health_check=_QUIET, print_blob=True
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--slow`."""
    parser.addoption("--slow", action="store_true", help="also run the tests marked `soak`")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples that Hypothesis draws."""
    settings.load_profile("soak" if config.getoption("--slow") else "repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only `--slow` runs."""
    if not config.getoption("--slow"):
        soaking = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soaking)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session in CI that left out a test."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and _not_run(reporter):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that were not run, and those that should carry a mark."""
    if not_run := _not_run(terminalreporter):
        terminalreporter.section("not run")
        terminalreporter.write_line("\n".join(not_run))
    # Tracing slows tests down, so what they take then says nothing.
    if "COVERAGE_RUN" not in os.environ and (unmarked := _unmarked(terminalreporter)):
        terminalreporter.section(f"above {FAST_SECONDS_MAX} s without the mark `slow`")
        terminalreporter.write_line("\n".join(unmarked))


def _not_run(reporter: pytest.TerminalReporter) -> list[str]:
    skipped = [
        (report.nodeid, report.longrepr[2].removeprefix("Skipped: "))
        for report in reporter.getreports("skipped")
    ]
    return [f"{test} {reason}" for test, reason in skipped if reason.startswith(NOT_RUN)]


def _unmarked(reporter: pytest.TerminalReporter) -> list[str]:
    return [
        f"{report.duration:.2f} s {report.nodeid}"
        for report in reporter.getreports("passed")
        if report.when == "call"
        and report.duration > FAST_SECONDS_MAX
        and report.keywords.keys().isdisjoint({"slow", "soak"})
    ]
