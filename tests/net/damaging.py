"""Damages a base in many ways, and starts on each until it is whole or was set aside.

Runs as a program, which forks for each start: LMDB may end a process that looks at a damaged base
by a signal. Prints what became of each damage as JSON.
"""

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from core.store.base import BaseMeta
from net.base_directory import VERIFICATIONS_MAX, BaseDirectory
from net.lmdb_base import BaseDamaged

STAMP: Final = b"a node"
STARTS_MAX: Final = VERIFICATIONS_MAX + 3
META: Final = BaseMeta(9, 1)
PAGE_BYTES: Final = 4096
META_PAGES: Final = 2
META_BYTES: Final = 152
"""The part of a meta page that means something."""
START_S_MAX: Final = 10
"""A start that takes longer goes round in circles."""

WHOLE, ASIDE, WRONG, AGAIN = range(4)
"""How a start ends: all is there; the base is empty and known to be; neither; by an error."""
OUTCOMES: Final = ("whole", "aside", "wrong")


def values() -> dict[bytes, bytes]:
    """Return what is in the base: several leaves, records of several pages, a branch."""
    return {b"key-%03d" % number: b"%03d" % number * (number % 12) ** 2 * 9 for number in range(60)}


def make(path: Path) -> None:
    """Make a base of two flushes, as a process leaves it that was killed."""
    path.mkdir()
    directory = BaseDirectory(path, STAMP)
    for meta, changes in (
        (BaseMeta(5, 1), [(key, b"former") for key in values()]),
        (META, list(values().items())),
    ):
        for _ in directory.base.merge(meta, changes):
            pass
        directory.flushed(meta)
    directory.close(whole=False)


def start(path: Path) -> int:
    """Open the base, look at all of it, end; return how that went."""
    directory = BaseDirectory(path, STAMP)
    base = directory.base
    found = dict(base.iterate(b"", b"\xff"))
    ways = {key: base.get(key) for key in values()}
    outcome = WRONG
    if base.meta == META and found == ways == values():
        outcome = WHOLE
    elif base.meta == BaseMeta() and not found:
        outcome = ASIDE
    directory.close(whole=True)
    return outcome


def forked(path: Path) -> int:
    """Start in another process; return how that ended."""
    child = os.fork()
    if child == 0:
        signal.alarm(START_S_MAX)
        outcome = AGAIN
        try:
            outcome = start(path)
        except BaseDamaged:
            pass
        finally:
            os._exit(outcome)
    status = os.waitpid(child, 0)[1]
    return AGAIN if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def outcome_of(path: Path) -> str:
    """Start until a start does not end by an error; return how it ended."""
    for _ in range(STARTS_MAX):
        outcome = forked(path)
        if outcome != AGAIN:
            return OUTCOMES[outcome]
    return "never"


def damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each damage: what it is, and the file with it."""
    for length in (0, 1, 100, PAGE_BYTES, PAGE_BYTES + 152, 2 * PAGE_BYTES, 3 * PAGE_BYTES + 7):
        yield f"cut to {length}", content[:length]
    yield "cut in the middle", content[: len(content) // 2]
    yield "without the last byte", content[:-1]
    for page in range(META_PAGES):
        yield f"zeroed meta page {page}", zeroed(content, page)
        for offset in range(0, META_BYTES, 4):
            yield f"meta page {page} byte {offset}", flipped(content, page * PAGE_BYTES + offset)
    for page in range(META_PAGES, len(content) // PAGE_BYTES):
        yield f"zeroed page {page}", zeroed(content, page)
        for offset in (8, 10, 12, 14, 16, 18, PAGE_BYTES // 2, PAGE_BYTES - 9):
            yield f"page {page} byte {offset}", flipped(content, page * PAGE_BYTES + offset)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes((content[position] ^ 0x11,)) + content[position + 1 :]


def zeroed(content: bytes, page: int) -> bytes:
    position = page * PAGE_BYTES
    return content[:position] + bytes(PAGE_BYTES) + content[position + PAGE_BYTES :]


def main(directory: Path, *, killed: bool) -> dict[str, str]:
    """Return what became of each damage."""
    whole = directory / "whole"
    make(whole)
    if not killed:
        (whole / "suspect").unlink()
    content = (whole / "base-1" / "data.mdb").read_bytes()
    outcomes = {}
    for what, damaged in damages(content):
        path = directory / "damaged"
        shutil.copytree(whole, path)
        (path / "base-1" / "data.mdb").write_bytes(damaged)
        outcomes[what] = outcome_of(path)
        shutil.rmtree(path)
    return outcomes


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    json.dump(main(Path(sys.argv[1]), killed=sys.argv[2] == "killed"), sys.stdout)
