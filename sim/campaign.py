"""Many runs, in this process or in several others.

Owns the order of results and where a mutant is planted: in processes of its own, before they
import `core`, so that this one stays clean. Must not know what a run does.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Final, TypeVar

from sim.mutants import mutant_of
from sim.mutation import check_fits, plant

AHEAD: Final = 4
"""Runs that wait for each process, so that it never idles and little is lost when one ends it."""

Given = TypeVar("Given")
Made = TypeVar("Made")


def each(
    work: Callable[[Given], Made], items: Iterable[Given], jobs: int = 1, mutant: str = ""
) -> Iterator[Made]:
    """Yield what `work` makes of each item, in the order of the items.

    Args:
        work: a function of a module, or a `partial` of one, as it may have to run elsewhere.
        items: what it is given.
        jobs: how many processes share the work; with one and no mutant it is done here.
        mutant: the bug to plant, or empty.

    Raises:
        KeyError: there is no such mutant.
        sim.mutation.MutantRotten: it does not fit the source any more.
    """
    if jobs == 1 and not mutant:
        yield from map(work, items)
        return
    if mutant:
        check_fits(mutant_of(mutant))
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=plant, initargs=(mutant,)) as pool:
        waiting = iter(items)
        under_way = [pool.submit(work, item) for item in islice(waiting, jobs * AHEAD)]
        try:
            while under_way:
                made = under_way.pop(0).result()
                under_way += [pool.submit(work, item) for item in islice(waiting, 1)]
                yield made
        finally:
            for future in under_way:
                future.cancel()
