"""Planted bugs: each has its place in the source, and the simulator finds it."""

import sys
from functools import partial

import pytest

from sim.campaign import each
from sim.mutants import MUTANTS, Mutant, Substitution, mutant_of
from sim.mutation import MutantRotten, check_fits, mutated, plant
from sim.run import Result, Run, plan_of, run_seed

SEEDS_MAX = 200
"""So many seeds at most are needed to find any of them."""
UNWATCHED_SEEDS_MAX = 60
"""So many at most are needed by the checker of histories alone."""
CLIENT_VISIBLE = (
    "no-empty-entry",
    "cas-against-applied",
    "read-before-own-commit",
    "refusal-unconfirmed",
)
NAMES = [mutant.name for mutant in MUTANTS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_mutant_fits_the_source(mutant: Mutant) -> None:
    check_fits(mutant)


def test_names_are_unique() -> None:
    assert len(NAMES) == len(set(NAMES))


def test_what_a_mutant_replaces_must_be_there() -> None:
    with pytest.raises(MutantRotten, match="stands 0 times"):
        mutated("a = 1", [Substitution("m", "b", "c")])


def test_what_a_mutant_replaces_must_be_there_once() -> None:
    with pytest.raises(MutantRotten, match="stands 2 times"):
        mutated("a = a", [Substitution("m", "a", "c")])


def test_all_substitutions_are_made() -> None:
    substitutions = [Substitution("m", "a", "b"), Substitution("m", "1", "2")]

    assert mutated("a = 1", substitutions) == "b = 2"


def test_a_module_that_is_imported_already_cannot_be_changed() -> None:
    assert "core.raft.election" in sys.modules
    with pytest.raises(MutantRotten, match="imported already"):
        plant("no-empty-entry")


def test_no_name_plants_nothing() -> None:
    before = list(sys.meta_path)
    plant("")

    assert before == sys.meta_path


def test_a_module_that_is_gone() -> None:
    with pytest.raises(MutantRotten, match="there is no module"):
        check_fits(Mutant("gone", "", (Substitution("core.gone", "a", "b"),)))


def test_an_unknown_mutant() -> None:
    with pytest.raises(KeyError):
        mutant_of("unknown")


def run_unwatched(seed: int) -> Result:
    """Run a seed with nothing to judge it but what clients are answered."""
    return Run(plan_of(seed, 5), invariants=()).go()


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENT_VISIBLE)
def test_the_checker_alone_finds_it(name: str) -> None:
    """Clients come upon it themselves: no order of their operations explains the answers."""
    results = each(run_unwatched, range(UNWATCHED_SEEDS_MAX), 1, name)

    assert any(result.failure.startswith("Violated: Linearizability") for result in results)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_simulator_finds_it(name: str) -> None:
    """Some seed of those that hold on clean code fails."""
    results = each(partial(run_seed, nodes=5), range(SEEDS_MAX), 1, name)

    assert any(not result.ok for result in results)
