"""A tree of directories that forgets, rebuilt from a journal of what a process did to a real one.

It takes the same liberties as `tests.net.forgetful`: a sync of a file says nothing about its name,
a sync of a directory nothing about what is in its files. A rename is one change: it happens as a
whole or not. As syncs change nothing that a process can see, one journal is enough to learn what
would have been left without one of them. So too with two threads that change different files and do
not wait for each other: the journal has one after the other, and a crash may find any beginning of
the one beside any beginning of the other.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from tests.net.forgetful import Content, Extension, Truncation, Write, apply

Place = tuple[str, int]
"""A file of the project and a line in it."""

Left = dict[str, bytes | None]
"""The content of each file, by path; None for a directory."""

Naming = tuple[tuple[str, "File | Folder | None"], ...]
"""Names that come, and names that go (None), all at once."""


class Fate(enum.Enum):
    """What becomes of one change that is not durable."""

    LOST = 0
    WHOLE = 1
    TORN = 2


class Fates:
    """Decides, change by change.

    Attributes:
        random: the dice.
    """

    def __init__(self, seed: int | None, last: Fate = Fate.LOST) -> None:
        """With a seed, throw dice; without, all is lost but for the `last` change of each kind."""
        self.random = Random(seed)
        self._throws = seed is not None
        self._last = last

    def draw(self, *, is_last: bool) -> Fate:
        """Return what becomes of the next change."""
        if self._throws:
            return self.random.choice(list(Fate))
        return self._last if is_last else Fate.LOST


class File(Content):
    """A file."""

    def left(self, fates: Fates) -> bytes:
        """Return what a loss of power leaves of it."""
        left = File()
        left.durable = bytearray(self.durable)
        for change in self.pending:
            match fates.draw(is_last=change is self.pending[-1]):
                case Fate.WHOLE:
                    apply(left.durable, change)
                case Fate.TORN:
                    left.pending = [change]
                    left.lose(fates.random)
                case Fate.LOST:
                    pass
        return bytes(left.durable)


class Folder:
    """A directory: its names as processes see them, and as the disk has them."""

    def __init__(self) -> None:
        self.names: dict[str, File | Folder] = {}
        self.durable: dict[str, File | Folder] = {}
        self.pending: list[Naming] = []

    def change(self, *naming: tuple[str, "File | Folder | None"]) -> None:
        """Change what processes see."""
        rename(self.names, naming)
        self.pending.append(naming)

    def sync(self) -> None:
        """Make all names durable."""
        self.durable = dict(self.names)
        self.pending.clear()

    def left(self, fates: Fates) -> dict[str, "File | Folder"]:
        """Return the names that a loss of power leaves; none of them can be torn."""
        names = dict(self.durable)
        for naming in self.pending:
            if fates.draw(is_last=naming is self.pending[-1]) is Fate.WHOLE:
                rename(names, naming)
        return names


def rename(names: dict[str, File | Folder], naming: Naming) -> None:
    """Carry out a change of names."""
    for name, node in naming:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


# -- the journal ----------------------------------------------------------------------------


class Make(NamedTuple):
    """A directory was made."""

    path: str


class Open(NamedTuple):
    """A file was opened: made unless it was there, emptied if so asked."""

    path: str
    handle: int
    empties: bool


class Change(NamedTuple):
    """A file that is open was changed."""

    handle: int
    change: Extension | Truncation | Write


class Sync(NamedTuple):
    """A file that is open was synced, with its length or without; `places` asked for it."""

    handle: int
    whole: bool
    places: tuple[Place, ...]


class SyncNames(NamedTuple):
    """A directory was synced."""

    path: str
    places: tuple[Place, ...]


class Remove(NamedTuple):
    """A name was removed."""

    path: str


class Rename(NamedTuple):
    """A name was replaced by another in the same directory."""

    former: str
    path: str


class Store(NamedTuple):
    """Something that syncs its file itself has written a new state into it."""

    path: str
    content: bytes


class Kill(NamedTuple):
    """The process was killed; what it wrote stays in the cache."""


class PowerLoss(NamedTuple):
    """The machine stopped; this is left."""

    left: Left


class Fact(NamedTuple):
    """Something was promised to somebody: `value` is there under `name` from now on."""

    name: str
    value: object


class Fork(enum.Enum):
    """What one thread does until the turn happens beside what another does until the end."""

    BEGIN = 0
    TURN = 1
    END = 2


Mark = Fact | Fork
"""Nothing happens to the disk."""

Entry = Make | Open | Change | Sync | SyncNames | Remove | Rename | Store | Kill | PowerLoss | Mark


def known(journal: Iterable[Entry]) -> dict[str, Any]:
    """Return what was promised, by name."""
    return {entry.name: entry.value for entry in journal if isinstance(entry, Fact)}


class Tree:
    """What is on the disk, and what would be after a loss of power.

    Attributes:
        root: the topmost directory, which is durable.
    """

    def __init__(self) -> None:
        self.root = Folder()
        self._handles: dict[int, File] = {}

    def follow(self, journal: Sequence[Entry], deaf: Place | None = None) -> None:
        """Do what a journal says, but for the syncs that `deaf` asked for."""
        for entry in journal:
            if not isinstance(entry, Sync | SyncNames) or deaf not in entry.places:
                self._take(entry)

    def now(self) -> Left:
        """Return what processes see."""
        return dict(_seen(self.root, ""))

    def after_power_loss(self, fates: Fates) -> Left:
        """Return what would be left."""
        return dict(_left(self.root, fates, ""))

    def _take(self, entry: Entry) -> None:
        match entry:
            case Open() | Change() | Sync() | Store():
                self._take_content(entry)
            case Make() | SyncNames() | Remove() | Rename():
                self._take_names(entry)
            case Kill():
                self._handles.clear()
            case PowerLoss(left):
                self._handles.clear()
                self.root = durable(left)
            case Fact() | Fork():
                pass

    def _take_content(self, entry: Open | Change | Sync | Store) -> None:
        match entry:
            case Open(path, handle, empties):
                self._handles[handle] = self._opened(path, empties=empties)
            case Change(handle, change):
                self._handles[handle].change(change)
            case Sync(handle, True, _):
                self._handles[handle].sync()
            case Sync(handle):
                self._handles[handle].sync_data()
            case Store(path, content):
                file = self._opened(path, empties=False)
                file.cached, file.durable = bytearray(content), bytearray(content)

    def _take_names(self, entry: Make | SyncNames | Remove | Rename) -> None:
        match entry:
            case Make(path):
                self._folder_of(path).change((name_of(path), Folder()))
            case SyncNames(path):
                self._folder(path).sync()
            case Remove(path):
                self._folder_of(path).change((name_of(path), None))
            case Rename(former, path):
                folder = self._folder_of(path)
                moved = folder.names[name_of(former)]
                folder.change((name_of(former), None), (name_of(path), moved))

    def _opened(self, path: str, *, empties: bool) -> File:
        folder = self._folder_of(path)
        file = folder.names.get(name_of(path))
        if file is None:
            file = File()
            folder.change((name_of(path), file))
        assert isinstance(file, File)
        if empties:
            file.change(Truncation())
        return file

    def _folder_of(self, path: str) -> Folder:
        return self._folder(path.rpartition("/")[0])

    def _folder(self, path: str) -> Folder:
        folder = self.root
        for name in path.split("/") if path else ():
            inner = folder.names[name]
            assert isinstance(inner, Folder)
            folder = inner
        return folder


def durable(left: Left) -> Folder:
    """Return a directory with that in it, all of it durable."""
    root = Folder()
    folders = {"": root}
    for path, content in left.items():
        parent, _, name = path.rpartition("/")
        node: File | Folder
        if content is None:
            node = folders[path] = Folder()
        else:
            node = File()
            node.cached, node.durable = bytearray(content), bytearray(content)
        folders[parent].names[name] = folders[parent].durable[name] = node
    return root


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def _seen(folder: Folder, prefix: str) -> Iterator[tuple[str, bytes | None]]:
    for name, node in sorted(folder.names.items()):
        if isinstance(node, Folder):
            yield prefix + name, None
            yield from _seen(node, f"{prefix}{name}/")
        else:
            yield prefix + name, bytes(node.cached)


def _left(folder: Folder, fates: Fates, prefix: str) -> Iterator[tuple[str, bytes | None]]:
    for name, node in sorted(folder.left(fates).items()):
        if isinstance(node, Folder):
            yield prefix + name, None
            yield from _left(node, fates, f"{prefix}{name}/")
        else:
            yield prefix + name, node.left(fates)


def write_out(state: Left, directory: Path) -> None:
    """Make a real directory of it."""
    directory.mkdir()
    for path, content in state.items():
        if content is None:
            (directory / path).mkdir(mode=0o700)
        else:
            (directory / path).write_bytes(content)


# -- what a loss of power can leave ---------------------------------------------------------

LOSSES: Final = 2
"""How often the dice are thrown at one point."""


def crashes(
    journal: Sequence[Entry], deaf: Place | None = None, losses: int = LOSSES, since: int = 0
) -> Iterator[tuple[Left, list[Fact]]]:
    """Yield what a loss of power may leave after each entry, and what was promised till then.

    Args:
        journal: what was done.
        deaf: the syncs that this place asked for did not happen; yields only what is left
            differently then.
        losses: how often the dice are thrown at each point.
        since: nothing is yielded of what was before this point.
    """
    seen: set[int] = set()
    honest = None if deaf is None else _moments(journal, None, since)
    for number, moment in enumerate(_moments(journal, deaf, since)):
        # Beside another thread the worst is enough: there are many such moments.
        thrown = 0 if moment.forked else losses
        facts = moment.facts
        if honest is not None:
            left_else = _outcomes(next(honest).tree, number, thrown)
            seen.update(_digest(left, facts) for left in left_else)
        for left in _outcomes(moment.tree, number, thrown):
            digest = _digest(left, facts)
            if digest not in seen:
                seen.add(digest)
                yield left, facts


class _Moment(NamedTuple):
    """What is on the disk, and what was promised; `forked` if the journal itself shows no such."""

    tree: Tree
    facts: list[Fact]
    forked: bool


def _moments(journal: Sequence[Entry], deaf: Place | None, since: int) -> Iterator[_Moment]:
    """Yield each moment from the point `since` on; its tree goes on changing."""
    tree = Tree()
    facts: list[Fact] = []
    for point, entry in enumerate(journal):
        tree.follow([entry], deaf)
        if isinstance(entry, Fact):
            facts.append(entry)
        if point < since:
            continue
        yield _Moment(tree, list(facts), forked=False)
        if entry is Fork.BEGIN:
            for between in _beside(journal[point:]):
                other = deepcopy(tree)
                other.follow(between, deaf)
                promised = [each for each in between if isinstance(each, Fact)]
                yield _Moment(other, [*facts, *promised], forked=True)


def _beside(journal: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield what may have been done since the fork, but for what the journal itself shows."""
    turn, end = journal.index(Fork.TURN), journal.index(Fork.END)
    one, other = journal[1:turn], journal[turn + 1 : end]
    for ahead in range(len(one)):
        for behind in range(1, len(other) + 1):
            yield [*one[:ahead], *other[:behind]]


def _outcomes(tree: Tree, point: int, losses: int) -> Iterator[Left]:
    """Yield what a kill leaves, the worst losses of power, and what the dice say."""
    yield tree.now()
    yield tree.after_power_loss(Fates(None))
    yield tree.after_power_loss(Fates(None, Fate.WHOLE))
    for number in range(losses):
        yield tree.after_power_loss(Fates(point * 1_000 + number))


def _digest(left: Left, facts: Sequence[Fact]) -> int:
    return hash((*(fact.name for fact in facts), *left.items()))
