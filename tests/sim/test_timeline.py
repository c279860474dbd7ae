"""A trace as text."""

from sim.timeline import LINE_COLUMNS, RECORD_LINES_MAX, TraceRecord, render, window

MS = 1_000_000
TRACE = [
    TraceRecord(1 * MS, "n1", "sent", "AppendRequest to n2"),
    TraceRecord(2 * MS, "n2", "received", "AppendRequest from n1"),
    TraceRecord(900 * MS, "", "fault", "partition n1 | n2"),
    TraceRecord(901 * MS, "n1", "failed"),
]


def test_a_line_has_time_lanes_node_kind_and_text() -> None:
    assert [
        "     seconds  ||  n1 n2",
        "    0.001000  *|  n1  sent         AppendRequest to n2",
        "    0.002000  |*  n2  received     AppendRequest from n1",
        "         ...  ..",
        "    0.900000  ||      fault        partition n1 | n2",
        "    0.901000  *|  n1  failed",
    ] == list(render(TRACE, ("n1", "n2")))


def test_a_rule_shows_where_the_run_failed() -> None:
    lines = list(render(TRACE, ("n1", "n2"), failed_at_ns=2 * MS))
    at_the_end = list(render(TRACE, ("n1", "n2"), failed_at_ns=901 * MS))

    assert f"    0.002000  {' FAILED HERE ':=^60}" == lines[3]
    assert 1 == sum("FAILED HERE" in line for line in lines)
    assert f"    0.901000  {' FAILED HERE ':=^60}" == at_the_end[-1]


def test_a_long_text_goes_on_below_itself() -> None:
    record = TraceRecord(1 * MS, "n1", "violation", "first\n" + "word " * 40)
    lines = list(render([record], ("n1", "n2")))

    assert ["    0.001000  *|  n1  violation    first", "              ||" + " " * 19 + "word"] == [
        lines[1],
        lines[2][:39],
    ]
    assert 5 == len(lines)
    assert max(map(len, lines)) <= LINE_COLUMNS


def test_a_text_without_end_is_cut() -> None:
    record = TraceRecord(1 * MS, "n1", "violation", "line\n" * 50)
    lines = list(render([record], ("n1",)))

    assert 1 + RECORD_LINES_MAX + 1 == len(lines)
    assert lines[-1].endswith("... 30 more lines")


def test_a_window_is_cut_out_of_a_trace() -> None:
    assert TRACE[1:3] == window(TRACE, 500 * MS, before_ns=498 * MS, after_ns=400 * MS)
    assert TRACE == window(TRACE, 500 * MS, before_ns=1_000 * MS, after_ns=1_000 * MS)
    assert [] == window([], 500 * MS, before_ns=1, after_ns=1)


def test_a_trace_without_nodes_has_no_lanes() -> None:
    assert ["     seconds", "    0.001000    n1  sent         x"] == [
        line.rstrip() for line in render([TraceRecord(MS, "n1", "sent", "x")], ())
    ]
