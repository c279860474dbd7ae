"""Plants a bug: changes the source of named modules of `core` while they are imported.

Owns the import hook. `core` itself stays clean. Must import nothing of `core`: a module that is
imported already cannot be changed any more. A process plants one bug before all else and keeps
it to its end.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType

from sim.mutants import Mutant, Substitution, mutant_of


class MutantRotten(Exception):
    """A mutant does not fit the source any more, or comes too late to change it."""


class _MutatingLoader(SourceFileLoader):
    """Compiles the changed source; what is cached on disk is neither read nor written."""

    def __init__(self, fullname: str, path: str, substitutions: Sequence[Substitution]) -> None:
        super().__init__(fullname, path)
        self._substitutions = substitutions

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module with the bug in it."""
        path = self.get_filename(fullname)
        source = mutated(self.get_data(path).decode(), self._substitutions)
        return compile(source, path, "exec", dont_inherit=True)


class _MutatingFinder(MetaPathFinder):
    """Finds the modules that a mutant changes, and leaves all others to the rest."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return how to load `fullname` with the bug in it, or None if it has none."""
        substitutions = self._mutant.of_module(fullname)
        if not substitutions:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise MutantRotten(f"{self._mutant.name}: there is no module {fullname}")
        spec.loader = _MutatingLoader(fullname, spec.origin, substitutions)
        return spec


def plant(name: str) -> None:
    """Plant the mutant `name` in this process; an empty name plants none.

    Raises:
        KeyError: there is no such mutant.
        MutantRotten: a module that it changes is imported already, or it fits no more.
    """
    if not name:
        return
    mutant = mutant_of(name)
    for module in mutant.modules:
        if module in sys.modules:
            raise MutantRotten(f"{name}: {module} is imported already")
    check_fits(mutant)
    sys.meta_path.insert(0, _MutatingFinder(mutant))


def check_fits(mutant: Mutant) -> None:
    """See whether each substitution of a mutant has its place in the source.

    Raises:
        MutantRotten: one has none, or several.
    """
    for module in mutant.modules:
        compile(mutated(_source_of(module), mutant.of_module(module)), module, "exec")


def mutated(source: str, substitutions: Sequence[Substitution]) -> str:
    """Return `source` with all substitutions made.

    Raises:
        MutantRotten: what is to be replaced is not there exactly once.
    """
    for substitution in substitutions:
        count = source.count(substitution.old)
        if count != 1:
            raise MutantRotten(
                f"in {substitution.module} this stands {count} times:\n{substitution.old}"
            )
        source = source.replace(substitution.old, substitution.new)
    return source


def _source_of(module: str) -> str:
    # The packages on the way are imported by this; they hold no code that a mutant changes.
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MutantRotten(f"there is no module {module}")
    return Path(spec.origin).read_text(encoding="utf-8")
