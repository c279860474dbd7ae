"""How outages are told, and when a run is a failure."""

from server.bench.failover import report


def test_twenty_outages() -> None:
    """The 99th percentile of so few is the longest of them."""
    made = report([second * 10**8 for second in range(1, 21)], 0, 500, ("3 nodes",))

    assert [
        ("leader killed to first acknowledged write, p50", 1.0, "s"),
        ("leader killed to first acknowledged write, p99", 2.0, "s"),
        ("leader killed to first acknowledged write, max", 2.0, "s"),
        ("acknowledged writes lost", 0, "writes"),
    ] == [(figure.name, figure.value, figure.unit) for figure in made.figures]
    assert [] == made.problems
    assert ("3 nodes", "500 acknowledged writes, all read back") == made.figures[3].conditions


def test_a_lost_write_is_a_failure() -> None:
    made = report([10**9], 2, 500, ())

    assert ["2 of 500 acknowledged writes are lost"] == made.problems
    assert 2 == made.figures[3].value
