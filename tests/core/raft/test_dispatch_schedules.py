"""Whatever is lost, repeated, late, crashed or cut: the promises of consensus hold, and once it
is over the members agree again.

Invariants: election safety, log matching, leader completeness, nothing committed is ever lost or
changed, terms and votes never go back, no read is stale, no lease outlives its leader. Bugs 1-29
and 32-36 of those that others have had are mistakes which such schedules are made to find.
"""

from random import Random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.core.raft.schedule import Walk

STEPS = 400


@pytest.mark.slow
@given(st.lists(st.integers(0, 2**40 - 1), min_size=50, max_size=150), st.integers(0, 8))
def test_no_schedule_breaks_a_promise(numbers: list[int], kind: int) -> None:
    """Schedules that shrink: the failing script is the shortest that Hypothesis finds."""
    walk = Walk(kind)
    for number in numbers:
        walk.step(number)
        note(walk.script[-1])
    walk.recover()

    assert walk.player.cluster.stopped == []


@pytest.mark.parametrize("seed", range(36))
def test_no_long_schedule_breaks_a_promise(seed: int) -> None:
    walk = walked(seed)
    walk.recover()

    assert walk.player.cluster.stopped == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(36, 336))
def test_no_long_schedule_breaks_a_promise_for_long(seed: int) -> None:
    walk = walked(seed)
    walk.recover()

    assert walk.player.cluster.stopped == []


@pytest.mark.slow
def test_schedules_get_far() -> None:
    """They elect leaders, commit entries, change the membership and confirm reads."""
    walks = [walked(seed) for seed in range(36)]

    commits = [machine.running.commit for walk in walks for machine in walk.player.cluster.up()]
    assert max(commits) > 20
    assert {"change", "lose", "flush", "compact", "transfer", "repeat"} <= {
        command.split()[0] for walk in walks for command in walk.script
    }
    assert sum(walk.reads_confirmed for walk in walks) > 20


def test_a_schedule_is_a_script() -> None:
    """Playing the commands of a schedule again leads to the same members."""
    walk = walked(1, steps=100)
    again = Walk(1)
    for command in walk.script[len(again.script) :]:
        again.play(command)

    assert walk.player.shown == again.player.shown


def walked(seed: int, steps: int = STEPS) -> Walk:
    """Return a walk whose schedule is drawn from a seed; if it breaks, show it as a script."""
    random = Random(seed)
    walk = Walk(seed)
    try:
        for _ in range(steps):
            walk.step(random.getrandbits(40))
    except AssertionError as broken:
        broken.add_note("\n".join(walk.script))
        raise
    return walk
