"""How modules are loaded by a program that answers others.

Owns one decision about the garbage collector. Must not know what is loaded.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Take what comes to be meanwhile for lasting: modules, their classes and functions.

    The collector finds nothing to free there. If it looked all the same, now and then all
    requests of a server would wait for 20 ms, and its start would take that much longer.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
