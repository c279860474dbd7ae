"""Planted bugs: each has its place in the source, and the simulator finds it."""

import sys
from functools import partial

import pytest

from sim.campaign import each
from sim.mutants import MUTANTS, Mutant, Substitution, mutant_of
from sim.mutation import MutantRotten, check_fits, mutated, plant
from sim.run import run_seed

SEEDS_MAX = 200
"""So many seeds at most are needed to find any of them."""
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


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_simulator_finds_it(name: str) -> None:
    """Some seed of those that hold on clean code fails."""
    results = each(partial(run_seed, nodes=5), range(SEEDS_MAX), 1, name)

    assert any(not result.ok for result in results)
