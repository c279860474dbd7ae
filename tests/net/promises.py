"""What a node has promised, recorded with all that it does to its disk, and looked for afterwards.

Three stories: a whole node that serves secrets; its storage with a snapshot, a log that is cut
and an orderly end; the log alone. Each can go on with a second life on what a crash has left.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from core import effects, events
from core.check import InvariantBroken
from core.store.base import BaseMeta
from core.wal.recovery import Recovered, WalDamaged, WalForeign, recover
from core.wal.writer import SEGMENT_BYTES_MIN
from net import credentials, membership
from net.data_directory import DataDirectoryError
from net.durably import make_directory
from net.wal_files import OsDirectory, StorageFailed, WalFiles
from tests.core.wal.disk import STAMP, entries
from tests.net.driven import Driven, running
from tests.net.forgetful_tree import (
    Entry,
    Kill,
    Mark,
    PowerLoss,
    Sync,
    SyncNames,
    Tree,
    crashes,
    write_out,
)
from tests.net.recorder import Recorder, recording, seen
from tests.net.storage import Life, living

DATA: Final = "above/there/data"
"""Below a directory that is durable; the ones between are made by the node."""
SECRETS: Final = 24
SMALL: Final = SEGMENT_BYTES_MIN // 3
"""Two entries of this size go into a segment."""
LARGE: Final = SEGMENT_BYTES_MIN * 3 // 4
"""An entry of this size finds no room behind a small one."""


class Lost(Exception):
    """What was promised is gone."""


BROKEN: Final = (
    Lost,
    DataDirectoryError,
    StorageFailed,
    WalDamaged,
    WalForeign,
    InvariantBroken,
)
"""What a node that has lost something ends with at its next start, or those who ask it."""


class Story(NamedTuple):
    """Something that promises.

    Attributes:
        begin: what happens on an empty disk.
        resume: what happens on what a crash has left.
        check: looks on what a crash has left for all that was promised; raises one of `BROKEN`.
    """

    begin: Callable[[Path, Recorder], Awaitable[None]]
    resume: Callable[[Path, Recorder], Awaitable[None]]
    check: Callable[[Path, dict[str, Any]], Awaitable[None]]


# -- a whole node ---------------------------------------------------------------------------


async def serve(path: Path, recorder: Recorder) -> None:
    """Begin a cluster, and write until the base was flushed and the log cut."""
    driven = Driven(path, listens=True)
    recorder.promise("node", driven.driver.node.info.node)
    async with running(driven):
        await driven.initialise()
        recorder.promise("credentials", credentials.load(path))
        recorder.promise("membership", membership.load(path))
        recorder.promise("seal", (driven.keys, driven.token))
        await write(driven, recorder, "first")


async def serve_again(path: Path, recorder: Recorder) -> None:
    """Start, open it if it was begun, and go on writing."""
    driven = Driven(path, listens=True)
    known = recorder.known()
    async with running(driven):
        if "seal" in known:
            driven.keys, driven.token = known["seal"]
            await driven.unseal()
            await write(driven, recorder, "second")


async def write(driven: Driven, recorder: Recorder, life: str) -> None:
    for number in range(SECRETS):
        name, value = f"secret/{life}-{number}", f"{number}" * 900
        await driven.told("update", name, {"v": value})
        recorder.promise(name, value)


async def look(path: Path, known: dict[str, Any]) -> None:
    """Start a node there, open it, and ask for all that was promised."""
    driven = Driven(path)
    found: dict[str, object] = {
        "node": driven.driver.node.info.node,
        "credentials": credentials.load(path),
        "membership": membership.load(path),
    }
    async with running(driven):
        if "seal" in known:
            found["seal"] = driven.keys, driven.token = known["seal"]
            await driven.unseal()
        for name in known:
            if name.startswith("secret/"):
                response = await driven.ask("read", name)
                if response.status == 200:
                    found[name] = (await driven.told("read", name))["data"]["v"]
        assert (await driven.ask("read", "sys/seal-status")).status == 200
    lost = [name for name in known if known[name] != found.get(name)]
    if lost:
        raise Lost(lost)


# -- the storage ----------------------------------------------------------------------------


async def keep(path: Path, recorder: Recorder) -> None:
    """Write the log, flush, cut, replace the base by a snapshot, go on behind it, end in order."""
    async with living(path) as life:
        recorder.promise("node", life.directory.identity.node)
        await append(life, recorder, 1, 4)
        await recorder.beside(append(life, recorder, 5, 1), flush(life, recorder, 3))
        await life.drop(4)
        await snapshot(life, recorder, 10)
        await append(life, recorder, 11, 4)
        await recorder.beside(life.drop(11), flush(life, recorder, 13))
        await life.drop(14)


async def keep_again(path: Path, recorder: Recorder) -> None:
    """Start on what is there: what was read is a promise too, and it all goes on."""
    async with living(path) as life:
        index = life.storage.base.meta.index
        recorder.promise("node", life.directory.identity.node)
        recorder.promise("base", index)
        if life.recovered.entries:
            recorder.promise("entry", life.recovered.entries[-1])
            index = max(index, life.recovered.entries[-1].index)
        await append(life, recorder, index + 1, 1, size=LARGE)
        await append(life, recorder, index + 2, 2)
        await flush(life, recorder, index + 3)
        await life.drop(index + 3)


async def append(life: Life, recorder: Recorder, first: int, count: int, size: int = SMALL) -> None:
    for entry in entries(first, count, term=first, size=size):
        await life.append(entry)
        recorder.promise("entry", entry)


async def flush(life: Life, recorder: Recorder, index: int) -> None:
    meta = BaseMeta(index, 1, b"", 0, life.storage.base.meta.void_through)
    assert events.BaseFlushed(index) == await life.flush(meta, a=f"{index}")
    recorder.promise("base", index)


async def snapshot(life: Life, recorder: Recorder, index: int) -> None:
    """Put a snapshot in place while the last batch that it makes void is under way."""
    await life.carry_out(
        effects.StageSnapshot(index, 0, [(b"a", b"%d" % index)]),
        effects.StageSnapshot(index, 1, [(b"b", b"%d" % index)]),
    )
    void_through = life.writer.sequence + 1
    await recorder.beside(
        life.append(*entries(6, 1, term=6, size=SMALL)),
        replace(life, recorder, BaseMeta(index, 1, b"", 0, void_through)),
    )
    assert void_through == life.writer.sequence


async def replace(life: Life, recorder: Recorder, meta: BaseMeta) -> None:
    await life.carry_out(effects.ReplaceBase(meta.index, meta))
    await life.base_idle()
    recorder.promise("base", meta.index)


async def inspect(path: Path, known: dict[str, Any]) -> None:
    """Open the storage there, and look for all that was promised."""
    life = Life(path)
    try:
        meta = life.storage.base.meta
        if known.get("node") not in {None, life.directory.identity.node}:
            raise Lost("node")
        if known.get("base", 0) > meta.index:
            raise Lost("base")
        if meta.index and life.values()[b"a"] != b"%d" % meta.index:
            raise Lost("values")
        check_log(life.recovered, known, meta.index)
    finally:
        life.close()


def check_log(recovered: Recovered, known: dict[str, Any], base_index: int) -> None:
    promised, found = known.get("entry"), recovered.entries
    if found and found[0].index > base_index + 1:
        raise Lost("entries between base and log")
    if promised is not None and promised.index > base_index and promised not in found:
        raise Lost("entry")


# -- the log alone --------------------------------------------------------------------------


async def log(path: Path, recorder: Recorder) -> None:
    """Write a segment for each entry, and cut several at once."""
    files, recovered = opened_log(path, recorder.known())
    files.write(recovered.cut)
    files.sync()
    writer = recovered.writer
    files.drop(writer.droppable(recorder.known().get("base", 0) + 1))
    index = recovered.entries[-1].index if recovered.entries else 0
    for entry in entries(index + 1, 6, term=index + 1, size=LARGE):
        request = writer.wants_segment()
        if request is not None:
            files.prepare(request.number, request.size)
            writer.segment_ready(request.number)
        written = writer.append(None, [entry])
        files.write(written.writes)
        files.sync()
        writer.durable(written.sequence)
        recorder.promise("entry", entry)
    recorder.promise("base", index + 5)
    files.drop(writer.droppable(index + 6))
    files.close()


async def inspect_log(path: Path, known: dict[str, Any]) -> None:
    files, recovered = opened_log(path, known)
    files.close()
    check_log(recovered, known, known.get("base", 0))


def opened_log(path: Path, known: dict[str, Any]) -> tuple[WalFiles, Recovered]:
    make_directory(path)
    files = WalFiles(OsDirectory(path / "wal"))
    recovered = recover(
        files.read_all(),
        stamp=STAMP,
        segment_bytes=SEGMENT_BYTES_MIN,
        base_index=known.get("base", 0),
    )
    return files, recovered


# -- telling them ---------------------------------------------------------------------------

NODE: Final = Story(serve, serve_again, look)
STORAGE: Final = Story(keep, keep_again, inspect)
LOG: Final = Story(log, log, inspect_log)


class Told(NamedTuple):
    """A story that was told.

    Attributes:
        story: which.
        journal: what was done and promised.
        since: where its last life begins.
    """

    story: Story
    journal: list[Entry]
    since: int


async def told(story: Story, root: Path) -> Told:
    """Tell a story in the directory `root`, which is not there yet."""
    write_out({}, root)
    with recording(root) as recorder:
        await story.begin(root / DATA, recorder)
    check_complete(recorder.journal, root)
    return Told(story, recorder.journal, 0)


async def second_lives(first: Told, directory: Path) -> AsyncIterator[Told]:
    """Yield stories that go on after each point at which the first life may have ended."""
    story, journal, _ = first
    for number, (left, facts) in enumerate(crashes(journal, losses=2)):
        lost: list[Entry] = [*facts, PowerLoss(left)]
        yield await went_on(story, lost, directory / f"lost-{number}")
    for point in range(1, len(journal)):
        # Right after a sync, a kill leaves what the end of a life would leave.
        if not isinstance(journal[point - 1], Mark | Sync | SyncNames):
            killed: list[Entry] = [*journal[:point], Kill()]
            yield await went_on(story, killed, directory / f"killed-{point}")


async def went_on(story: Story, journal: list[Entry], root: Path) -> Told:
    tree = Tree()
    tree.follow(journal)
    write_out(tree.now(), root)
    with recording(root, journal) as recorder:
        await story.resume(root / DATA, recorder)
    check_complete(recorder.journal, root)
    return Told(story, recorder.journal, len(journal))


def check_complete(journal: Sequence[Entry], root: Path) -> None:
    """Compare what was recorded with what is there: nothing may be done unseen."""
    tree = Tree()
    tree.follow(journal)
    assert seen(root) == tree.now()
