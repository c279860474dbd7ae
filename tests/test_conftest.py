"""What pytest does here beyond pytest: marks, `--slow`, needs that are not met."""

import pathlib
import re

import pytest

from tests.needs import needs

TESTS = """
import pytest
from tests.needs import needs

def test_plain():
    assert True is not None

@pytest.mark.soak
def test_soaking():
    assert True is not None

@pytest.fixture
def program():
    needs("no-such-program")

def test_program(program):
    raise AssertionError("is not reached")

def test_right():
    needs("the right to fly", met=False)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with this one's conftest and without the surroundings of this run."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("COVERAGE_RUN", raising=False)
    pytester.makeini("[pytest]\nmarkers = slow\n soak\n")
    pytester.makeconftest(pathlib.Path(__file__).with_name("conftest.py").read_text())
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:xdist", *arguments)


def test_soak_rounds_run_on_demand(project: pytest.Pytester) -> None:
    project.makepyfile(TESTS)

    run(project).assert_outcomes(passed=1, skipped=2, deselected=1)
    run(project, "--slow").assert_outcomes(passed=2, skipped=2)


def test_tests_that_did_not_run_are_named(project: pytest.Pytester) -> None:
    project.makepyfile(TESTS)

    result = run(project)

    assert pytest.ExitCode.OK == result.ret
    assert [
        "test_tests_that_did_not_run_are_named.py::test_program not run: needs no-such-program",
        "test_tests_that_did_not_run_are_named.py::test_right not run: needs the right to fly",
    ] == [line for line in result.outlines if "not run: " in line]


def test_tests_that_did_not_run_fail_the_session_in_ci(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(TESTS)
    monkeypatch.setenv("CI", "true")

    assert pytest.ExitCode.TESTS_FAILED == run(project).ret
    assert pytest.ExitCode.OK == run(project, "-k", "plain").ret


def test_met_needs_let_a_test_run() -> None:
    needs("sh")
    needs("the right to run", met=True)

    with pytest.raises(pytest.skip.Exception, match=re.escape("not run: needs no-such-program")):
        needs("no-such-program")


def test_unmarked_slow_tests_are_named(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_unmarked():
            assert True is not None

        @pytest.mark.slow
        def test_marked():
            assert True is not None
        """
    )
    text = pathlib.Path(__file__).with_name("conftest.py").read_text()
    project.makeconftest(text.replace("FAST_SECONDS_MAX: Final = 0.25", "FAST_SECONDS_MAX = -1"))

    result = run(project)

    assert ["test_unmarked_slow_tests_are_named.py::test_unmarked"] == [
        line.split()[-1] for line in result.outlines if " s test_" in line
    ]
