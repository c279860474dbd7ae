"""The arithmetic over rounds, and how figures look."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.bench.figure import Figure, number, of_rounds, percentile, render_json, render_table


def test_the_value_is_the_median_and_tells_least_and_most() -> None:
    figure = of_rounds("reads", [3.0, 1.0, 8.0], "requests/s", ("TLS",))

    assert Figure(
        name="reads", value=3.0, unit="requests/s", conditions=("TLS", "min 1, max 8")
    ) == (figure)


def test_ratios_are_taken_pair_by_pair() -> None:
    """The ratio of the medians would be 2."""
    figure = of_rounds("reads", [10, 20, 90], "/s", (), theirs=[10, 5, 30], against="peer")

    assert (20, 3, "peer") == (figure.value, figure.ratio, figure.against)
    assert (
        "min 10, max 90",
        "ratio min 1, max 4",
        "peer: 10 /s, min 5, max 30",
    ) == figure.conditions


@pytest.mark.parametrize("theirs", [[], [0.0, 0.0]])
def test_without_a_peer_that_answers_there_is_no_ratio(theirs: list[float]) -> None:
    figure = of_rounds("reads", [1.0, 2.0], "/s", (), theirs=theirs, against="peer")

    assert (None, None) == (figure.ratio, figure.against)


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="round"):
        of_rounds("reads", [], "/s", ())
    with pytest.raises(ValueError, match="shorter"):
        of_rounds("reads", [1.0, 2.0], "/s", (), theirs=[1.0], against="peer")


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50.0, 0),
        ([7], 1.0, 7),
        ([1, 2, 3, 4], 50.0, 2),
        ([1, 2, 3, 4], 51.0, 3),
        (list(range(1, 101)), 99.0, 99),
        (list(range(1, 21)), 99.0, 20),
        ([1, 2, 3], 100.0, 3),
    ],
)
def test_percentiles_by_nearest_rank(values: list[int], percent: float, expected: int) -> None:
    assert expected == percentile(values, percent)


@pytest.mark.slow
@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.5, 100.0))
def test_a_percentile_leaves_no_more_above_than_it_says(values: list[int], percent: float) -> None:
    """And it is one of the values."""
    found = percentile(sorted(values), percent)

    assert found in values
    assert sum(value <= found for value in values) * 100 >= len(values) * percent - 1e-6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0, "2"),
        (0.123456, "0.1235"),
        (1234.56, "1,235"),
        (17123.4, "17,120"),
        (1_234_567, "1,235,000"),
    ],
)
def test_numbers_have_the_digits_worth_telling(value: float, expected: str) -> None:
    assert expected == number(value)


FIGURES = [
    Figure(
        name="reads", value=12.3456, unit="/s", against="peer", ratio=2, conditions=("TLS", "a")
    ),
    Figure(name="memory", value=60, unit="MB", conditions=("TLS",)),
]


def test_json_for_scripts() -> None:
    assert [
        {
            "name": "reads",
            "value": 12.35,
            "unit": "/s",
            "against": "peer",
            "ratio": 2.0,
            "conditions": "TLS; a",
        },
        {
            "name": "memory",
            "value": 60.0,
            "unit": "MB",
            "against": None,
            "ratio": None,
            "conditions": "TLS",
        },
    ] == json.loads(render_json(FIGURES))


def test_a_table_tells_shared_conditions_once() -> None:
    assert (
        "Name      Value    Unit    Against    Ratio\n"
        "----      -----    ----    -------    -----\n"
        "reads     12.35    /s      peer       2\n"
        "memory    60       MB\n"
        "\n"
        "all: TLS\n"
        "reads: a"
    ) == render_table(FIGURES)


def test_a_single_figure_has_all_conditions_to_itself() -> None:
    assert render_table(FIGURES[1:]).endswith("\n\nmemory: TLS")
