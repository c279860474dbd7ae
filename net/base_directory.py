"""Where the base of a node lies, and what becomes of it when it can't be trusted.

Owns the directory `store/`. Must not know when a base is flushed or replaced.

    base-<generation>   the base; the next generation while a snapshot is being staged
    current             which generation it is, and what is still known of it if it is lost
    suspect             there while a process has the base open; left behind by one that was killed
    damaged             the last base that was found damaged
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from core.store.base import BaseMeta
from net.data_directory import DataDirectoryError
from net.durably import NO_ROOM, make_directory, sync_directory, write_durably
from net.lmdb_base import BaseDamaged, BaseForeign, BaseFull, BaseUnusable, LmdbBase

VERIFICATIONS_MAX: Final = 3
"""Starts in a row that end while the base is being verified; then it is taken to be the cause."""

_log = structlog.get_logger("holdfast.storage")


class Standing(msgspec.Struct, frozen=True):
    """What must be known of the base even if it is lost.

    Attributes:
        generation: names its directory.
        index: the log may begin behind this entry, for the base held what is before.
        void_through: as in `core.store.base.BaseMeta`.
    """

    generation: int = 1
    index: int = 0
    void_through: int = 0


class BaseDirectory:
    """The base of one node and its place.

    Attributes:
        base: it.
        standing: what is known of it in any case.
    """

    def __init__(self, path: Path, stamp: bytes) -> None:
        """Open the base. After a process was killed it is verified; a damaged one is set aside.

        Raises:
            DataDirectoryError: it belongs to another node, or its place can't be read.
        """
        self._store = path
        self._stamp = stamp
        self._suspect = path / "suspect"
        self._current = path / "current"
        try:
            # What is acted upon here must not be lost with the power later.
            sync_directory(path)
            self.standing = self._read_standing()
            self._remove_others()
            self.base = self._open()
            write_durably(self._suspect, b"0")
        except (BaseForeign, BaseFull, BaseUnusable) as refusal:
            raise DataDirectoryError(str(refusal)) from None
        except OSError as error:
            raise DataDirectoryError(f"{path}: {error.strerror}") from error

    @property
    def path(self) -> Path:
        """Where the base is."""
        return self._store / f"base-{self.standing.generation}"

    def flushed(self, meta: BaseMeta) -> None:
        """Remember where the base stands; the log may be cut behind that afterwards.

        Raises:
            BaseFull: there is no room for it.
        """
        with _full_for_want_of_room():
            self._set_standing(Standing(self.standing.generation, meta.index, meta.void_through))

    def stage(self, items: Iterable[tuple[bytes, bytes]], *, anew: bool) -> None:
        """Keep a part of the next base aside, durably.

        Raises:
            BaseFull: there is no room for it.
        """
        with _full_for_want_of_room():
            if anew:
                shutil.rmtree(self._next, ignore_errors=True)
                make_directory(self._next)
            self._add_to_next(BaseMeta(), items)

    def replace(self, meta: BaseMeta) -> Path:
        """Make the next base the one that counts, durably; return where the former one is.

        Raises:
            BaseFull: there is no room for that; it can be tried again.
        """
        former = self.path
        generation = self.standing.generation + 1
        with _full_for_want_of_room():
            self._add_to_next(meta, ())
            self._set_standing(Standing(generation, meta.index, meta.void_through))
        return former

    def close(self, *, whole: bool) -> None:
        """Let go of it; the next start may trust one that is `whole`."""
        self.base.close()
        if whole:
            # Not made durable: if it comes back, the next start looks at the base for nothing.
            self._suspect.unlink(missing_ok=True)

    @property
    def _next(self) -> Path:
        return self._store / f"base-{self.standing.generation + 1}"

    def _add_to_next(self, meta: BaseMeta, items: Iterable[tuple[bytes, bytes]]) -> None:
        base = LmdbBase(self._next, self._stamp)
        try:
            for _ in base.merge(meta, items):
                pass
        finally:
            base.close()

    def _read_standing(self) -> Standing:
        if not self._current.exists():
            return Standing()
        try:
            return msgspec.json.decode(self._current.read_bytes(), type=Standing)
        except (OSError, msgspec.MsgspecError) as error:
            raise DataDirectoryError(f"{self._current} cannot be read: {error}") from None

    def _set_standing(self, standing: Standing) -> None:
        write_durably(self._current, msgspec.json.encode(standing))
        self.standing = standing

    def _remove_others(self) -> None:
        """Remove what was staged and not put in place, or was replaced."""
        for other in self._store.glob("base-*"):
            if other != self.path:
                shutil.rmtree(other)

    def _open(self) -> LmdbBase:
        if self.standing == Standing() and not self.path.exists():
            make_directory(self.path)
            return LmdbBase(self.path, self._stamp)
        try:
            return self._open_known()
        except BaseDamaged as damage:
            _log.error("the base is damaged and is set aside", reason=str(damage))
            return self._open_anew()

    def _open_known(self) -> LmdbBase:
        if not self.path.exists():
            raise BaseDamaged("the base is missing")
        suspected = self._suspect.exists()
        verifications = self._verifications() if suspected else -1
        if verifications >= VERIFICATIONS_MAX:
            raise BaseDamaged("looking at the base has ended this process again and again")
        # Before the first look: what is damaged may end the process by a signal.
        write_durably(self._suspect, b"%d" % (verifications + 1))
        try:
            return self._look(verify=suspected)
        except (BaseForeign, OSError):
            # Neither comes of damage, however often a start is refused for it.
            with contextlib.suppress(OSError):
                write_durably(self._suspect, b"%d" % max(verifications, 0))
            raise

    def _look(self, *, verify: bool) -> LmdbBase:
        base = LmdbBase(self.path, self._stamp)
        try:
            if verify:
                base.verify()
            self._check_age(base.meta)
        except BaseException:
            base.close()
            raise
        return base

    def _check_age(self, meta: BaseMeta) -> None:
        """Refuse a base that a damaged page has sent back in time."""
        # One that was built anew holds nothing yet, but knows what is void: else whoever was
        # building it was killed.
        known = self.standing
        if 0 < meta.index < known.index or meta.void_through < known.void_through:
            raise BaseDamaged("the base is older than it was")

    def _verifications(self) -> int:
        """Return how many starts in a row have ended with a look at the base."""
        count = self._suspect.read_bytes()
        # What can't be read begins anew: the base is looked at all the same.
        return int(count) if count.isdigit() else 0

    def _open_anew(self) -> LmdbBase:
        """Return an empty base that still knows which batches of the log are void."""
        aside = self._store / "damaged"
        if self.path.exists():
            shutil.rmtree(aside, ignore_errors=True)
            self.path.rename(aside)
        make_directory(self.path)
        base = LmdbBase(self.path, self._stamp)
        for _ in base.merge(BaseMeta(void_through=self.standing.void_through), ()):
            pass
        base.refresh()
        return base


@contextlib.contextmanager
def _full_for_want_of_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise BaseFull(str(error)) from error
        raise
