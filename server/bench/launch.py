"""How a child of a benchmark begins: tied to its parent, on its core, then it is the program.

Owns the three arguments before the program's own. It is a module of its own, and small, because
its imports count in the time until a server answers first.
"""

import os
import sys
from importlib import import_module
from typing import Final

from server.parent import end_with_parent

ANY_CORE: Final = "any"
PYTHON: Final = "python:"
"""A program that starts with this is the function `main` of the module behind it."""


def main() -> None:
    """Become the program; the arguments are parent, core, program, and what it is told."""
    _, parent, core, program, *told = sys.argv
    end_with_parent(int(parent))
    if core != ANY_CORE:
        os.sched_setaffinity(0, {int(core)})
    if program.startswith(PYTHON):
        sys.argv = [program, *told]
        sys.exit(import_module(program.removeprefix(PYTHON)).main())
    try:
        os.execvp(program, [program, *told])  # noqa: S606 -- programs that a benchmark names
    except OSError as error:
        sys.exit(f"{program}: {error.strerror}")
